//! Children: starting them, waiting for them, and the table of jobs.

use super::{Flow, Run, Shell};
use crate::errno::Errno;
use crate::io;
use crate::os::{Disposition, Fd, LocalFut, Os, Pid, Signal, Status, Wait, WaitFor};
use crate::sorted::Arrange;

/// What a child is to the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of a command substitution: in the shell's own process group.
    Inside,
    /// A member of a job, perhaps in a group of its own.
    Job { group: Option<Pid>, background: bool, first: bool },
}

#[derive(Clone, Debug)]
struct Process {
    pid: Pid,
    status: Option<Status>,
}

#[derive(Clone, Debug)]
struct Job {
    number: usize,
    text: String,
    processes: Vec<Process>,
    /// Its last change has not been told yet.
    changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    Running,
    Stopped(Signal),
    Done(Status),
}

impl Job {
    fn state(&self) -> JobState {
        let mut stopped = None;
        for process in &self.processes {
            match process.status {
                None | Some(Status::Continued) => return JobState::Running,
                Some(Status::Stopped(signal)) => stopped = Some(signal),
                Some(_) => {}
            }
        }
        match (stopped, self.processes.last().and_then(|p| p.status)) {
            (Some(signal), _) => JobState::Stopped(signal),
            (None, status) => JobState::Done(status.unwrap_or(Status::Exited(0))),
        }
    }
}

/// All jobs that are not over, or whose end has not been told yet, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    table: Vec<Job>,
    /// The table is the parent's: a subshell can show it, but not wait.
    foreign: bool,
}

impl Jobs {
    pub fn add(&mut self, text: String) -> usize {
        if std::mem::take(&mut self.foreign) {
            self.table.clear();
        }
        let number = self.table.iter().map(|j| j.number).max().unwrap_or(0) + 1;
        self.table.push(Job { number, text, processes: Vec::new(), changed: false });
        number
    }

    fn find(&mut self, number: usize) -> Option<&mut Job> {
        self.table.iter_mut().find(|job| job.number == number)
    }

    pub fn add_process(&mut self, number: usize, pid: Pid) {
        if let Some(job) = self.find(number) {
            job.processes.push(Process { pid, status: None });
        }
    }

    pub fn last_process(&self, number: usize) -> Option<Pid> {
        self.table.iter().find(|job| job.number == number)?.processes.last().map(|p| p.pid)
    }

    /// The process group of a job.
    pub fn group(&self, number: usize) -> Option<Pid> {
        self.table.iter().find(|job| job.number == number)?.processes.first().map(|p| p.pid)
    }

    pub fn state(&mut self, number: usize) -> Option<JobState> {
        self.find(number).map(|job| job.state())
    }

    fn remove(&mut self, number: usize) -> Option<Job> {
        let at = self.table.iter().position(|job| job.number == number)?;
        Some(self.table.remove(at))
    }

    fn update(&mut self, pid: Pid, status: Status) {
        for job in &mut self.table {
            if let Some(process) = job.processes.iter_mut().find(|p| p.pid == pid) {
                process.status = Some(status);
                job.changed = true;
                return;
            }
        }
    }

    fn set_running(&mut self, number: usize) {
        if let Some(job) = self.find(number) {
            job.changed = false;
            for process in &mut job.processes {
                if matches!(process.status, Some(Status::Stopped(_))) {
                    process.status = None;
                }
            }
        }
    }

    pub fn text(&self, number: usize) -> String {
        self.table.iter().find(|job| job.number == number).map(|job| job.text.clone()).unwrap_or_default()
    }

    /// Whether there is no child to wait for.
    pub fn is_empty(&self) -> bool {
        self.foreign || self.table.is_empty()
    }

    pub fn numbers(&self) -> Vec<usize> {
        self.table.iter().map(|job| job.number).collect()
    }

    /// In a subshell: the jobs are another's.
    pub fn disown(&mut self) {
        self.foreign = true;
    }

    /// The job that has this process, and the process's status.
    fn of_process(&self, pid: Pid) -> Option<(usize, Option<Status>)> {
        self.table.iter().find_map(|job| Some((job.number, job.processes.iter().find(|p| p.pid == pid)?.status)))
    }

    /// `+` for the current job, `-` for the one before.
    fn mark(&self, number: usize) -> char {
        let order = self.table.iter().map(|job| job.number);
        let mut recent: Vec<usize> = order.collect();
        let mut state = |n: &usize| {
            let job = self.table.iter().find(|job| job.number == *n);
            (job.is_some_and(|job| matches!(job.state(), JobState::Stopped(_))), *n)
        };
        recent.arrange_by_key(&mut state);
        match recent.iter().rev().position(|n| *n == number) {
            Some(0) => '+',
            Some(1) => '-',
            _ => ' ',
        }
    }

    /// `%1`, `%+`, `%%`, `%-`, `%name`, `%?part`.
    pub fn named(&self, text: &str) -> Option<usize> {
        let spec = text.strip_prefix('%').unwrap_or(text);
        let marked = |mark| self.table.iter().map(|job| job.number).find(|n| self.mark(*n) == mark);
        match spec {
            "" | "%" | "+" => marked('+'),
            "-" => marked('-').or_else(|| marked('+')),
            _ => match spec.parse::<usize>() {
                Ok(number) => self.table.iter().map(|job| job.number).find(|n| *n == number),
                Err(_) => {
                    let fits = |job: &&Job| match spec.strip_prefix('?') {
                        Some(part) => job.text.contains(part),
                        None => job.text.starts_with(spec),
                    };
                    self.table.iter().rev().find(fits).map(|job| job.number)
                }
            },
        }
    }

    /// One line of the table: `[1]+  Running                    sleep 5`.
    pub fn line(&self, number: usize, with_pid: bool) -> String {
        let Some(job) = self.table.iter().find(|job| job.number == number) else { return String::new() };
        let state = match job.state() {
            JobState::Running => "Running".to_string(),
            JobState::Stopped(_) => "Stopped".to_string(),
            JobState::Done(Status::Exited(0)) => "Done".to_string(),
            JobState::Done(Status::Exited(code)) => format!("Done({code})"),
            JobState::Done(Status::Signaled(signal)) => describe(signal),
            JobState::Done(_) => String::new(),
        };
        let pid = if with_pid { format!("{} ", job.processes.first().map_or(0, |p| p.pid)) } else { String::new() };
        format!("[{number}]{}  {pid}{state:<26} {}\n", self.mark(number), job.text)
    }
}

/// What is said of a process that a signal ended.
pub fn describe(signal: Signal) -> String {
    let text = match signal {
        Signal::HUP => "Hangup",
        Signal::INT => "Interrupt",
        Signal::QUIT => "Quit",
        Signal::ILL => "Illegal instruction",
        Signal::TRAP => "Trace/breakpoint trap",
        Signal::ABRT => "Aborted",
        Signal::BUS => "Bus error",
        Signal::FPE => "Floating point exception",
        Signal::KILL => "Killed",
        Signal::USR1 => "User defined signal 1",
        Signal::SEGV => "Segmentation fault",
        Signal::USR2 => "User defined signal 2",
        Signal::PIPE => "Broken pipe",
        Signal::ALRM => "Alarm clock",
        Signal::TERM => "Terminated",
        Signal::XCPU => "CPU time limit exceeded",
        Signal::XFSZ => "File size limit exceeded",
        Signal::SYS => "Bad system call",
        signal => return format!("Signal {}", signal.0),
    };
    text.to_string()
}

impl<O: Os> Shell<O> {
    /// Starts a child that goes on with a copy of the shell.
    pub(super) fn fork<F>(&mut self, place: Place, body: F) -> Result<Pid, Errno>
    where
        F: FnOnce(Shell<O>) -> LocalFut<i32> + 'static,
    {
        let mut shell = self.clone();
        self.os.fork(move |os| {
            Box::pin(async move {
                shell.os = os;
                shell.settle(place).await;
                body(shell).await
            })
        })
    }

    /// Makes a fresh child what its place asks for.
    async fn settle(&mut self, place: Place) {
        let monitor = self.options.monitor;
        let mut quiet = false;
        if let Place::Job { group, background, .. } = place {
            if monitor {
                let group = group.unwrap_or(self.os.pid());
                let _ = self.os.set_process_group(0, group);
                if !background {
                    let _ = self.os.set_foreground_group(io::STDIN, group);
                }
            } else {
                quiet = background;
            }
        }
        self.enter_subshell();
        if quiet {
            // Without job control, ^C is not meant for what runs in the background, nor is the input.
            let _ = self.os.sigaction(Signal::INT, Disposition::Ignore);
            let _ = self.os.sigaction(Signal::QUIT, Disposition::Ignore);
            if matches!(place, Place::Job { first: true, .. })
                && let Ok(fd) = self.os.open("/dev/null", crate::os::OpenFlags::READ, 0).await
            {
                self.move_fd(fd, io::STDIN);
            }
        }
    }

    /// Forgets what only the parent has: traps, jobs, descriptors that it has put aside.
    pub(super) fn enter_subshell(&mut self) {
        for fd in self.saved.drain(..) {
            let _ = self.os.close(fd);
        }
        let caught: Vec<u8> = self.traps.iter().filter(|(_, action)| !action.is_empty()).map(|(s, _)| *s).collect();
        for signal in caught {
            self.traps.remove(&signal);
            if signal != 0 {
                let _ = self.os.sigaction(Signal(signal), Disposition::Default);
            }
        }
        if self.interactive {
            for signal in super::interactive::SIGNALS {
                if !self.traps.contains_key(&signal.0) {
                    let _ = self.os.sigaction(signal, Disposition::Default);
                }
            }
        }
        self.interactive = false;
        self.options.monitor = false;
        self.jobs.disown();
        self.loops = 0;
    }

    /// Makes `to` what `from` is, and closes `from`.
    pub(super) fn move_fd(&mut self, from: Fd, to: Fd) {
        if from != to {
            let _ = self.os.dup2(from, to);
            let _ = self.os.close(from);
        }
    }

    /// Waits for any child to change, and notes it. `false` where there is none.
    async fn wait_once(&mut self, no_hang: bool) -> Result<bool, Errno> {
        match self.os.wait(Wait { who: WaitFor::Any, no_hang, untraced: self.options.monitor }).await {
            Ok((pid, status)) => {
                self.jobs.update(pid, status);
                Ok(true)
            }
            Err(Errno::ECHILD | Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes all children that have changed already.
    pub(super) async fn reap(&mut self) {
        while !self.jobs.is_empty() && self.wait_once(true).await == Ok(true) {}
    }

    /// Waits for a child that is no job.
    pub(super) async fn wait_for(&mut self, pid: Pid) -> i32 {
        let job = self.jobs.add(String::new());
        self.jobs.add_process(job, pid);
        while !matches!(self.jobs.state(job), Some(JobState::Done(_)) | None) {
            if self.wait_once(false).await == Ok(false) {
                break;
            }
        }
        match self.jobs.remove(job).map(|job| job.state()) {
            Some(JobState::Done(status)) => status.code(),
            _ => 127,
        }
    }

    /// Waits for a job in the foreground to end or stop, and takes the terminal back.
    pub(super) async fn foreground(&mut self, number: usize) -> Run<()> {
        while self.jobs.state(number) == Some(JobState::Running) {
            if self.wait_once(false).await == Ok(false) {
                break;
            }
        }
        if self.options.monitor {
            let _ = self.os.set_foreground_group(io::STDIN, self.os.process_group());
        }
        match self.jobs.state(number) {
            Some(JobState::Stopped(signal)) => {
                self.status = 128 + i32::from(signal.0);
                let line = self.jobs.line(number, false);
                let _ = io::write_all(&self.os, io::STDERR, format!("\n{line}").as_bytes()).await;
                if let Some(job) = self.jobs.find(number) {
                    job.changed = false;
                }
                Ok(())
            }
            _ => self.ended(number).await,
        }
    }

    /// The status of a job that is over.
    async fn ended(&mut self, number: usize) -> Run<()> {
        let Some(job) = self.jobs.remove(number) else { return Ok(()) };
        let statuses: Vec<Status> = job.processes.iter().filter_map(|p| p.status).collect();
        let last = statuses.last().copied().unwrap_or(Status::Exited(127));
        let failed = statuses.iter().rev().find(|s| s.code() != 0);
        self.status = if self.options.pipefail { failed.map_or(0, |s| s.code()) } else { last.code() };
        if let Status::Signaled(signal) = last {
            if signal == Signal::INT && self.interactive {
                let _ = io::write_all(&self.os, io::STDERR, b"\n").await;
                return Err(Flow::Interrupt);
            }
            if signal != Signal::INT && signal != Signal::PIPE {
                io::eprint(&self.os, &describe(signal)).await;
            }
        }
        Ok(())
    }

    /// Tells of jobs that have ended or stopped, as a prompt does.
    pub(super) async fn tell_changes(&mut self) {
        self.reap().await;
        for number in self.jobs.numbers() {
            let Some(state) = self.jobs.state(number) else { continue };
            let changed = self.jobs.find(number).is_some_and(|job| std::mem::take(&mut job.changed));
            if changed && state != JobState::Running {
                let line = self.jobs.line(number, false);
                let _ = io::write_all(&self.os, io::STDERR, line.as_bytes()).await;
            }
            if matches!(state, JobState::Done(_)) {
                self.jobs.remove(number);
            }
        }
    }

    /// Forgets the jobs whose end has been told.
    pub(super) fn forget_ended(&mut self) {
        for number in self.jobs.numbers() {
            if matches!(self.jobs.state(number), Some(JobState::Done(_))) {
                self.jobs.remove(number);
            }
        }
    }

    /// Lets a stopped job go on, in the foreground or not.
    pub(super) async fn resume(&mut self, number: usize, foreground: bool) -> Run<()> {
        let Some(group) = self.jobs.group(number) else { return Ok(()) };
        self.jobs.set_running(number);
        if foreground {
            let _ = self.os.set_foreground_group(io::STDIN, group);
        }
        let _ = self.os.kill(-group, Signal::CONT);
        if foreground { self.foreground(number).await } else { Ok(()) }
    }

    /// `wait` for one child: its status, or `None` where a trap cut it short.
    pub(super) async fn wait_child(&mut self, pid: Pid) -> Run<Option<i32>> {
        loop {
            let Some((number, status)) = self.jobs.of_process(pid).filter(|_| !self.jobs.is_empty()) else {
                return Ok(Some(127));
            };
            if let Some(status) = status.filter(|s| !matches!(s, Status::Stopped(_) | Status::Continued)) {
                if matches!(self.jobs.state(number), Some(JobState::Done(_))) {
                    self.jobs.remove(number);
                }
                if let Status::Signaled(signal) = status
                    && !self.bash
                    && signal != Signal::INT
                    && signal != Signal::PIPE
                {
                    io::eprint(&self.os, &describe(signal)).await;
                }
                return Ok(Some(status.code()));
            }
            match self.wait_once(false).await {
                Ok(true) => {}
                Ok(false) => return Ok(Some(127)),
                Err(_) => return Ok(None),
            }
        }
    }

    /// `wait` for all children, or for any one (`-n`).
    pub(super) async fn wait_all(&mut self, any: bool) -> Run<Option<i32>> {
        loop {
            if self.jobs.is_empty() {
                return Ok(Some(if any { 127 } else { 0 }));
            }
            let done = |shell: &mut Self, n: &usize| matches!(shell.jobs.state(*n), Some(JobState::Done(_)));
            let numbers = self.jobs.numbers();
            let ended: Vec<usize> = numbers.iter().copied().filter(|n| done(self, n)).collect();
            let mut status = 0;
            for number in ended {
                if let Some(JobState::Done(s)) = self.jobs.remove(number).map(|job| job.state()) {
                    status = s.code();
                }
                if any {
                    return Ok(Some(status));
                }
            }
            let waiting = self.jobs.numbers().iter().any(|n| self.jobs.state(*n) == Some(JobState::Running));
            if !waiting {
                return Ok(Some(if any { 127 } else { 0 }));
            }
            match self.wait_once(false).await {
                Ok(true) => {}
                Ok(false) => return Ok(Some(if any { 127 } else { 0 })),
                Err(_) => return Ok(None),
            }
        }
    }
}
