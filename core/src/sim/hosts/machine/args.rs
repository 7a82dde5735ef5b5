//! The commands of `docker-machine`, and how words are matched with their flags: as Go's flag package does,
//! with flags that come after a command's words moved to the front.

use super::flags::{CREATE, Flag, Kind, driver_flags, list, number, shown, switch, tabbed, text};
use cutaway_userland::sorted::Map as BTreeMap;

pub struct Command {
    pub name: &'static str,
    about: &'static str,
    /// What its words are, for help.
    words: &'static str,
    flags: &'static [Flag],
}

const fn command(name: &'static str, about: &'static str, words: &'static str, flags: &'static [Flag]) -> Command {
    Command { name, about, words, flags }
}

const GLOBAL: [Flag; 11] = [
    switch("debug, D", "Enable debug mode"),
    text("storage-path, s", "", "Configures storage path").from("MACHINE_STORAGE_PATH"),
    text("tls-ca-cert", "", "CA to verify remotes against").from("MACHINE_TLS_CA_CERT"),
    text("tls-ca-key", "", "Private key to generate certificates").from("MACHINE_TLS_CA_KEY"),
    text("tls-client-cert", "", "Client cert to use for TLS").from("MACHINE_TLS_CLIENT_CERT"),
    text("tls-client-key", "", "Private key used in client TLS auth").from("MACHINE_TLS_CLIENT_KEY"),
    text("github-api-token", "", "Token to use for requests to the Github API").from("MACHINE_GITHUB_API_TOKEN"),
    switch("native-ssh", "Use the native (Go-based) SSH implementation.").from("MACHINE_NATIVE_SSH"),
    text("bugsnag-api-token", "", "BugSnag API token for crash reporting").from("MACHINE_BUGSNAG_API_TOKEN"),
    HELP,
    switch("version, v", "print the version"),
];
const HELP: Flag = switch("help, h", "show help");
const TIMEOUT: Flag = number("timeout, t", "10", "Timeout in seconds, default to 10s");
const SWARM: Flag = switch("swarm", "Display the Swarm config instead of the Docker daemon");

const ONE: &str = "Argument is a machine name.";
const SOME: &str = "Argument(s) are one or more machine names.";

static COMMANDS: [Command; 22] = [
    command("active", "Print which machine is active", "", &[TIMEOUT]),
    command("config", "Print the connection config for machine", ONE, &[SWARM]),
    command(
        "create",
        "Create a machine",
        "Run 'docker-machine create --driver name --help' to include the create flags for that driver in the help text.",
        &CREATE,
    ),
    command(
        "env",
        "Display the commands to set up the environment for the Docker client",
        ONE,
        &[
            SWARM,
            text(
                "shell",
                "",
                "Force environment to be configured for a specified shell: [fish, cmd, powershell, tcsh, emacs], default is auto-detect",
            ),
            switch("unset, u", "Unset variables instead of setting them"),
            switch("no-proxy", "Add machine IP to NO_PROXY environment variable"),
        ],
    ),
    command(
        "inspect",
        "Inspect information about a machine",
        ONE,
        &[text("format, f", "", "Format the output using the given go template.")],
    ),
    command("ip", "Get the IP address of a machine", SOME, &[]),
    command("kill", "Kill a machine", SOME, &[]),
    command(
        "ls",
        "List machines",
        "",
        &[
            switch("quiet, q", "Enable quiet mode"),
            list("filter", "Filter output based on conditions provided"),
            TIMEOUT,
            text("format, f", "", "Pretty-print machines using a Go template"),
        ],
    ),
    command("provision", "Re-provision existing machines", "", &[]),
    command(
        "regenerate-certs",
        "Regenerate TLS Certificates for a machine",
        SOME,
        &[
            switch("force, f", "Force rebuild and do not prompt"),
            switch("client-certs", "Also regenerate client certificates and CA."),
        ],
    ),
    command("restart", "Restart a machine", SOME, &[]),
    command(
        "rm",
        "Remove a machine",
        SOME,
        &[
            switch(
                "force, f",
                "Remove local configuration even if machine cannot be removed, also implies an automatic yes (`-y`)",
            ),
            switch("y", "Assumes automatic yes to proceed with remove, without prompting further user confirmation"),
        ],
    ),
    command(SSH, "Log into or run a command on a machine with SSH.", "Arguments are [machine-name] [command]", &[]),
    command(
        "scp",
        "Copy files between machines",
        "Arguments are [[user@]machine:][path] [[user@]machine:][path].",
        &[
            switch("recursive, r", "Copy files recursively (required to copy directories)"),
            switch("delta, d", "Reduce amount of data sent over network by sending only the differences (uses rsync)"),
            switch("quiet, q", "Disables the progress meter as well as warning and diagnostic messages from ssh"),
        ],
    ),
    command(
        "mount",
        "Mount or unmount a directory from a machine with SSHFS.",
        "Arguments are [machine:][path] [mountpoint]",
        &[switch("unmount, u", "Unmount instead of mount")],
    ),
    command("start", "Start a machine", SOME, &[]),
    command("status", "Get the status of a machine", ONE, &[]),
    command("stop", "Stop a machine", SOME, &[]),
    command("upgrade", "Upgrade a machine to the latest version of Docker", SOME, &[]),
    command("url", "Get the URL of a machine", ONE, &[]),
    command("version", "Show the Docker Machine version or a machine docker version", "", &[]),
    command("help", "Shows a list of commands or help for one command", "", &[]),
];

/// The command whose words, all but the first, are another program's.
const SSH: &str = "ssh";

pub fn find(name: &str) -> Option<&'static Command> {
    let name = if name == "h" { "help" } else { name };
    COMMANDS.iter().find(|command| command.name == name)
}

/// What was given; else what the environment has for a flag, else its default.
#[derive(Debug, Default, PartialEq)]
pub struct Args {
    flags: BTreeMap<&'static str, Vec<String>>,
    pub words: Vec<String>,
}

impl Args {
    pub fn flag(&self, name: &str) -> bool {
        self.value(name) == "true"
    }

    pub fn value(&self, name: &str) -> &str {
        self.values(name).last().map_or("", String::as_str)
    }

    pub fn values(&self, name: &str) -> &[String] {
        self.flags.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn number(&self, name: &str) -> i64 {
        whole(self.value(name)).unwrap_or_default()
    }
}

/// Reads a variable of the environment; empty where there is none.
pub type Variables<'a> = &'a dyn Fn(&str) -> String;

/// Flags before the command, and the command with its words.
pub fn global(words: &[String], variables: Variables) -> Result<(Args, Vec<String>), String> {
    let mut args = matched(GLOBAL.iter().collect(), words, variables)?;
    let words = std::mem::take(&mut args.words);
    Ok((args, words))
}

/// The words of a command; a driver has flags for `create`.
pub fn parse(command: &'static Command, driver: &str, words: &[String], variables: Variables) -> Result<Args, String> {
    if command.name == SSH {
        let mut args = Args { words: words.to_vec(), ..Args::default() };
        if matches!(words.first().map(String::as_str), Some("-help" | "--help" | "-h")) {
            args.flags.insert("help", vec!["true".into()]);
        }
        return Ok(args);
    }
    let end = words.iter().position(|w| w == "--").unwrap_or(words.len());
    let flags = known_flags(command, driver).chain([&HELP]).collect();
    match words[..end].iter().position(|w| w.starts_with('-')) {
        Some(first) => {
            let moved = words[first..end].iter().chain(&words[..first]).chain(&words[end..]);
            matched(flags, &moved.cloned().collect::<Vec<_>>(), variables)
        }
        None => matched(flags, words, variables),
    }
}

fn known_flags(command: &'static Command, driver: &str) -> impl Iterator<Item = &'static Flag> {
    let more = if command.name == "create" { driver_flags(driver) } else { &[] };
    command.flags.iter().chain(more)
}

/// The driver that `create` is to ask for flags, found before any flag is known.
pub fn driver_wanted(words: &[String], variables: Variables) -> String {
    let given = words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some(("-d" | "--driver", value)) => Some(value.to_string()),
        None if word == "-d" || word == "--driver" => words.get(at + 1).cloned(),
        _ => None,
    });
    let named = given.filter(|name| !name.is_empty()).unwrap_or_else(|| variables("MACHINE_DRIVER"));
    if named.is_empty() { "virtualbox".into() } else { named }
}

/// A number as Go reads it, by its prefix.
fn whole(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn matched(flags: Vec<&'static Flag>, words: &[String], variables: Variables) -> Result<Args, String> {
    let mut args = Args::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            args.words.push(word.clone());
            break;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if flag.is_empty() {
            break;
        }
        if flag.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {word}"));
        }
        let (name, given) = flag.split_once('=').map_or((flag, None), |(name, given)| (name, Some(given)));
        let known = flags.iter().find(|f| f.names().any(|n| n == name));
        let Some(known) = known else { return Err(format!("flag provided but not defined: -{name}")) };
        let value = match (known.kind, given) {
            (_, Some(given)) => given.to_string(),
            (Kind::Switch, None) => "true".to_string(),
            _ => words.next().ok_or_else(|| format!("flag needs an argument: -{name}"))?.clone(),
        };
        let value = checked(known.kind, name, value)?;
        args.flags.entry(known.name()).or_default().push(value);
    }
    args.words.extend(words.cloned());
    for flag in flags {
        if args.flags.contains_key(flag.name()) {
            continue;
        }
        let set = if flag.env.is_empty() { String::new() } else { variables(flag.env) };
        let values = match (flag.kind, set.as_str()) {
            (Kind::List, "") => Vec::new(),
            (Kind::List, set) => set.split(',').map(|part| part.trim().to_string()).collect(),
            (kind, set) => match checked(kind, "", set.to_string()) {
                Ok(value) if !set.is_empty() => vec![value],
                _ => vec![flag.default.to_string()],
            },
        };
        args.flags.insert(flag.name(), values);
    }
    Ok(args)
}

/// The value of a flag, if it is one for its kind.
fn checked(kind: Kind, name: &str, value: String) -> Result<String, String> {
    let switched = match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some("true"),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some("false"),
        _ => None,
    };
    match (kind, switched) {
        (Kind::Switch, Some(switched)) => Ok(switched.to_string()),
        (Kind::Switch, None) => Err(format!("invalid boolean value {value:?} for -{name}: parse error")),
        (Kind::Number, _) if whole(&value).is_none() => {
            Err(format!("invalid value {value:?} for flag -{name}: parse error"))
        }
        _ => Ok(value),
    }
}

/// The help of the program; `store` is where machines are kept.
pub fn help(store: &str) -> String {
    let mut text = format!(
        "Usage: docker-machine [OPTIONS] COMMAND [arg...]\n\nCreate and manage machines running Docker.\n\n\
         Version: {}\n\nAuthor:\n  Docker Machine Contributors - <https://github.com/docker/machine>\n\nOptions:\n  ",
        super::VERSION,
    );
    for flag in &GLOBAL {
        let default = if flag.name() == "storage-path" { store } else { flag.default };
        text += &format!("{}\n  ", shown(flag, default));
    }
    text += "\nCommands:\n  ";
    for command in &COMMANDS {
        text += &format!("{}\t{}\n  ", command.name, command.about);
    }
    tabbed(&(text + "\nRun 'docker-machine COMMAND --help' for more information on a command.\n"))
}

/// The help of a command; of `create`, with the flags of a driver where there is one.
pub fn help_on(command: &'static Command, driver: &str) -> String {
    let options = if command.flags.is_empty() { "" } else { " [OPTIONS]" };
    let mut text = format!("Usage: docker-machine {}{options} [arg...]\n\n{}", command.name, command.about);
    if !command.words.is_empty() {
        text += &format!("\n\nDescription:\n   {}", command.words);
    }
    let mut flags: Vec<String> = known_flags(command, driver).map(|flag| shown(flag, flag.default)).collect();
    if !driver.is_empty() {
        flags.sort();
    }
    if !flags.is_empty() {
        text += &format!("\n\nOptions:\n   \n   {}", flags.join("\n   "));
    }
    tabbed(&(text + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        let variables = |name: &str| if name == "ENGINE_REGISTRY_MIRROR" { "a, b".into() } else { String::new() };
        parse(find(&words[0]).unwrap(), "virtualbox", &words[1..], &variables)
    }

    #[test]
    fn flags_may_stand_behind_the_words() {
        for line in ["rm -f dev two", "rm dev two -f", "rm --force dev two", "rm dev two -force=true"] {
            let args = read(line).unwrap();
            assert!(args.flag("force") && args.words == ["dev", "two"], "{line}: {args:?}");
        }
        let args = read("create -d none dev --url x").unwrap();
        assert_eq!(args.words, ["dev", "--url", "x"]);
        assert_eq!(args.values("engine-registry-mirror"), ["a", "b"]);
        assert_eq!(args.number("virtualbox-memory"), 1024);
        assert_eq!(read("ssh dev ls -l").unwrap().words, ["dev", "ls", "-l"]);
        assert_eq!(read("rm dev -f -- two").unwrap().words, ["dev", "--", "two"]);
        assert_eq!(read("ls --filter a=b --filter c=d").unwrap().values("filter"), ["a=b", "c=d"]);
        for (line, why) in [
            ("rm -x dev", "flag provided but not defined: -x"),
            ("rm ---f dev", "bad flag syntax: ---f"),
            ("rm -f=maybe dev", "invalid boolean value \"maybe\" for -f: parse error"),
            ("ls -t soon", "invalid value \"soon\" for flag -t: parse error"),
            ("create -d", "flag needs an argument: -d"),
        ] {
            assert_eq!(read(line), Err(why.into()), "{line}");
        }
    }

    #[test]
    fn every_command_has_help() {
        for command in &COMMANDS {
            let all = help("/m");
            assert!(help_on(command, "").contains(command.about) && all.contains(command.about), "{}", command.name);
        }
        let rm = "Usage: docker-machine active [OPTIONS] [arg...]\n\nPrint which machine is active\n\nOptions:\n   \n   \
            --timeout, -t \"10\"\tTimeout in seconds, default to 10s\n";
        assert_eq!(help_on(find("active").unwrap(), ""), rm);
        let ip = "Usage: docker-machine ip [arg...]\n\nGet the IP address of a machine\n\n\
            Description:\n   Argument(s) are one or more machine names.\n";
        assert_eq!(help_on(find("ip").unwrap(), ""), ip);
        let of_driver = help_on(find("create").unwrap(), "none");
        assert!(of_driver.ends_with("host when no driver is selected\n"), "{of_driver}");
        assert!(!help_on(find("create").unwrap(), "").contains("--url"));
    }
}
