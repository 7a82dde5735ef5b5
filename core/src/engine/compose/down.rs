//! `docker compose down` and `rm`: what `up` made goes again.

use super::App;
use super::app::Member;
use super::together::together;
use crate::cli::Args;
use crate::compose::text;
use crate::engine::{Error, Result, network, volume};
use crate::network::NetworkRecord;
use crate::volume::VolumeRecord;
use crate::world::World;
use std::pin::Pin;

impl<W: World> App<'_, W> {
    /// Removes stopped containers.
    pub(super) async fn remove_all(&self, members: &[Member], volumes: bool) -> Result<()> {
        for member in members {
            self.progress("Container", member.name(), "Removing").await;
            Box::pin(self.remove_one(&member.record.id, volumes)).await?;
            self.progress("Container", member.name(), "Removed").await;
        }
        Ok(())
    }

    /// Stops and removes these containers side by side.
    async fn take_down(&self, members: &[Member], timeout: Option<i64>, volumes: bool) -> Result<()> {
        let work = members.iter().map(|member| {
            Box::pin(async move {
                let one = std::slice::from_ref(member);
                Box::pin(self.stop_all(one, timeout)).await?;
                Box::pin(self.remove_all(one, volumes)).await
            }) as Pin<Box<dyn Future<Output = Result<()>>>>
        });
        together(work.collect()).await.into_iter().collect()
    }
}

pub(super) async fn down<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let (timeout, volumes, some) = (args.number("timeout"), args.flag("volumes"), !args.positionals.is_empty());
    let remove_orphans = args.flag("remove-orphans") || app.settings.is_on(app.ctx, "COMPOSE_REMOVE_ORPHANS");
    let mut everyone = app.everyone().await?;
    let orphans = app.orphans().await?;
    everyone.retain(|m| {
        let orphan = orphans.iter().any(|o| o.record.id == m.record.id);
        (!orphan || remove_orphans) && (!some || args.positionals.contains(&m.service))
    });
    let mut acted = !everyone.is_empty();
    for group in app.last_first(everyone)? {
        Box::pin(app.take_down(&group, timeout, volumes)).await?;
    }
    if some {
        return Ok(0);
    }
    acted |= Box::pin(networks(app)).await?;
    if volumes {
        acted |= Box::pin(remove_volumes(app)).await?;
    }
    if let Some(which) = args.value("rmi").filter(|w| !w.is_empty()) {
        acted |= Box::pin(images(app, which)).await?;
    }
    if !acted {
        let text = format!("Warning: No resource found to remove for project {:?}.", app.project.name);
        super::open::warn(app.ctx, &text).await;
    }
    Ok(0)
}

async fn networks<W: World>(app: &App<'_, W>) -> Result<bool> {
    let mut acted = false;
    for record in app.ctx.world().list::<NetworkRecord>()? {
        if record.labels.get("com.docker.compose.project") != Some(&app.project.name) {
            continue;
        }
        acted = true;
        app.progress("Network", &record.name, "Removing").await;
        let removed = if app.board.dry { Ok(()) } else { Box::pin(network::remove(app.ctx, &record)).await };
        match removed {
            Ok(()) => app.progress("Network", &record.name, "Removed").await,
            Err(Error::Daemon(text)) if text.contains("active endpoints") => {
                app.progress("Network", &record.name, "Resource is still in use").await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(acted)
}

async fn remove_volumes<W: World>(app: &App<'_, W>) -> Result<bool> {
    let mut acted = false;
    for record in app.ctx.world().list::<VolumeRecord>()? {
        if record.labels.get("com.docker.compose.project") != Some(&app.project.name) {
            continue;
        }
        acted = true;
        app.progress("Volume", &record.name, "Removing").await;
        let removed = if app.board.dry { Ok(()) } else { Box::pin(volume::remove(app.ctx, &record)).await };
        match removed {
            Ok(()) => app.progress("Volume", &record.name, "Removed").await,
            Err(Error::Daemon(text)) if text.contains("in use") => {
                app.progress("Volume", &record.name, "Resource is still in use").await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(acted)
}

/// `--rmi local` takes the images that have no name of their own, `all` every one.
async fn images<W: World>(app: &App<'_, W>, which: &str) -> Result<bool> {
    if !matches!(which, "local" | "all") {
        return Err(Error::Client(format!("invalid value for --rmi: {which:?}")));
    }
    let mut acted = false;
    for (name, service) in &app.project.services {
        let own = service.get("image").map(text);
        if which == "local" && own.is_some() {
            continue;
        }
        let image = own.map_or_else(|| app.image_of(name), Ok)?;
        if crate::engine::image::lookup(app.ctx, &image)?.is_none() {
            continue;
        }
        acted = true;
        app.progress("Image", &image, "Removing").await;
        match app.board.dry {
            true => app.progress("Image", &image, "Removed").await,
            false => match Box::pin(super::run::docker(app, &["rmi", &image], false)).await {
                Ok(_) => app.progress("Image", &image, "Removed").await,
                Err(Error::Daemon(text)) if text.contains("conflict") => {
                    app.progress("Image", &image, "Resource is still in use").await;
                }
                Err(Error::Status(_)) => app.progress("Image", &image, "Resource is still in use").await,
                Err(error) => return Err(error),
            },
        }
    }
    Ok(acted)
}

pub(super) async fn rm<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut members = app.everyone().await?;
    members.retain(|m| args.positionals.is_empty() || args.positionals.contains(&m.service));
    if args.flag("stop") {
        Box::pin(app.stop_all(&members.iter().filter(|m| m.record.is_running()).cloned().collect::<Vec<_>>(), None))
            .await?;
    } else {
        members.retain(|m| !m.record.is_running());
    }
    app.board.phase("Removing");
    if members.is_empty() {
        app.ctx.warn("No stopped containers\n").await;
        return Ok(0);
    }
    if !args.flag("force") {
        let names: Vec<&str> = members.iter().map(Member::name).collect();
        let question = format!("Going to remove {}\nAre you sure?", names.join(", "));
        if !crate::engine::system::confirm(app.ctx, &question).await {
            return Ok(0);
        }
    }
    Box::pin(app.remove_all(&members, args.flag("volumes"))).await?;
    Ok(0)
}
