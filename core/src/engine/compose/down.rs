//! `docker compose down` and `rm`: what `up` made goes again.

use super::App;
use super::app::{LABEL, Member};
use crate::cli::Args;
use crate::compose::text;
use crate::engine::image::matching;
use crate::engine::{Error, Result, network, volume};
use crate::name::Reference;
use crate::network::NetworkRecord;
use crate::view::filter::Filters;
use crate::volume::VolumeRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::Value;

impl<W: World> App<'_, W> {
    /// Whether a service goes when these do: it is one of them, or depends on one.
    fn ends_with(&self, names: &[String], service: &str) -> bool {
        let mut needed = vec![service.to_string()];
        let mut at = 0;
        while at < needed.len() {
            if names.contains(&needed[at]) {
                return true;
            }
            let more = crate::compose::dependencies(&self.project, &needed[at]);
            let more: Vec<String> = more.keys().map(|n| (*n).to_string()).filter(|n| !needed.contains(n)).collect();
            needed.extend(more);
            at += 1;
        }
        false
    }

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
    pub(super) async fn take_down(&self, members: &[Member], timeout: Option<i64>, volumes: bool) -> Result<()> {
        let work = members.iter().map(|member| {
            Box::pin(async move {
                let one = std::slice::from_ref(member);
                Box::pin(self.stop_all(one, timeout)).await?;
                Box::pin(self.remove_all(one, volumes)).await
            }) as crate::engine::race::Work<'_, Result<()>>
        });
        crate::engine::race::together(work.collect()).await.into_iter().collect()
    }
}

pub(super) async fn down<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let (timeout, volumes, some) = (args.number("timeout"), args.flag("volumes"), !args.positionals.is_empty());
    let remove_orphans = args.flag("remove-orphans") || app.settings.is_on(app.ctx, "COMPOSE_REMOVE_ORPHANS");
    let orphans = app.orphans().await?;
    let mut members = app.everyone().await?;
    members.retain(|m| {
        let orphan = orphans.iter().any(|o| o.record.id == m.record.id);
        let ends = !some || app.ends_with(&args.positionals, &m.service);
        if orphan { remove_orphans } else { ends && (remove_orphans || !m.one_off) }
    });
    let mut acted = !members.is_empty();
    for group in app.last_first(members)? {
        Box::pin(app.take_down(&group, timeout, volumes)).await?;
    }
    acted |= Box::pin(networks(app)).await?;
    if let Some(which) = args.value("rmi").filter(|w| !w.is_empty()) {
        acted |= Box::pin(images(app, which, remove_orphans)).await?;
    }
    if volumes {
        acted |= Box::pin(remove_volumes(app)).await?;
    }
    // What the files have may have been there.
    let named = |part: &BTreeMap<String, Value>| part.iter().any(|(_, item)| item.get("external").is_none());
    let listed = named(&app.project.networks) || (volumes && named(&app.project.volumes));
    if !acted && !listed {
        let text = format!("Warning: No resource found to remove for project {:?}.", app.project.name);
        super::open::warn(app.ctx, &text).await;
    }
    Ok(0)
}

/// Whether a network or a volume is one of the project's: of its files where there are any, else by its label.
fn is_own<W: World>(
    app: &App<'_, W>,
    part: &BTreeMap<String, Value>,
    kind: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> bool {
    let label = |key: &str| labels.get(&format!("{LABEL}.{key}"));
    let labelled = label("project") == Some(&app.project.name);
    if app.all {
        return labelled;
    }
    // A volume goes by its name alone.
    let ours = |key: &String| kind == "volume" || (labelled && label(kind) == Some(key));
    let named = |item: &Value| item.get("external").is_none() && item.get("name").map(text).as_deref() == Some(name);
    part.iter().any(|(key, item)| ours(key) && named(item))
}

async fn networks<W: World>(app: &App<'_, W>) -> Result<bool> {
    let mut acted = false;
    for record in app.ctx.world().list::<NetworkRecord>()? {
        if !is_own(app, &app.project.networks, "network", &record.name, &record.labels) {
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
        if !is_own(app, &app.project.volumes, "volume", &record.name, &record.labels) {
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

/// The images that `--rmi` takes: those that the builds of the project have left, those by the names that Compose makes
/// up, and with `all` those that the services name.
fn images_to_remove<W: World>(app: &App<'_, W>, which: &str, orphans: bool) -> Result<Vec<String>> {
    if which != "local" && which != "all" {
        return Err(Error::Client(format!("unsupported image prune mode: {which}")));
    }
    let mut names = Vec::new();
    let label = format!("label={LABEL}.project={}", app.project.name);
    let built = Filters::parse(&[label, "dangling=false".into()]);
    for one in matching(app.ctx, &built, false)? {
        let labels = one.image.config.labels.unwrap_or_default();
        let service = labels.get(&format!("{LABEL}.service"));
        if orphans || service.is_some_and(|s| app.project.services.contains_key(s)) {
            names.extend(one.tags.first().map(|t| t.familiar()));
        }
    }
    for (name, service) in &app.project.services {
        let own = service.get("image").map(text);
        if which == "all" || own.is_none() {
            let image = own.map_or_else(|| app.image_of(name), Ok)?;
            if crate::engine::image::lookup(app.ctx, &image)?.is_some() {
                names.push(Reference::parse(&image).map_or(image, |r| r.with_default_tag().familiar()));
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

async fn images<W: World>(app: &App<'_, W>, which: &str, orphans: bool) -> Result<bool> {
    let mut acted = false;
    for image in images_to_remove(app, which, orphans)? {
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
    let mut members = app.members(&args.positionals).await?;
    if args.flag("stop") {
        app.board.phase("Stopping");
        for group in app.last_first(members.clone())? {
            Box::pin(app.stop_all(&group, None)).await?;
        }
    } else {
        members.retain(|m| !m.record.is_running());
    }
    app.board.phase("Removing");
    if members.is_empty() {
        app.ctx.warn("No stopped containers\n").await;
        return Ok(0);
    }
    let names: Vec<&str> = members.iter().map(Member::name).collect();
    let told = format!("Going to remove {}", names.join(", "));
    if args.flag("force") {
        app.ctx.print(told + "\n").await;
    } else if !app.confirm(&told).await? {
        return Ok(0);
    }
    Box::pin(app.remove_all(&members, args.flag("volumes"))).await?;
    Ok(0)
}
