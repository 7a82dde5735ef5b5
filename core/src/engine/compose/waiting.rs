//! Waiting for what other services are to be first: healthy, or done.

use super::App;
use super::app::Member;
use crate::compose::{self, text};
use crate::container::{HealthStatus, Status};
use crate::engine::{Error, Result};
use crate::world::World;
use serde_json::Value;
use std::time::Duration;

impl<W: World> App<'_, W> {
    /// Waits until what a service depends on is as it wants it; only for those `restarted` with it, where these are
    /// given.
    pub(super) async fn wait_for_dependencies(
        &self,
        service: &str,
        limit: Option<Duration>,
        restarted: Option<&[String]>,
    ) -> Result<()> {
        let dependencies = compose::dependencies(&self.project, service);
        let mut waiting = Vec::new();
        for (name, how) in dependencies {
            let restarts = how.get("restart") == Some(&Value::Bool(true));
            if restarted.is_some_and(|all| !restarts || !all.iter().any(|s| s == name)) {
                continue;
            }
            let condition = how.get("condition").map(text).unwrap_or_default();
            if condition == "service_started" {
                continue;
            }
            let required = how.get("required") != Some(&Value::Bool(false));
            let members = self.members(&[name.to_string()]).await?;
            let replicas = |s: &Value| s.get("replicas").and_then(Value::as_i64) == Some(0);
            if self.service(name)?.get("deploy").is_some_and(replicas) {
                continue;
            }
            if members.is_empty() && required {
                return Err(Error::Client(format!("{service} is missing dependency {name}")));
            }
            if members.is_empty() {
                super::open::warn(self.ctx, &format!("{service} is missing dependency {name}")).await;
            }
            for member in members {
                self.progress("Container", member.name(), "Waiting").await;
                waiting.push((member, condition.clone(), required));
            }
        }
        for (member, condition, required) in waiting {
            let completed = condition == "service_completed_successfully";
            let waited = match completed {
                true => self.wait_completed(&member, limit).await,
                false => self.wait_healthy(&member, limit, true).await,
            };
            let error = match waited {
                Ok(state) => {
                    self.progress("Container", member.name(), state).await;
                    continue;
                }
                Err(error) => error,
            };
            let dependency = &member.service;
            let reason = error.render("");
            if !required {
                let text = match completed {
                    true => format!("optional dependency {}", reason.trim_start_matches("service ")),
                    false => format!("optional dependency {dependency:?} failed to start"),
                };
                self.progress("Container", member.name(), &format!("Skipped: {text}")).await;
                let text = if completed { text } else { format!("{text}: {reason}") };
                super::open::warn(self.ctx, &text).await;
                continue;
            }
            if completed {
                self.progress("Container", member.name(), &reason).await;
                return Err(error);
            }
            self.progress("Container", member.name(), "Error").await;
            return Err(Error::Client(format!("dependency failed to start: {reason}")));
        }
        Ok(())
    }

    /// Waits until a container is healthy; one without a health check must run, unless `checked`.
    pub(super) async fn wait_healthy(
        &self,
        member: &Member,
        limit: Option<Duration>,
        checked: bool,
    ) -> Result<&'static str> {
        let end = limit.map(|l| self.ctx.world().now() + l);
        loop {
            let record = self.current(&member.record.id)?;
            if self.board.dry {
                return Ok("Healthy");
            }
            let name = &record.name;
            if !record.is_running() && record.state.status != Status::Created {
                return Err(Error::Client(format!("container {name} exited ({})", record.state.exit_code)));
            }
            match record.state.health.as_ref().map(|h| h.status) {
                Some(HealthStatus::Healthy) => return Ok("Healthy"),
                Some(HealthStatus::Unhealthy) => {
                    return Err(Error::Client(format!("container {name} is unhealthy")));
                }
                None if record.healthcheck().is_none() && checked => {
                    return Err(Error::Client(format!("container {name} has no healthcheck configured")));
                }
                None if record.healthcheck().is_none() && record.is_running() => return Ok("Healthy"),
                _ => {}
            }
            if end.is_some_and(|end| self.ctx.world().now() >= end) {
                return Err(Error::Client(format!("timeout waiting for container {name}")));
            }
            self.ctx.world().record_change(Duration::from_millis(500)).await;
            self.redraw().await;
        }
    }

    pub(super) async fn wait_completed(&self, member: &Member, limit: Option<Duration>) -> Result<&'static str> {
        let end = limit.map(|l| self.ctx.world().now() + l);
        loop {
            let record = self.current(&member.record.id)?;
            if self.board.dry {
                return Ok("Exited");
            }
            match record.state.status {
                Status::Exited if record.state.exit_code == 0 => return Ok("Exited"),
                Status::Exited | Status::Dead => {
                    return Err(Error::Client(format!(
                        "service {:?} didn't complete successfully: exit {}",
                        member.service, record.state.exit_code
                    )));
                }
                _ => {}
            }
            if end.is_some_and(|end| self.ctx.world().now() >= end) {
                return Err(Error::Client(format!("timeout waiting for container {}", record.name)));
            }
            self.ctx.world().record_change(Duration::from_millis(500)).await;
            self.redraw().await;
        }
    }
}
