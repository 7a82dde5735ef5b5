//! Listening to the containers of an application as they come and go.

use super::App;
use super::app::Member;
use super::logs::{Prefixes, follow};
use crate::engine::Result;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// How often it is looked who has come.
const PAUSE: Duration = Duration::from_millis(200);

/// What has been heard of a container.
#[derive(Default)]
struct Heard {
    /// The lines that have been shown.
    lines: usize,
    /// The start that is listened to, or was.
    started: Option<Duration>,
    listening: bool,
    /// It was seen to end, and has not been started again.
    ended: bool,
}

/// How long it is listened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// `up`: until none runs.
    NobodyRuns,
    /// `logs -f`: until each has been seen to end; one that did not run to begin with may still be started.
    AllEnded,
}

/// A container that has ended: its exit code, and how many lines were shown.
type End = (Member, i32, usize);

/// The containers of some services, as they come and go.
pub(super) struct Audience<'a, 'b, W> {
    app: &'a App<'b, W>,
    services: &'a [String],
    /// The services whose output is shown.
    shown: &'a [String],
    prefixes: &'a Prefixes,
    until: Until,
    heard: BTreeMap<String, Heard>,
    following: Vec<Pin<Box<dyn Future<Output = End> + 'a>>>,
}

impl<'a, 'b, W: World> Audience<'a, 'b, W> {
    pub fn new(
        app: &'a App<'b, W>,
        services: &'a [String],
        shown: &'a [String],
        prefixes: &'a Prefixes,
        until: Until,
    ) -> Self {
        Audience { app, services, shown, prefixes, until, heard: BTreeMap::new(), following: Vec::new() }
    }

    /// What has been printed so far is not shown.
    pub async fn prepare(&mut self, members: &[Member]) {
        for member in members {
            let record = &member.record;
            let lines = self.app.ctx.world().logs(&record.id, 0).await.map_or(0, |l| l.len());
            let started = record.state.started.filter(|_| !record.is_running());
            self.heard.insert(record.id.clone(), Heard { lines, started, ..Heard::default() });
        }
    }

    /// Of this container so many lines have been shown.
    pub fn shown_so_far(&mut self, member: &Member, lines: usize) {
        let started = member.record.state.started.filter(|_| !member.record.is_running());
        self.heard.insert(member.record.id.clone(), Heard { lines, started, ..Heard::default() });
    }

    /// This container is of no interest before it starts again.
    pub fn pass_over(&mut self, member: &Member) {
        let (lines, started) = (usize::MAX, member.record.state.started);
        self.heard.insert(member.record.id.clone(), Heard { lines, started, listening: false, ended: true });
    }

    /// Whether nobody is left to listen to.
    fn is_over(&self) -> bool {
        match self.until {
            // While something is made or started, the next may still come.
            Until::NobodyRuns => self.following.is_empty() && !self.app.board.hushed.get(),
            Until::AllEnded => self.app.ctx.client.broken() || self.heard.values().all(|h| h.ended),
        }
    }

    /// Listens to those who have started since.
    async fn look(&mut self) -> Result<()> {
        for member in self.app.members(self.services).await? {
            if !self.heard.contains_key(&member.record.id) {
                let replaced = member.label("replace");
                if self.until == Until::AllEnded && !replaced.is_empty() {
                    self.prefixes.told(self.app, &replaced, "has been recreated").await;
                }
            }
            let heard = self.heard.entry(member.record.id.clone()).or_default();
            let started = member.record.state.started;
            if heard.listening || started.is_none() || started == heard.started {
                continue;
            }
            (heard.started, heard.listening, heard.ended) = (started, true, false);
            self.prefixes.meet(&member);
            let (app, from) = (self.app, heard.lines);
            let prefixes = self.shown.contains(&member.service).then_some(self.prefixes);
            self.following.push(Box::pin(async move {
                let (lines, code) = Box::pin(follow(app, &member, from, prefixes)).await;
                (member, code, lines)
            }));
        }
        Ok(())
    }

    /// Listens until nobody is left, or somebody's end is one that `ends` wants to know of.
    pub async fn listen(&mut self, ends: impl Fn(i32) -> bool) -> Result<Option<(Member, i32)>> {
        loop {
            self.look().await?;
            if self.is_over() {
                return Ok(None);
            }
            let mut tick = self.app.ctx.world().record_change(PAUSE);
            let following = &mut self.following;
            let ended = poll_fn(|cx| {
                for at in 0..following.len() {
                    if let Poll::Ready(end) = following[at].as_mut().poll(cx) {
                        drop(following.remove(at));
                        return Poll::Ready(Some(end));
                    }
                }
                tick.as_mut().poll(cx).map(|()| None)
            })
            .await;
            let Some((member, code, lines)) = ended else { continue };
            if let Some(heard) = self.heard.get_mut(&member.record.id) {
                (heard.lines, heard.listening, heard.ended) = (lines, false, true);
            }
            self.prefixes.ended(self.app, &member, &format!("exited with code {code}")).await;
            if ends(code) {
                return Ok(Some((member, code)));
            }
        }
    }
}
