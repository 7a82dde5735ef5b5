//! The instructions, as types.

use super::heredoc::Heredoc;

/// An instruction and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    pub instruction: Instruction,
    /// As typed, continuations joined: `COPY a.txt .`.
    pub text: String,
    /// The comments right above it.
    pub comments: Vec<String>,
    /// Counted from 1.
    pub first: usize,
    pub last: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    /// Names, with their default where they have one.
    Arg(Vec<(String, Option<String>)>),
    /// Keys and values, not yet expanded.
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Maintainer(String),
    Copy(Copying),
    Add(Copying),
    Run(RunStep),
    Cmd(Command),
    Entrypoint(Command),
    /// As typed: `80`, `53/udp`, `8000-8010`.
    Expose(String),
    Volume(Vec<String>),
    User(String),
    Workdir(String),
    /// The instruction that it keeps for later, as typed.
    Onbuild(String),
    Stopsignal(String),
    Healthcheck(Health),
    Shell(Vec<String>),
}

/// What to run: given to a shell, or as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Shell(String),
    Exec(Vec<String>),
}

/// `COPY` and `ADD`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copying {
    pub sources: Vec<Source>,
    pub target: String,
    /// A stage, an image or a named context.
    pub from: Option<String>,
    pub chown: Option<String>,
    pub chmod: Option<String>,
    pub link: bool,
    pub parents: bool,
    pub exclude: Vec<String>,
    /// `ADD --checksum`.
    pub checksum: Option<String>,
    /// `ADD --unpack`: `None` decides by the source.
    pub unpack: Option<bool>,
    pub keep_git_dir: bool,
}

/// What to copy.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Path(String),
    Inline(Heredoc),
}

#[derive(Clone, Debug, PartialEq)]
pub struct RunStep {
    pub command: Command,
    pub heredocs: Vec<Heredoc>,
    pub mounts: Vec<MountFlag>,
    pub network: Network,
    /// `--security=insecure`.
    pub insecure: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    #[default]
    Default,
    None,
    Host,
}

/// `RUN --mount` as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct MountFlag {
    pub text: String,
    /// The stage or image that it names: no variable is replaced in that.
    pub from: Option<String>,
}

/// What a `RUN --mount` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    pub kind: MountKind,
    pub target: String,
    pub read_only: bool,
}

/// Who may use a cache while a step does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// Nobody: others get one of their own.
    Private,
    /// Nobody: others wait.
    Locked,
}

/// `owner` is mode, user and group.
#[derive(Clone, Debug, PartialEq)]
pub enum MountKind {
    /// From a stage, an image or the context (`None`).
    Bind {
        from: Option<String>,
        source: String,
    },
    Cache {
        id: String,
        sharing: Sharing,
        from: Option<String>,
        source: String,
        owner: (u32, u32, u32),
    },
    Tmpfs {
        size: Option<u64>,
    },
    /// Fails without the secret if `required`. `env` puts it into a variable.
    Secret {
        id: String,
        required: bool,
        env: Option<String>,
        owner: (u32, u32, u32),
    },
    Ssh {
        id: String,
        required: bool,
    },
}

/// `HEALTHCHECK`. Times in nanoseconds; zero where none was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// `None` is `HEALTHCHECK NONE`.
    pub command: Option<Command>,
    pub interval: u64,
    pub timeout: u64,
    pub start_period: u64,
    pub start_interval: u64,
    pub retries: u32,
}

impl Instruction {
    /// In capitals, as `COPY`.
    pub fn keyword(&self) -> &'static str {
        match self {
            Instruction::Arg(_) => "ARG",
            Instruction::Env(_) => "ENV",
            Instruction::Label(_) => "LABEL",
            Instruction::Maintainer(_) => "MAINTAINER",
            Instruction::Copy(_) => "COPY",
            Instruction::Add(_) => "ADD",
            Instruction::Run(_) => "RUN",
            Instruction::Cmd(_) => "CMD",
            Instruction::Entrypoint(_) => "ENTRYPOINT",
            Instruction::Expose(_) => "EXPOSE",
            Instruction::Volume(_) => "VOLUME",
            Instruction::User(_) => "USER",
            Instruction::Workdir(_) => "WORKDIR",
            Instruction::Onbuild(_) => "ONBUILD",
            Instruction::Stopsignal(_) => "STOPSIGNAL",
            Instruction::Healthcheck(_) => "HEALTHCHECK",
            Instruction::Shell(_) => "SHELL",
        }
    }
}
