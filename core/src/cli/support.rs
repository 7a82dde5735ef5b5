//! How far each command is carried out. What is not done at all is refused with a reason instead of failing in some
//! other way; what is done in part says what is missing. `COMMANDS.md` is made from this.

use super::surface;

/// How far a command is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// In both worlds, as Docker does it.
    Whole,
    /// In both worlds, but for what this says.
    Partly(&'static str),
    /// Understood, and answered with this line.
    Refused(&'static str),
}

/// How far a canonical command is carried out.
pub fn support(command: &str) -> Support {
    match (refusal(command), gap(command)) {
        (Some(reason), _) => Support::Refused(reason),
        (None, Some(gap)) => Support::Partly(gap),
        (None, None) => Support::Whole,
    }
}

/// Groups of commands that the table does not hold, because they are of no use without a swarm.
pub(super) const SWARM_GROUPS: [&str; 6] = ["config", "node", "secret", "service", "stack", "swarm"];

/// Why a canonical command is not supported; `None` where it is.
pub(super) fn refusal(command: &str) -> Option<&'static str> {
    let mut words = command.split(' ');
    match (words.next()?, words.next().unwrap_or("")) {
        ("config" | "node" | "secret" | "service" | "stack" | "swarm", _) => {
            Some("swarm mode is not supported: this engine runs containers on one machine")
        }
        ("plugin", _) => Some("engine plugins are not supported: volumes and networks are built in"),
        ("checkpoint", _) => Some("checkpoints are not supported: a process can't be frozen to disk here"),
        ("trust", _) => Some("content trust is not supported: images are identified by their digests only"),
        ("compose", "bridge") => Some("compose bridge is not supported"),
        ("compose", "publish") => Some("publishing a compose application is not supported"),
        ("buildx", "history") => match words.next() {
            Some("import" | "open" | "export" | "trace") => {
                Some("bundles of build records are not supported: there is no Docker Desktop that could show them")
            }
            Some("inspect") if words.next().is_some() => Some("attestations are not supported: builds have none here"),
            _ => None,
        },
        ("buildx", "dial-stdio" | "create" | "rm" | "stop") => {
            Some("there is one builder here, the engine's own; other builders are not supported")
        }
        _ => None,
    }
}

/// What is missing of a command that is supported.
fn gap(command: &str) -> Option<&'static str> {
    Some(match command {
        "container create" | "container run" => "no GPUs; volumes of the driver `local` only",
        "image build" | "buildx build" => {
            "one platform; `--ssh` forwards agents, and on Linux key files; the cache of steps is the engine's own: \
             nothing of it goes into images (`--cache-to type=inline`), and `--cache-from` reads nothing; `--metadata-file` has no provenance"
        }
        "image pull" | "image push" => "one platform at a time",
        "network create" => {
            "drivers `bridge`, `macvlan` and `ipvlan`; clusters (`overlay`, `--ingress`, `--scope swarm`) are refused as without a swarm"
        }
        "volume create" => "`local` is the only driver; of `type=tmpfs` each container has its own",
        "volume update" => "there are no volumes of clusters, which alone can be updated",
        "context create" | "context update" => {
            "engines are reached over `ssh://` and, in the simulator, over `tcp://`; on Linux `tcp://` is refused when it is used"
        }
        "buildx history logs" => "`--progress=rawjson` is refused",
        "buildx history ls" => "`--local` is refused",
        "buildx bake" => {
            "bake files are read here, not at addresses; targets are built one after another, each for one platform"
        }
        "compose build" => {
            "services are built one after another, each for one platform; `--sbom` and `--provenance` add nothing"
        }
        "compose config" => {
            "`--no-interpolate` prints the model in canonical form, and refuses ports with variables in them"
        }
        _ => return None,
    })
}

/// Every command and how far it is carried out, as a document.
pub fn document() -> String {
    let mut text = format!(
        "# Commands\n\n\
         The command line is that of Docker {}, with buildx {} and Compose {}: every command and flag is parsed as there,\n\
         in the page and on Linux. This says how far each is carried out. It is made from the table in\n\
         `core/src/cli/support.rs`; a test keeps the two equal.\n\n\
         The simulator has `docker-machine`, too. `--network-rate`, which limits what a container sends and receives, is\n\
         Cutaway's own.\n\n| command | what it does | how far |\n| --- | --- | --- |\n",
        super::DOCKER_VERSION,
        super::BUILDX_VERSION,
        super::COMPOSE_VERSION
    );
    for command in surface::commands() {
        let far = match support(command) {
            Support::Whole => "all of it".to_string(),
            Support::Partly(gap) => format!("all but this: {gap}"),
            Support::Refused(reason) => format!("not at all: {reason}"),
        };
        let about = surface::help_line(command).unwrap_or_default();
        text += &format!("| `{command}` | {} | {} |\n", about.replace('|', "\\|"), far.replace('|', "\\|"));
    }
    text
}
