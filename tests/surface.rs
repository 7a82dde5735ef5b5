//! The command line against the list of Docker's own commands, where that list is kept beside the repository.

use cutaway_core::cli::parse;

#[test]
fn nothing_of_docker_is_missing() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let found = ["../shared", "../../shared"]
        .iter()
        .find_map(|near| std::fs::read_to_string(format!("{root}/{near}/docker/cli_surface.txt")).ok());
    let Some(list) = found else {
        eprintln!("skipped nothing_of_docker_is_missing: no list beside the repository");
        return;
    };
    let mut help = String::new();
    let mut path = "";
    for line in list.lines().take_while(|l| !l.starts_with("### SUMMARY")) {
        if let Some(next) = line.strip_prefix("### ") {
            path = next.trim();
            let words: Vec<String> = path.split(' ').skip(1).chain(["--help"]).map(str::to_string).collect();
            let usage = parse(&words).expect_err(path);
            assert_eq!(usage.status, 0, "{path}: {}", usage.text);
            help = usage.text;
        } else if let Some(flag) = line.trim().split(' ').find(|w| w.starts_with("--"))
            && line.starts_with("  -")
            && flag != "--help"
        {
            assert!(help.contains(&format!("{flag} ")), "{path}: {flag} is missing");
        }
    }
}
