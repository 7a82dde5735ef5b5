//! `cutaway`: a container engine that shows what it does. All of it is in the library.

fn main() {
    cutaway::main();
}
