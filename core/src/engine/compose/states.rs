//! `start`, `stop`, `restart`, `kill`, `pause`, `unpause` and `wait`: states of containers that are there.

use super::App;
use super::app::Member;
use crate::cli::Args;
use crate::engine::{Error, Result};
use crate::world::World;
use std::time::Duration;

impl<W: World> App<'_, W> {
    /// Stops these containers side by side.
    pub(super) async fn stop_all(&self, members: &[Member], timeout: Option<i64>) -> Result<()> {
        let work = members.iter().map(|member| {
            Box::pin(async move {
                self.progress("Container", member.name(), "Stopping").await;
                if member.record.is_running() {
                    Box::pin(self.hooks(member, "pre_stop", None)).await?;
                }
                Box::pin(self.stop_one(&member.record, timeout)).await?;
                self.progress("Container", member.name(), "Stopped").await;
                Ok(())
            }) as crate::engine::race::Work<'_, Result<()>>
        });
        crate::engine::race::together(work.collect()).await.into_iter().collect()
    }

    /// These containers in groups: first those that nobody else depends on.
    pub(super) fn last_first(&self, members: Vec<Member>) -> Result<Vec<Vec<Member>>> {
        let mut left = self.order()?;
        let mut groups = vec![members.iter().filter(|m| !left.contains(&m.service)).cloned().collect::<Vec<_>>()];
        while !left.is_empty() {
            let needed: Vec<&str> =
                left.iter().flat_map(|s| crate::compose::dependencies(&self.project, s).into_keys()).collect();
            let (later, now): (Vec<String>, Vec<String>) =
                left.iter().cloned().partition(|s| needed.contains(&s.as_str()));
            groups.push(members.iter().filter(|m| now.contains(&m.service)).cloned().collect());
            left = later;
        }
        groups.retain(|g| !g.is_empty());
        Ok(groups)
    }
}

pub(super) async fn start<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let services = app.with_dependencies(&args.positionals, true)?;
    let mut everyone = app.everyone().await?;
    everyone.retain(|m| !m.one_off);
    if everyone.is_empty()
        && let Some(service) = services.first()
    {
        return Err(Error::Client(format!("service {service:?} has no container to start")));
    }
    Box::pin(app.start_services(&services, None, None)).await?;
    Ok(0)
}

pub(super) async fn stop<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    app.board.phase("Stopping");
    let members = app.members(&args.positionals).await?;
    for group in app.last_first(members)? {
        Box::pin(app.stop_all(&group, args.number("timeout"))).await?;
    }
    Ok(0)
}

pub(super) async fn restart<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    app.board.phase("Restarting");
    let mut services = args.positionals.clone();
    if !args.flag("no-deps") && !services.is_empty() {
        services.extend(app.restarted_with(&services));
    }
    Box::pin(app.restart_services(&services, args.number("timeout"))).await?;
    Ok(0)
}

impl<W: World> App<'_, W> {
    /// Stops and starts the containers of these services, or of all.
    pub(super) async fn restart_services(&self, services: &[String], timeout: Option<i64>) -> Result<()> {
        let members = self.members(services).await?;
        let mut order = self.order()?;
        order.retain(|s| services.is_empty() || services.contains(s));
        for service in &order {
            Box::pin(self.wait_for_dependencies(service, None, Some(&order))).await?;
            let own = members.iter().filter(|m| m.service == *service);
            let work = own.map(|m| Box::pin(self.restart_one(m, timeout)) as crate::engine::race::Work<'_, Result<()>>);
            crate::engine::race::together(work.collect()).await.into_iter().collect::<Result<()>>()?;
        }
        Ok(())
    }

    async fn restart_one(&self, member: &Member, timeout: Option<i64>) -> Result<()> {
        if member.record.is_running() {
            Box::pin(self.hooks(member, "pre_stop", None)).await?;
        }
        self.progress("Container", member.name(), "Restarting").await;
        Box::pin(self.stop_one(&member.record, timeout)).await?;
        Box::pin(self.start_one(&member.record.id)).await?;
        self.progress("Container", member.name(), "Started").await;
        Box::pin(self.hooks(member, "post_start", None)).await
    }
}

pub(super) async fn kill<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut members = app.anyone(&args.positionals).await?;
    let known = |m: &Member| args.flag("remove-orphans") || app.project.services.contains_key(&m.service);
    members.retain(|m| m.record.is_running() && known(m));
    if members.is_empty() {
        app.ctx.warn("no container to kill").await;
        return Ok(0);
    }
    app.board.phase("Killing");
    for member in &members {
        app.progress("Container", member.name(), "Killing").await;
        let signal = args.value("signal").unwrap_or("SIGKILL");
        if !app.board.dry {
            Box::pin(super::run::docker(app, &["kill", "--signal", signal, &member.record.id], false)).await?;
        }
        app.progress("Container", member.name(), "Killed").await;
    }
    Ok(0)
}

pub(super) async fn pause<W: World>(app: &App<'_, W>, args: &Args, paused: bool) -> Result<i32> {
    for member in app.members(&args.positionals).await? {
        if !member.record.is_running() {
            continue;
        }
        if !app.board.dry {
            let word = if paused { "pause" } else { "unpause" };
            let (result, told) = Box::pin(super::run::docker_captured(app, &[word, &member.record.id])).await;
            if !matches!(result, Ok(0)) {
                app.ctx.warn(told).await;
                return result.and(Err(Error::Status(1)));
            }
        }
        app.progress("Container", member.name(), if paused { "Paused" } else { "Unpaused" }).await;
    }
    Ok(0)
}

/// Waits until all of them have ended; the exit code of the last.
pub(super) async fn wait<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut left = app.anyone(&args.positionals).await?;
    left.retain(|m| m.record.is_running());
    if left.is_empty() {
        return Err(Error::Client(format!("no containers for project {:?}", app.project.name)));
    }
    let mut last = 0;
    while !left.is_empty() {
        let mut still = Vec::new();
        for member in left {
            match app.current(&member.record.id) {
                Ok(record) if record.is_running() => still.push(member),
                Ok(record) => {
                    last = record.state.exit_code;
                    let text = format!("container {:?} exited with status code {last}\n", record.id);
                    app.ctx.print(text).await;
                }
                Err(_) => {}
            }
        }
        left = still;
        if !left.is_empty() {
            app.ctx.world().record_change(Duration::from_millis(500)).await;
        }
    }
    if args.flag("down-project") {
        let mut down = Args::default();
        down.flags.insert("remove-orphans".into(), vec!["true".into()]);
        Box::pin(super::down::down(app, &down)).await?;
    }
    Ok(last)
}
