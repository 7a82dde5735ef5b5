//! Playing lessons in a session: preparing the host, and grading what a learner has done.

use super::Session;
use crate::lesson::{Check, Lesson, Progress, Surroundings, WorldView, grade};
use crate::sim::hosts::HOME;
use crate::sim::kernel::{Machine, SimOs};
use crate::sim::programs::http;
use crate::sim::world::SimWorld;
use crate::world::LocalFut;
use cutaway_userland::Errno;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

impl Session {
    /// Makes the host ready for a lesson: its files in the home folder, and what its setup does.
    pub fn prepare(&self, lesson: &Lesson) -> Result<(), Errno> {
        for (path, bytes) in &lesson.files {
            self.write_host_file(&format!("{}/{path}", HOME), bytes)?;
        }
        if !lesson.setup.is_empty() {
            self.script(&lesson.setup.join("\n"), |_| {});
        }
        Ok(())
    }

    /// How far the learner is who entered `lines`. Nothing reached where the machine can't tell.
    pub fn grade(&self, lesson: &Rc<Lesson>, lines: &[String]) -> Progress {
        let (view, lesson, open) = (self.view(lines), lesson.clone(), vec![false; lesson.goals.len()]);
        let answer = self.ask(Box::pin(async move { grade(&lesson, &view).await }));
        answer.unwrap_or(Progress { reached: open, hint: None })
    }

    /// Whether a check holds now.
    pub fn holds(&self, check: &Check, lines: &[String]) -> bool {
        let (view, check) = (self.view(lines), check.clone());
        self.ask(Box::pin(async move { check.holds(&view).await })).unwrap_or(false)
    }

    fn view(&self, lines: &[String]) -> WorldView<SimWorld> {
        let surroundings = Rc::new(Host { machine: self.machine().clone() });
        WorldView { world: self.world.clone(), surroundings, lines: lines.to_vec() }
    }
}

/// The simulated host, looked at from outside of the engine.
struct Host {
    machine: Machine,
}

impl Surroundings for Host {
    fn fetch(&self, port: u16, path: &str) -> LocalFut<Option<String>> {
        let os: SimOs = self.machine.os(Machine::INIT);
        let request = http::Request::get(&format!("/{path}"), "localhost");
        Box::pin(async move {
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let response = http::exchange(&os, to, &request).await.ok()?;
            Some(String::from_utf8_lossy(&response.body).into_owned())
        })
    }

    fn file_below(&self, folder: &str, path: &str) -> LocalFut<Option<Vec<u8>>> {
        let found = http::below(folder, path).and_then(|file| self.machine.read_file(Machine::INIT, &file).ok());
        Box::pin(async move { found })
    }
}
