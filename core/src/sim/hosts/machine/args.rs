//! The commands of `docker-machine` with their flags, and how words are matched with them: as Go's flag
//! package does, with flags that come after a command's words moved to the front.

use cutaway_userland::sorted::Map as BTreeMap;

pub struct Flag {
    name: &'static str,
    short: &'static str,
    /// What stands for its value in help, `\"virtualbox\"` or nothing; `None` for a switch.
    value: Option<&'static str>,
    about: &'static str,
}

pub struct Command {
    pub name: &'static str,
    usage: &'static str,
    about: &'static str,
    flags: &'static [Flag],
    /// Whether its words are another program's.
    passes: bool,
}

const fn switch(name: &'static str, short: &'static str, about: &'static str) -> Flag {
    Flag { name, short, value: None, about }
}

const fn value(name: &'static str, short: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, short, value: Some(value), about }
}

const fn command(name: &'static str, usage: &'static str, about: &'static str, flags: &'static [Flag]) -> Command {
    Command { name, usage, about, flags, passes: false }
}

const GLOBAL: Command = command(
    "",
    "",
    "Create and manage machines running Docker.",
    &[
        switch("debug", "D", "Enable debug mode"),
        value("storage-path", "s", "", "Configures storage path [$MACHINE_STORAGE_PATH]"),
        switch("version", "v", "print the version"),
    ],
);

const TIMEOUT: Flag = value("timeout", "t", "\"10\"", "Timeout in seconds, default to 10s");

static COMMANDS: [Command; 18] = [
    command("active", "[arg...]", "Print which machine is active", &[TIMEOUT]),
    command("config", "[OPTIONS] [arg...]", "Print the connection config for machine", &[]),
    command(
        "create",
        "[OPTIONS] [arg...]",
        "Create a machine",
        &[
            value("driver", "d", "\"virtualbox\"", "Driver to create machine with. [$MACHINE_DRIVER]"),
            value("generic-ip-address", "", "", "IP Address of machine"),
            value("generic-ssh-port", "", "\"22\"", "SSH port"),
            value("generic-ssh-user", "", "\"root\"", "SSH user"),
            value("url", "", "", "URL of host when no driver is selected"),
            value("virtualbox-cpu-count", "", "\"1\"", "number of CPUs for the machine [$VIRTUALBOX_CPU_COUNT]"),
            value("virtualbox-memory", "", "\"1024\"", "Size of memory for host in MB [$VIRTUALBOX_MEMORY_SIZE]"),
        ],
    ),
    command(
        "env",
        "[OPTIONS] [arg...]",
        "Display the commands to set up the environment for the Docker client",
        &[
            switch("swarm", "", "Display the Swarm config instead of the Docker daemon"),
            value(
                "shell",
                "",
                "",
                "Force environment to be configured for a specified shell: [fish, cmd, powershell, tcsh, emacs], default is auto-detect",
            ),
            switch("unset", "u", "Unset variables instead of setting them"),
            switch("no-proxy", "", "Add machine IP to NO_PROXY environment variable"),
        ],
    ),
    command(
        "inspect",
        "[OPTIONS] [arg...]",
        "Inspect information about a machine",
        &[value("format", "f", "", "Format the output using the given go template.")],
    ),
    command("ip", "[arg...]", "Get the IP address of a machine", &[]),
    command("kill", "[arg...]", "Kill a machine", &[]),
    command(
        "ls",
        "[OPTIONS] [arg...]",
        "List machines",
        &[
            switch("quiet", "q", "Enable quiet mode"),
            value("filter", "", "", "Filter output based on conditions provided"),
            TIMEOUT,
            value("format", "f", "", "Pretty-print machines using a Go template"),
        ],
    ),
    command("restart", "[arg...]", "Restart a machine", &[]),
    command(
        "rm",
        "[OPTIONS] [arg...]",
        "Remove a machine",
        &[
            switch(
                "force",
                "f",
                "Remove local configuration even if machine cannot be removed, also implies an automatic yes (`-y`)",
            ),
            switch(
                "y",
                "",
                "Assumes automatic yes to proceed with remove, without prompting further user confirmation",
            ),
        ],
    ),
    command(
        "scp",
        "[OPTIONS] [arg...]",
        "Copy files between machines",
        &[
            switch("recursive", "r", "Copy files recursively (required to copy directories)"),
            switch("quiet", "q", "Disables the progress meter"),
        ],
    ),
    Command { passes: true, ..command("ssh", "[arg...]", "Log into or run a command on a machine with SSH.", &[]) },
    command("start", "[arg...]", "Start a machine", &[]),
    command("status", "[arg...]", "Get the status of a machine", &[]),
    command("stop", "[arg...]", "Stop a machine", &[]),
    command("url", "[arg...]", "Get the URL of a machine", &[]),
    command("version", "[arg...]", "Show the Docker Machine version or a machine docker version", &[]),
    command("help", "[arg...]", "Shows a list of commands or help for one command", &[]),
];

pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// What was given.
#[derive(Debug, Default, PartialEq)]
pub struct Args {
    flags: BTreeMap<&'static str, Vec<String>>,
    pub words: Vec<String>,
}

impl Args {
    pub fn flag(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last().map(String::as_str)
    }

    pub fn values(&self, name: &str) -> &[String] {
        self.flags.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Flags before the command, and the command with its words.
pub fn global(words: &[String]) -> Result<(Args, Vec<String>), String> {
    let mut args = matched(&GLOBAL, words)?;
    let words = std::mem::take(&mut args.words);
    Ok((args, words))
}

/// The words of a command.
pub fn parse(command: &'static Command, words: &[String]) -> Result<Args, String> {
    if command.passes && words.first().is_none_or(|word| !word.starts_with('-')) {
        return Ok(Args { words: words.to_vec(), ..Args::default() });
    }
    let end = words.iter().position(|w| w == "--").unwrap_or(words.len());
    let first = words[..end].iter().position(|w| w.starts_with('-') && w != "-").unwrap_or(end);
    let moved: Vec<String> = words[first..].iter().chain(&words[..first]).cloned().collect();
    matched(command, if end == words.len() { &moved } else { words })
}

fn matched(command: &'static Command, words: &[String]) -> Result<Args, String> {
    const HELP: Flag = switch("help", "h", "show help");
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
        let (name, given) = flag.split_once('=').map_or((flag, None), |(name, given)| (name, Some(given)));
        let known =
            command.flags.iter().chain([&HELP]).find(|f| f.name == name || (f.short == name && !name.is_empty()));
        let Some(known) = known else { return Err(format!("flag provided but not defined: -{name}")) };
        let value = match (known.value, given) {
            (_, Some(given)) => given.to_string(),
            (None, None) => "true".to_string(),
            (Some(_), None) => words.next().ok_or_else(|| format!("flag needs an argument: -{name}"))?.clone(),
        };
        args.flags.entry(known.name).or_default().push(value);
    }
    args.words.extend(words.cloned());
    Ok(args)
}

fn flags_help(command: &Command) -> String {
    let mut text = String::new();
    for flag in command.flags {
        let short = if flag.short.is_empty() { String::new() } else { format!(", -{}", flag.short) };
        let dashes = if flag.name.len() == 1 { "-" } else { "--" };
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        text += &format!("   {dashes}{}{short}{value}\t{}\n", flag.name, flag.about);
    }
    text
}

pub fn help() -> String {
    let mut text = format!(
        "Usage: docker-machine [OPTIONS] COMMAND [arg...]\n\n{}\n\nVersion: {}\n\nOptions:\n{}\nCommands:\n",
        GLOBAL.about,
        super::VERSION,
        crate::view::table::align(&flags_help(&GLOBAL), 0, 2),
    );
    let rows: Vec<String> = COMMANDS.iter().map(|c| format!("  {}\t{}", c.name, c.about)).collect();
    text += &crate::view::table::align(&rows.join("\n"), 0, 2);
    text + "\n\nRun 'docker-machine COMMAND --help' for more information on a command.\n"
}

pub fn help_on(command: &'static Command) -> String {
    let mut text = format!("Usage: docker-machine {} {}\n\n{}\n", command.name, command.usage, command.about);
    if command.name == "ssh" {
        text += "\nDescription:\n   Arguments are [machine-name] [command]\n";
    }
    if !command.flags.is_empty() {
        text += &format!("\nOptions:\n{}", crate::view::table::align(&flags_help(command), 0, 2));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        parse(find(&words[0]).unwrap(), &words[1..])
    }

    #[test]
    fn flags_may_stand_behind_the_words() {
        for line in ["rm -f dev two", "rm dev two -f", "rm --force dev two", "rm dev two -force=true"] {
            let args = read(line).unwrap();
            assert!(args.flag("force") && args.words == ["dev", "two"], "{line}: {args:?}");
        }
        let args = read("create -d none dev --url x").unwrap();
        assert_eq!(args.words, ["dev", "--url", "x"]);
        assert_eq!(read("ssh dev ls -l").unwrap().words, ["dev", "ls", "-l"]);
        assert_eq!(read("rm -x dev"), Err("flag provided but not defined: -x".into()));
        assert_eq!(read("create -d"), Err("flag needs an argument: -d".into()));
        assert_eq!(read("ls --filter a=b --filter c=d").unwrap().values("filter"), ["a=b", "c=d"]);
    }

    #[test]
    fn every_command_has_help() {
        for command in &COMMANDS {
            assert!(help_on(command).contains(command.about) && help().contains(command.about), "{}", command.name);
        }
    }
}
