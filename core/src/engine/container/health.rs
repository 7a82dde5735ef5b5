//! Health checks: a command run in the container every so often, and what it says about it.

use super::exec::{self, ExecRequest};
use super::{change, note};
use crate::container::{ContainerRecord, HealthProbe, HealthStatus, Status};
use crate::engine::Ctx;
use crate::engine::race::{First, race};
use crate::image::Healthcheck;
use crate::world::World;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;
/// So many probes are kept, with so many bytes of output each.
const KEPT: usize = 5;
const OUTPUT: usize = 4096;

/// Probes a container for as long as it runs; never ends.
pub(in crate::engine) async fn watch_health<W: World>(ctx: &Ctx<W>, id: &str) {
    let record = ctx.world().get::<ContainerRecord>(id).ok().flatten();
    let Some((check, started)) = record.and_then(|r| Some((r.healthcheck()?.clone(), r.state.started?))) else {
        return std::future::pending().await;
    };
    let or = |time: Duration, default: Duration| if time.is_zero() { default } else { time };
    let mut starting = true;
    loop {
        let young = ctx.world().now().saturating_sub(started) < check.start_period;
        let interval =
            if starting && young { or(check.start_interval, START_INTERVAL) } else { or(check.interval, INTERVAL) };
        ctx.world().sleep(interval).await;
        let Ok(Some(record)) = ctx.world().get::<ContainerRecord>(id) else {
            return std::future::pending().await;
        };
        if record.state.status != Status::Running {
            continue;
        }
        let probe = probe(ctx, &record, &check, or(check.timeout, TIMEOUT)).await;
        let young = ctx.world().now().saturating_sub(started) < check.start_period;
        starting &= enter(ctx, id, &check, probe, young) == Some(HealthStatus::Starting);
    }
}

async fn probe<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    check: &Healthcheck,
    timeout: Duration,
) -> HealthProbe {
    let start = ctx.world().now();
    let argv = match check.test.split_first() {
        Some((kind, rest)) if kind == "CMD-SHELL" => {
            let shell = record.config.image.shell.clone();
            let shell = shell.unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
            shell.into_iter().chain(rest.iter().cloned()).collect()
        }
        Some((_, rest)) => rest.to_vec(),
        None => Vec::new(),
    };
    let request = ExecRequest { argv, ..ExecRequest::default() };
    let done = race(exec::capture(ctx, record, &request, OUTPUT), ctx.world().sleep(timeout)).await;
    let (exit_code, output) = match done {
        First::Left(Ok((code, output))) => (code, String::from_utf8_lossy(&output).into_owned()),
        First::Left(Err(error)) => (-1, error.render("")),
        First::Right(()) => (-1, format!("Health check exceeded timeout ({}s)", timeout.as_secs_f64())),
    };
    HealthProbe { start, end: ctx.world().now(), exit_code, output }
}

/// Enters a probe into the record; how the container does then.
fn enter<W: World>(
    ctx: &Ctx<W>,
    id: &str,
    check: &Healthcheck,
    probe: HealthProbe,
    young: bool,
) -> Option<HealthStatus> {
    let retries = if check.retries == 0 { RETRIES } else { check.retries };
    let mut before = None;
    let record = change(ctx, id, |r| {
        let Some(health) = r.state.health.as_mut().filter(|_| r.state.status == Status::Running) else { return };
        before = Some(health.status);
        if probe.exit_code == 0 {
            health.failing_streak = 0;
            health.status = HealthStatus::Healthy;
        } else if !(young && health.status == HealthStatus::Starting) {
            health.failing_streak += 1;
            if health.failing_streak >= retries {
                health.status = HealthStatus::Unhealthy;
            }
        }
        health.log.push(probe);
        let extra = health.log.len().saturating_sub(KEPT);
        health.log.drain(..extra);
    });
    let record = record.ok().flatten()?;
    let after = record.state.health.as_ref()?.status;
    if before.is_some_and(|b| b != after) {
        note(ctx, &record, &format!("health_status: {}", after.name()), &[]);
    }
    Some(after)
}
