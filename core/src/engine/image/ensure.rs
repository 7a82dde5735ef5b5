//! Having an image at hand before a container is made of it, pulled where it is missing.

use super::find::{lookup, no_such_image};
use super::progress::Progress;
use super::pull::{mismatch, pull_one, wanted};
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::image::wire::Platform;
use crate::name::Reference;
use crate::world::{Stream, World};

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
///
/// # Errors
/// In Docker's words: a name that can't be one as the client has it, everything else as the daemon does.
pub async fn ensure<W: World>(
    ctx: &Ctx<W>,
    name: &str,
    policy: PullPolicy,
    platform: Option<&str>,
    quiet: bool,
) -> Result<ImageRecord> {
    have(ctx, name, policy, platform, Some(quiet)).await
}

/// The same, saying nothing.
pub async fn ensure_quietly<W: World>(
    ctx: &Ctx<W>,
    name: &str,
    policy: PullPolicy,
    platform: Option<&str>,
) -> Result<ImageRecord> {
    have(ctx, name, policy, platform, None).await
}

/// `quiet` is `None` where nothing is said at all.
async fn have<W: World>(
    ctx: &Ctx<W>,
    name: &str,
    policy: PullPolicy,
    platform: Option<&str>,
    quiet: Option<bool>,
) -> Result<ImageRecord> {
    let is_id = crate::name::is_full_id(name.strip_prefix("sha256:").unwrap_or(name));
    let reference = Reference::parse(name);
    if let (Err(error), false) = (&reference, is_id) {
        return Err(Error::Client(error.to_string()));
    }
    let asked = match platform {
        Some(text) => {
            Some(Platform::parse(text).map_err(|e| Error::Client(format!("error parsing specified platform: {e}")))?)
        }
        None => None,
    };
    let other = |image: &ImageRecord| asked.as_ref().and_then(|asked| mismatch(name, image, asked));
    let here = lookup(ctx, name)?.filter(|image| policy == PullPolicy::Never || other(image).is_none());
    let reference = match (here, policy, reference) {
        (Some(image), PullPolicy::Missing | PullPolicy::Never, _) => {
            return other(&image).map_or(Ok(image), |why| Err(Error::Daemon(why)));
        }
        (None, PullPolicy::Never, _) | (None, _, Err(_)) => return Err(no_such_image(name)),
        (Some(image), PullPolicy::Always, Err(_)) => return Ok(image),
        (None, _, Ok(reference)) => {
            let reference = reference.with_default_tag();
            if policy == PullPolicy::Missing && quiet.is_some() {
                ctx.warn(format!("Unable to find image '{}' locally\n", reference.familiar())).await;
            }
            reference
        }
        (Some(_), PullPolicy::Always, Ok(reference)) => reference.with_default_tag(),
    };
    let out = Progress::new(ctx, (quiet == Some(false)).then_some(Stream::Err));
    pull_one(ctx, &reference, &wanted(ctx, platform)?, &out).await?;
    let image = lookup(ctx, name)?.ok_or_else(|| no_such_image(name))?;
    other(&image).map_or(Ok(image), |why| Err(Error::Daemon(why)))
}
