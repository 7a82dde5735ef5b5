//! Why an act or a question failed. The engine turns these into Docker's words at its edge.

use cutaway_userland::Errno;
use std::fmt;

/// What went wrong in a world: what kind, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The kernel refused: its error number, and what it was asked to do, as `mount overlay on /`.
    Errno { errno: Errno, what: String },
    /// Content did not have the digest it was announced with.
    Digest { expected: String, actual: String },
    /// An archive's entry that must not be unpacked: its name, and why.
    Hostile { entry: String, reason: String },
    /// An archive or a stored record that can't be read: which, and why.
    Malformed { what: String, reason: String },
    /// A peer could not be reached or did not answer properly.
    Network { host: String, reason: String },
    /// This world can't do that; the sentence says why.
    Unsupported(String),
    /// The person who steps through the command ended it.
    Interrupted,
    /// A failure that a test asked for.
    Injected { step: u64 },
}

impl Fault {
    pub fn errno(errno: Errno, what: impl Into<String>) -> Fault {
        Fault::Errno { errno, what: what.into() }
    }

    /// The kernel's error number, where there is one.
    pub fn number(&self) -> Option<Errno> {
        match self {
            Fault::Errno { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Errno { errno, what } => write!(f, "{what}: {}", errno.text().to_lowercase()),
            Fault::Digest { expected, actual } => write!(f, "content has digest {actual}, expected {expected}"),
            Fault::Hostile { entry, reason } => write!(f, "refusing archive entry {entry:?}: {reason}"),
            Fault::Malformed { what, reason } => write!(f, "{what}: {reason}"),
            Fault::Network { host, reason } => write!(f, "{host}: {reason}"),
            Fault::Unsupported(why) => f.write_str(why),
            Fault::Interrupted => f.write_str("interrupted"),
            Fault::Injected { step } => write!(f, "injected failure at step {step}"),
        }
    }
}

impl std::error::Error for Fault {}
