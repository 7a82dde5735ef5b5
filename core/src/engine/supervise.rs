//! What stays with a running container: it waits for the end, notes it, lets go of what the start made, and
//! starts the container again where its restart policy says so.

use crate::container::{ContainerRecord, HealthStatus, Status};
use crate::engine::Ctx;
use crate::engine::container::{self, Made, Removal, change, launch, note, tear_down, watch_health};
use crate::engine::race::{First, race};
use crate::world::{Exit, World};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// The first wait before a restart; it doubles each time, up to a minute, and starts anew after a good run.
const FIRST_WAIT: Duration = Duration::from_millis(100);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);
const GOOD_RUN: Duration = Duration::from_secs(10);

/// What a supervisor tells those of its own process who wait for the container.
#[derive(Debug, Default)]
pub struct Ended {
    code: Cell<Option<i32>>,
    done: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Ended {
    /// Waits for the exit code of the first end, until the record has it. With `all`, until the supervisor has
    /// nothing left to do: no restart, and a `--rm` container is removed.
    pub async fn wait(&self, all: bool) -> i32 {
        poll_fn(|cx| match (self.code.get(), self.done.get()) {
            (Some(code), done) if done || !all => Poll::Ready(code),
            // Its record went while it ran: nobody knows how it ended.
            (None, true) => Poll::Ready(255),
            _ => {
                self.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn tell(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Leaves a supervisor with a container that has just been started.
pub(super) fn spawn<W: World>(ctx: &Ctx<W>, id: &str) -> Rc<Ended> {
    let ended = Rc::new(Ended::default());
    let (inner, id, told) = (ctx.clone(), id.to_string(), ended.clone());
    ctx.world().spawn(Box::pin(async move {
        supervise(&inner, &id, &told).await;
        told.done.set(true);
        told.tell();
    }));
    ended
}

async fn supervise<W: World>(ctx: &Ctx<W>, id: &str, ended: &Ended) {
    let mut wait = FIRST_WAIT;
    loop {
        let First::Left(exit) = race(ctx.world().wait_exit(id), watch_health(ctx, id)).await else { return };
        let exit = exit.unwrap_or(Exit { code: 255, oom_killed: false, at: ctx.world().now() });
        let Ok(Some(record)) = ctx.world().get::<ContainerRecord>(id) else { return };
        if record.host.auto_remove {
            // Until it is removed: there is no moment in which a kill would leave it.
            let _ = ctx.world().undertake(id);
        }
        note_end(ctx, &record, &exit);
        tear_down(ctx, &record, Made { cgroup: true, process: true }).await;
        let again = settle(ctx, id, &exit);
        ended.code.set(ended.code.get().or(Some(exit.code)));
        ended.tell();
        if again != Some(true) {
            break;
        }
        let ran = exit.at.saturating_sub(record.state.started.unwrap_or(exit.at));
        wait = if ran >= GOOD_RUN { FIRST_WAIT } else { wait };
        if !pause_before_restart(ctx, id, wait).await {
            break;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
        let Ok(Some(record)) = ctx.world().get::<ContainerRecord>(id) else { return };
        if launch(ctx, record, false).await.is_err() {
            break;
        }
    }
    let Ok(Some(record)) = ctx.world().get::<ContainerRecord>(id) else { return };
    if record.host.auto_remove {
        let _ = container::remove(ctx, &record, &Removal { force: true, volumes: true }).await;
    }
}

fn note_end<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, exit: &Exit) {
    if exit.oom_killed {
        note(ctx, record, "oom", &[]);
    }
    let ran = exit.at.saturating_sub(record.state.started.unwrap_or(exit.at)).as_secs();
    note(ctx, record, "die", &[("execDuration", ran.to_string()), ("exitCode", exit.code.to_string())]);
}

/// Writes the end into the record. Whether the container shall be started again; `None` where it is gone.
fn settle<W: World>(ctx: &Ctx<W>, id: &str, exit: &Exit) -> Option<bool> {
    let mut again = false;
    let changed = change(ctx, id, |r| {
        again = restarts(r, exit.code);
        r.state.status = match r.state.status {
            Status::Removing => Status::Removing,
            _ if again => Status::Restarting,
            _ => Status::Exited,
        };
        r.restart_count += u32::from(again);
        r.state.pid = 0;
        r.state.exit_code = exit.code;
        r.state.oom_killed = exit.oom_killed;
        r.state.finished = Some(exit.at);
        if let Some(health) = &mut r.state.health {
            health.status = HealthStatus::Unhealthy;
        }
        container::rest(r);
    });
    changed.ok().flatten().map(|_| again)
}

/// Whether the restart policy wants the container again after it ended with `code`.
fn restarts(record: &ContainerRecord, code: i32) -> bool {
    let policy = &record.host.restart;
    let tries_left = policy.max_retries == 0 || i64::from(record.restart_count) < policy.max_retries;
    !record.manually_stopped
        && match policy.name.as_str() {
            "always" | "unless-stopped" => true,
            "on-failure" => code != 0 && tries_left,
            _ => false,
        }
}

/// Waits before a restart; false where the container was stopped or removed meanwhile.
async fn pause_before_restart<W: World>(ctx: &Ctx<W>, id: &str, wait: Duration) -> bool {
    let end = ctx.world().now() + wait;
    loop {
        let left = end.saturating_sub(ctx.world().now());
        match ctx.world().get::<ContainerRecord>(id) {
            Ok(Some(record)) if record.state.status == Status::Restarting && !record.manually_stopped => {}
            Ok(Some(record)) => {
                let _ = change(ctx, &record.id, |r| {
                    if r.state.status == Status::Restarting {
                        r.state.status = Status::Exited;
                    }
                });
                return false;
            }
            _ => return false,
        }
        if left.is_zero() {
            return true;
        }
        ctx.world().record_change(left).await;
    }
}
