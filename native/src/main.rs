//! `cutaway`: a container engine that shows what it does.

mod sim;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|w| w == "sim") {
        std::process::exit(sim::main(&words[1..]));
    }
}
