//! Lines and what becomes of them, as tables; and the whole table of commands against itself.

use super::{parse, surface};
use crate::world::Stream;

fn words(line: &str) -> Vec<String> {
    // Single quotes are enough for these tables.
    line.split('\'')
        .enumerate()
        .flat_map(|(i, part)| match i % 2 {
            1 => vec![part.to_string()],
            _ => part.split_whitespace().map(str::to_string).collect(),
        })
        .collect()
}

/// `line`, the canonical command, its flags as `name=value`, its positional words.
#[test]
fn lines_that_parse() {
    for (line, command, flags, positionals) in [
        ("run busybox", "container run", "", "busybox"),
        ("run -it --rm busybox sh -c -x", "container run", "interactive=true rm=true tty=true", "busybox sh -c -x"),
        ("run -eA=1 -e B=2 -p8080:80 b", "container run", "env=A=1 env=B=2 publish=8080:80", "b"),
        ("run -e=A=1 --rm=false -i=0 b", "container run", "env=A=1 interactive=false rm=false", "b"),
        ("run --name= b -- x", "container run", "name=", "b -- x"),
        ("run -- b -d", "container run", "", "b -d"),
        ("run --rm true", "container run", "rm=true", "true"),
        (
            "run -m 64m --memory-swap -1 --pids-limit -1 b",
            "container run",
            "memory=64m memory-swap=-1 pids-limit=-1",
            "b",
        ),
        ("run --blkio-weight 0x10 b", "container run", "blkio-weight=16", "b"),
        ("run -itd b", "container run", "detach=true interactive=true tty=true", "b"),
        ("run -ith web b", "container run", "hostname=web interactive=true tty=true", "b"),
        ("exec -it web ls -la", "container exec", "interactive=true tty=true", "web ls -la"),
        ("exec web -i", "container exec", "", "web -i"),
        ("rm web -f other", "container rm", "force=true", "web other"),
        ("ps -aq --filter status=exited", "container ls", "all=true filter=status=exited quiet=true", ""),
        ("container list", "container ls", "", ""),
        ("images -q", "image ls", "quiet=true", ""),
        ("build -t x .", "image build", "tag=x", "."),
        ("buildx build -t x -", "image build", "tag=x", "-"),
        ("builder prune -af", "builder prune", "all=true force=true", ""),
        ("-D --host tcp://x ps", "container ls", "", ""),
        ("compose -f a.yml -p x up -d --scale web=2 web", "compose up", "detach=true scale=web=2", "web"),
        ("compose run --rm web sh -c x", "compose run", "rm=true", "web sh -c x"),
        ("compose exec -T db psql -U me", "compose exec", "no-tty=true", "db psql -U me"),
        ("network connect --alias a,b net c", "network connect", "alias=a alias=b", "net c"),
        ("logs -f --tail 5 web", "container logs", "follow=true tail=5", "web"),
        ("top web -ef", "container top", "", "web -ef"),
        ("inspect -f '{{.Name}} {{.Id}}' web", "inspect", "format={{.Name}} {{.Id}}", "web"),
        ("volume create", "volume create", "", ""),
        ("cp - web:/x", "container cp", "", "- web:/x"),
        ("stop -t -1 web", "container stop", "timeout=-1", "web"),
        ("kill -s KILL web", "container kill", "signal=KILL", "web"),
    ] {
        let call = parse(&words(line)).unwrap_or_else(|usage| panic!("{line}: {}", usage.text));
        let given: Vec<String> = call
            .args
            .flags
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")))
            .collect();
        assert_eq!(call.command, command, "{line}");
        assert_eq!(given.join(" "), flags, "{line}");
        assert_eq!(call.args.positionals.join(" "), positionals, "{line}");
    }
}

#[test]
fn flags_before_the_command_are_kept() {
    let call = parse(&words("-c remote compose -p shop --profile a --profile b ps")).expect("parses");
    assert_eq!(call.global.value("context"), Some("remote"));
    assert_eq!(call.global.value("project-name"), Some("shop"));
    assert_eq!(call.global.values("profile"), ["a", "b"]);
    assert_eq!(call.typed, "docker compose ps");
    assert_eq!(parse(&words("container list")).expect("parses").typed, "docker container ls");
    assert_eq!(parse(&words("build .")).expect("parses").typed, "docker buildx build");
}

/// The errors of Docker's client: the line, the first lines of the text, the status.
#[test]
fn lines_that_do_not_parse() {
    let run = "Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'docker run --help' for more information";
    let flag = |problem: &str| format!("{problem}\n\n{run}");
    let whole = |text: &str| text.to_string();
    for (line, text, status) in [
        ("run --nonsense b", flag("unknown flag: --nonsense"), 125),
        ("run --nonsense=x b", flag("unknown flag: --nonsense"), 125),
        ("run -z b", flag("unknown shorthand flag: 'z' in -z"), 125),
        ("run -itzq b", flag("unknown shorthand flag: 'z' in -zq"), 125),
        ("run --name", flag("flag needs an argument: --name"), 125),
        ("run -e", flag("flag needs an argument: 'e' in -e"), 125),
        ("run -ite", flag("flag needs an argument: 'e' in -e"), 125),
        ("run ---x b", flag("bad flag syntax: ---x"), 125),
        ("run --=x b", flag("bad flag syntax: --=x"), 125),
        ("run -m x b", flag("invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'"), 125),
        ("run --shm-size -1x b", flag("invalid argument \"-1x\" for \"--shm-size\" flag: invalid size: '-1x'"), 125),
        (
            "run --cpus x b",
            flag("invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number"),
            125,
        ),
        ("run --ulimit x b", flag("invalid argument \"x\" for \"--ulimit\" flag: invalid ulimit argument: x"), 125),
        (
            "run --mount x b",
            flag("invalid argument \"x\" for \"--mount\" flag: invalid field 'x' must be a key=value pair"),
            125,
        ),
        ("run --mount type= b", flag("invalid argument \"type=\" for \"--mount\" flag: type is required"), 125),
        ("run --mount type=foo b", flag("invalid argument \"type=foo\" for \"--mount\" flag: target is required"), 125),
        (
            "run --blkio-weight x b",
            flag(
                "invalid argument \"x\" for \"--blkio-weight\" flag: strconv.ParseUint: parsing \"x\": invalid syntax",
            ),
            125,
        ),
        (
            "run --health-interval x b",
            flag("invalid argument \"x\" for \"--health-interval\" flag: time: invalid duration \"x\""),
            125,
        ),
        (
            "run --stop-timeout x b",
            flag("invalid argument \"x\" for \"--stop-timeout\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"),
            125,
        ),
        (
            "run --rm=x b",
            flag("invalid argument \"x\" for \"--rm\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"),
            125,
        ),
        ("run -e =x b", flag("invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x"), 125),
        ("run --sysctl x b", flag("invalid argument \"x\" for \"--sysctl\" flag: sysctl 'x' is not allowed"), 125),
        ("run --network a,b=c b", flag("invalid argument \"a,b=c\" for \"--network\" flag: invalid field a"), 125),
        ("run --gpus x=y b", flag("invalid argument \"x=y\" for \"--gpus\" flag: unexpected key 'x' in 'x=y'"), 125),
        (
            "run",
            whole(
                "docker: 'docker run' requires at least 1 argument\n\nUsage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nSee 'docker run --help' for more information",
            ),
            1,
        ),
        (
            "exec a",
            whole(
                "docker: 'docker exec' requires at least 2 arguments\n\nUsage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]\n\nSee 'docker exec --help' for more information",
            ),
            1,
        ),
        (
            "logs a b",
            whole(
                "docker: 'docker logs' requires 1 argument\n\nUsage:  docker logs [OPTIONS] CONTAINER\n\nRun 'docker logs --help' for more information",
            ),
            1,
        ),
        (
            "tag a",
            whole(
                "docker: 'docker tag' requires 2 arguments\n\nUsage:  docker tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\nRun 'docker tag --help' for more information",
            ),
            1,
        ),
        (
            "port",
            whole(
                "docker: 'docker port' requires at least 1 and at most 2 arguments\n\nUsage:  docker port CONTAINER [PRIVATE_PORT[/PROTO]]\n\nRun 'docker port --help' for more information",
            ),
            1,
        ),
        (
            "ps a",
            whole(
                "docker: 'docker ps' accepts no arguments\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information",
            ),
            1,
        ),
        ("nonsense", whole("docker: unknown command: docker nonsense\n\nRun 'docker --help' for more information"), 1),
        (
            "image frobnicate",
            whole(
                "docker: unknown command: docker image frobnicate\n\nUsage:  docker image\n\nRun 'docker image --help' for more information",
            ),
            1,
        ),
        (
            "container --nope",
            whole(
                "unknown flag: --nope\n\nUsage:  docker container\n\nRun 'docker container --help' for more information",
            ),
            125,
        ),
        (
            "--nonsense ps",
            whole(
                "unknown flag: --nonsense\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information",
            ),
            125,
        ),
        (
            "build --nonsense .",
            whole(
                "unknown flag: --nonsense\n\nUsage:  docker buildx build [OPTIONS] PATH | URL | -\n\nRun 'docker buildx build --help' for more information",
            ),
            125,
        ),
        ("help nope", whole("unknown help topic: nope"), 1),
        ("compose up --nope", whole("unknown flag: --nope"), 1),
        (
            "ps --filter bogus",
            whole(
                "invalid argument \"bogus\" for \"-f, --filter\" flag: bad format of filter (expected name=value)\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information",
            ),
            125,
        ),
        // As the client 28 itself answers, with a letter too many.
        (
            "logout a b",
            whole(
                "docker: 'docker logout' requires at most 1 argument\n\nUsage:  docker logout [SERVER]\n\nSRun 'docker logout --help' for more information",
            ),
            1,
        ),
        ("context use", whole("accepts 1 arg(s), received 0"), 1),
        (
            "volume nope",
            whole(
                "docker: unknown command: docker volume nope\n\nUsage:  docker volume COMMAND\n\nRun 'docker volume --help' for more information",
            ),
            1,
        ),
        (
            "plugin create a",
            whole(
                "docker: 'docker plugin create' requires at least 2 arguments\n\nUsage:  docker plugin create [OPTIONS] PLUGIN PLUGIN-DATA-DIR\n\nSee 'docker plugin create --help' for more information",
            ),
            1,
        ),
        ("plugin create a b", whole("engine plugins are not supported: volumes and networks are built in"), 1),
        ("service ls", whole("swarm mode is not supported: this engine runs containers on one machine"), 1),
    ] {
        let usage = parse(&words(line)).expect_err(line);
        assert_eq!(usage.text, text + "\n", "{line}");
        assert_eq!((usage.stream, usage.status), (Stream::Err, status), "{line}");
    }
}

#[test]
fn help_in_the_layout_of_docker() {
    let usage = parse(&words("ps --help")).expect_err("help");
    assert_eq!((usage.stream, usage.status), (Stream::Out, 0));
    assert!(
        usage.text.starts_with("Usage:  docker ps [OPTIONS]\n\nList containers\n\nAliases:\n  docker container ls, ")
    );
    assert!(
        usage.text.contains("\n  -a, --all             Show all containers (default shows just running)\n"),
        "{}",
        usage.text
    );
    assert!(usage.text.contains("\n  -n, --last int        Show n last created containers (includes all\n                        states) (default -1)\n"), "{}", usage.text);
    let group = parse(&words("container")).expect_err("help");
    assert!(group.text.contains("\nCommands:\n  attach      Attach local standard input"), "{}", group.text);
    assert!(group.text.ends_with("\nRun 'docker container COMMAND --help' for more information on a command.\n"));
    assert_eq!(parse(&words("container nope --help")).expect_err("help").text, group.text);
    let rm = parse(&words("manifest rm --help")).expect_err("help");
    assert!(rm.text.contains("\n\nEXPERIMENTAL:\n  docker manifest rm is an experimental feature.\n"), "{}", rm.text);
    assert_eq!(parse(&words("help ps")).expect_err("help"), usage);
    assert!(parse(&words("-v")).expect_err("version").text.starts_with("Docker version 28.5.2, build "));
}

/// A value that a flag of this type takes.
fn sample(flag: &surface::Flag) -> &'static str {
    match (flag.kind, flag.long) {
        ("", _) => "true",
        ("int" | "int64" | "uint" | "uint16" | "uint32" | "uint64" | "decimal", _) => "1",
        ("bytes", _) => "64m",
        ("duration", _) => "1m30s",
        ("filter", _) => "label=a",
        ("stringToString", _) => "host=x",
        ("ulimit", _) => "nofile=1:2",
        ("mount", _) => "type=bind,src=/a,dst=/b,readonly",
        ("gpu-request", _) => "all",
        ("map", "sysctl") => "net.ipv4.ip_forward=1",
        (_, "attach") => "stdout",
        ("network", _) => "back",
        (_, "add-host") => "db:10.0.0.1",
        (_, "dns") => "9.9.9.9",
        (_, "device-cgroup-rule") => "c 1:3 rwm",
        (_, "device-read-bps" | "device-write-bps" | "device-read-iops" | "device-write-iops") => "/dev/sda:1000",
        (_, "dns-search") => "example.com",
        (_, "blkio-weight-device") => "/dev/sda:200",
        ("rate", _) => "10mbit",
        _ => "a=b",
    }
}

/// `run` with a flag and its value, and what Docker's client says of it.
#[test]
fn values_that_are_refused() {
    for (flag, value, why) in [
        ("ulimit", "as=1", "invalid ulimit type: as"),
        ("ulimit", "nofile=1:2:3", "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`"),
        (
            "ulimit",
            "nofile=-1:5",
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 5",
        ),
        ("gpus", "", "EOF"),
        ("gpus", "x", "invalid count (x): value must be either \"all\" or an integer: invalid syntax"),
        (
            "gpus",
            "99999999999999999999",
            "invalid count (99999999999999999999): value must be either \"all\" or an integer: value out of range",
        ),
        ("mount", "\"a", "parse error on line 1, column 3: extraneous or missing \" in quoted-field"),
        ("mount", "a\"b", "parse error on line 1, column 2: bare \" in non-quoted-field"),
        ("dns-search", "a_b", "a_b is not a valid domain"),
        ("memory", "1e400", "strconv.ParseFloat: parsing \"1e400\": value out of range"),
        ("health-interval", "9999999999h", "time: invalid duration \"9999999999h\""),
        ("health-interval", "1.5.5s", "time: missing unit in duration \"1.5.5s\""),
        ("blkio-weight-device", "/dev/x:5000", "invalid weight for device: /dev/x:5000"),
        ("device-read-bps", ":5", "bad format: :5"),
    ] {
        let line: Vec<String> = ["run", &format!("--{flag}={value}"), "b"].map(str::to_string).into();
        let usage = parse(&line).expect_err(flag);
        let short = if flag == "memory" { "-m, " } else { "" };
        let first = format!("invalid argument {value:?} for \"{short}--{flag}\" flag: {why}");
        assert_eq!((usage.text.lines().next(), usage.status), (Some(first.as_str()), 125));
    }
    for line in ["ps --filter=", "run --ulimit core=-1 --dns-search . --dns-search example.com b", "-l warn ps"] {
        assert!(parse(&words(line)).is_ok(), "{line}");
    }
    let level = parse(&words("-l loud ps")).expect_err("a level");
    assert_eq!((level.text.as_str(), level.status), ("Unable to parse logging level: loud\n", 1));
}

#[test]
fn every_command_has_help_and_takes_every_flag() {
    for definition in surface::all() {
        for path in &definition.paths {
            let own: Vec<String> = path.split(' ').skip(1).map(str::to_string).collect();
            let mut help = own.clone();
            help.push("--help".into());
            let usage = parse(&help).expect_err(path);
            assert_eq!(usage.status, 0, "{path}: {}", usage.text);
            for flag in &definition.flags {
                if definition.group || flag.long == "help" {
                    continue;
                }
                let mut line = own.clone();
                line.push(format!("--{}={}", flag.long, sample(flag)));
                if let Some(short) = flag.short {
                    line.push(format!("-{short}={}", sample(flag)));
                }
                line.extend(vec!["x".to_string(); definition.least]);
                match parse(&line) {
                    Ok(call) => assert!(call.args.given(flag.long), "{line:?}"),
                    // What is not supported is refused after its flags were understood.
                    Err(usage) => assert!(usage.text.contains("not supported"), "{line:?}: {}", usage.text),
                }
            }
        }
    }
}
