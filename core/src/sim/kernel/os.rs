//! The system calls, as one process makes them: the simulated kernel's side of the userland's `Os`.
//!
//! A call that does not wait is one borrow of the kernel. A call that may wait is attempted again whenever
//! what it waits for changes; a caught signal interrupts it, and the process's end means it never returns.

use super::cred::Cap;
use super::machine::Machine;
use super::process::State;
use super::state::{Kernel, QUANTUM};
use crate::world::LocalFut;
use cutaway_userland::Errno;
use cutaway_userland::os::*;
use std::future::{Future, pending, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

/// A handle on one process of the simulated machine.
#[derive(Clone)]
pub struct SimOs {
    machine: Machine,
    pid: Pid,
}

/// What a call costs in processor time.
const CALL: Duration = Duration::from_micros(1);

impl SimOs {
    pub(crate) fn new(machine: Machine, pid: Pid) -> SimOs {
        SimOs { machine, pid }
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The process's id on the host, whatever [`Os::pid`] says inside its namespace.
    pub fn host_pid(&self) -> Pid {
        self.pid
    }

    /// One call that does not wait.
    fn call<T>(&self, work: impl FnOnce(&mut Kernel, Pid) -> T) -> T {
        self.machine.kernel(|k| {
            k.current = self.pid;
            k.slice += 1;
            k.pass(CALL);
            if let Ok(process) = k.process_mut(self.pid) {
                process.system_time += CALL;
            }
            work(k, self.pid)
        })
    }

    /// A call that waits until `attempt` is ready, a signal interrupts it, or the deadline passes (`None`).
    async fn wait_until<T>(
        &self,
        deadline: Option<Duration>,
        mut attempt: impl FnMut(&mut Kernel, Pid, &Waker) -> Poll<Result<T>>,
    ) -> Result<Option<T>> {
        let mut first = true;
        let mut timer = pin!(deadline.map(|time| self.machine.executor().sleep_until(time)));
        poll_fn(|cx| {
            let answer = self.machine.kernel(|k| {
                k.current = self.pid;
                if !k.process(self.pid).is_ok_and(|p| !p.is_zombie()) {
                    return Poll::Pending;
                }
                if first {
                    if k.slice >= QUANTUM {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    first = false;
                    k.slice += 1;
                    k.pass(CALL);
                    if let Ok(process) = k.process_mut(self.pid) {
                        process.system_time += CALL;
                        process.computing = false;
                    }
                }
                if let Poll::Ready(result) = attempt(k, self.pid, cx.waker()) {
                    return Poll::Ready(result.map(Some));
                }
                let Ok(process) = k.process_mut(self.pid) else { return Poll::Pending };
                if std::mem::take(&mut process.interrupted) {
                    return Poll::Ready(Err(Errno::EINTR));
                }
                process.calls.add(cx.waker());
                Poll::Pending
            });
            if answer.is_ready() || first {
                return answer;
            }
            match timer.as_mut().as_pin_mut() {
                Some(timer) => timer.poll(cx).map(|()| Ok(None)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// A call that waits as long as it takes.
    async fn wait_for<T>(&self, attempt: impl FnMut(&mut Kernel, Pid, &Waker) -> Poll<Result<T>>) -> Result<T> {
        match self.wait_until(None, attempt).await? {
            Some(value) => Ok(value),
            None => pending().await,
        }
    }

    /// Waits for a time, unless a signal interrupts it.
    async fn pass_time(&self, time: Duration) -> Result<()> {
        if time.is_zero() {
            return Ok(());
        }
        let deadline = self.machine.now() + time;
        self.wait_until(Some(deadline), |_, _, _| Poll::<Result<()>>::Pending).await.map(drop)
    }
}

impl Os for SimOs {
    async fn read(&self, fd: Fd, max: usize) -> Result<Vec<u8>> {
        self.wait_for(|k, pid, waker| k.read(pid, fd, max, waker)).await
    }

    async fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize> {
        let held = self.machine.kernel(|k| k.held_back(self.pid, fd, bytes.len(), None));
        let mut bytes = bytes;
        if let Some((portion, time)) = held {
            bytes = &bytes[..portion];
            self.pass_time(time).await?;
        }
        self.wait_for(|k, pid, waker| k.write(pid, fd, bytes, waker)).await
    }

    async fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> Result<Fd> {
        let fd = self.wait_for(|k, pid, _| Poll::Ready(k.open(pid, path, flags, mode))).await?;
        // The opening of a named pipe waits for the other end.
        let opened = self.wait_for(|k, pid, waker| k.fifo_opened(pid, fd, flags, waker)).await;
        if let Err(errno) = opened {
            self.close(fd)?;
            return Err(errno);
        }
        Ok(fd)
    }

    fn close(&self, fd: Fd) -> Result<()> {
        self.call(|k, pid| k.close(pid, fd))
    }

    fn dup(&self, fd: Fd, least: Fd) -> Result<Fd> {
        self.call(|k, pid| k.dup(pid, fd, least))
    }

    fn dup2(&self, from: Fd, to: Fd) -> Result<()> {
        self.call(|k, pid| k.dup2(pid, from, to))
    }

    fn set_close_on_exec(&self, fd: Fd, close: bool) -> Result<()> {
        self.call(|k, pid| k.process_mut(pid)?.fds.set_close_on_exec(fd, close))
    }

    fn pipe(&self) -> Result<(Fd, Fd)> {
        self.call(|k, pid| k.pipe(pid))
    }

    fn seek(&self, fd: Fd, to: Whence) -> Result<u64> {
        self.call(|k, pid| k.seek(pid, fd, to))
    }

    async fn poll(&self, fds: &[PollFd], timeout: Option<Duration>) -> Result<Vec<PollFd>> {
        let deadline = timeout.map(|time| self.machine.now() + time);
        let answers = self
            .wait_until(deadline, |k, pid, waker| match k.poll(pid, fds, waker) {
                Ok(Some(answers)) => Poll::Ready(Ok(answers)),
                Ok(None) => Poll::Pending,
                Err(errno) => Poll::Ready(Err(errno)),
            })
            .await?;
        let none = || fds.iter().map(|asked| PollFd { fd: asked.fd, ..PollFd::default() }).collect();
        Ok(answers.unwrap_or_else(none))
    }

    fn stat(&self, path: &str) -> Result<Stat> {
        self.call(|k, pid| k.stat(pid, path, true))
    }

    fn lstat(&self, path: &str) -> Result<Stat> {
        self.call(|k, pid| k.stat(pid, path, false))
    }

    fn fstat(&self, fd: Fd) -> Result<Stat> {
        self.call(|k, pid| k.fstat(pid, fd))
    }

    fn read_dir(&self, path: &str) -> Result<Vec<DirEntry>> {
        self.call(|k, pid| k.read_dir(pid, path))
    }

    fn access(&self, path: &str, mode: u32) -> Result<()> {
        self.call(|k, pid| k.access(pid, path, mode))
    }

    fn mkdir(&self, path: &str, mode: u32) -> Result<()> {
        self.call(|k, pid| k.mkdir(pid, path, mode))
    }

    fn rmdir(&self, path: &str) -> Result<()> {
        self.call(|k, pid| k.rmdir(pid, path))
    }

    fn unlink(&self, path: &str) -> Result<()> {
        self.call(|k, pid| k.unlink(pid, path))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.call(|k, pid| k.rename(pid, from, to))
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.call(|k, pid| k.link(pid, from, to))
    }

    fn symlink(&self, target: &str, path: &str) -> Result<()> {
        self.call(|k, pid| k.symlink(pid, target, path))
    }

    fn read_link(&self, path: &str) -> Result<String> {
        self.call(|k, pid| k.read_link(pid, path))
    }

    fn mknod(&self, path: &str, kind: FileKind, mode: u32, device: (u32, u32)) -> Result<()> {
        self.call(|k, pid| k.mknod(pid, path, kind, mode, device))
    }

    fn chmod(&self, path: &str, mode: u32) -> Result<()> {
        self.call(|k, pid| k.chmod(pid, path, mode))
    }

    fn chown(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
        self.call(|k, pid| k.chown(pid, path, uid, gid, follow))
    }

    fn set_times(&self, path: &str, atime: Option<Duration>, mtime: Option<Duration>) -> Result<()> {
        self.call(|k, pid| k.set_times(pid, path, atime, mtime))
    }

    fn truncate(&self, path: &str, size: u64) -> Result<()> {
        self.call(|k, pid| k.truncate(pid, path, size))
    }

    fn statfs(&self, path: &str) -> Result<StatFs> {
        self.call(|k, pid| k.statfs(pid, path))
    }

    fn sync(&self) {}

    fn mount(&self, source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<()> {
        self.call(|k, pid| k.mount(pid, source, target, kind, flags, options))
    }

    fn umount(&self, target: &str, lazy: bool) -> Result<()> {
        self.call(|k, pid| k.umount(pid, target, lazy))
    }

    fn chroot(&self, path: &str) -> Result<()> {
        self.call(|k, pid| k.chroot(pid, path))
    }

    fn pid(&self) -> Pid {
        self.call(|k, pid| k.process(pid).map_or(0, |p| p.inner_pid()))
    }

    fn parent_pid(&self) -> Pid {
        self.call(|k, pid| k.process(pid).map_or(0, |p| k.inner_pid(p.ns.pid, p.parent)))
    }

    fn ids(&self) -> Ids {
        self.call(|k, pid| k.process(pid).map(|p| p.creds.ids()).unwrap_or_default())
    }

    fn set_ids(&self, uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
        self.call(|k, pid| k.set_ids(pid, uid, gid, groups))
    }

    fn cwd(&self) -> Result<String> {
        self.call(|k, pid| k.cwd(pid))
    }

    fn chdir(&self, path: &str) -> Result<()> {
        self.call(|k, pid| k.chdir(pid, path))
    }

    fn umask(&self, mask: u32) -> u32 {
        self.call(|k, pid| match k.process_mut(pid) {
            Ok(process) => std::mem::replace(&mut process.umask, mask & 0o777),
            Err(_) => 0o022,
        })
    }

    fn fork<F>(&self, body: F) -> Result<Pid>
    where
        F: FnOnce(Self) -> LocalFut<i32> + 'static,
    {
        let child = self.call(|k, pid| k.fork(pid))?;
        self.machine.start(child, body);
        Ok(self.call(|k, pid| k.process(pid).map_or(child, |p| k.inner_pid(p.ns.pid, child))))
    }

    async fn exec(&self, path: &str, argv: &[String], env: &[(String, String)]) -> Errno {
        if let Err(errno) = self.wait_for(|_, _, _| Poll::Ready(Ok(()))).await {
            return errno;
        }
        self.machine.kernel(|k| k.current = self.pid);
        match self.machine.exec(self.pid, path, argv, env) {
            // This future is dropped for the new program's.
            Ok(()) => pending().await,
            Err(errno) => errno,
        }
    }

    async fn exit(&self, code: i32) -> ! {
        self.call(|k, pid| k.terminate(pid, Status::Exited(code as u8)));
        pending().await
    }

    async fn wait(&self, wait: Wait) -> Result<(Pid, Status)> {
        self.wait_for(|k, pid, waker| k.wait(pid, wait, waker)).await
    }

    fn kill(&self, pid: Pid, signal: Signal) -> Result<()> {
        self.call(|k, own| k.kill(own, pid, signal))
    }

    fn sigaction(&self, signal: Signal, to: Disposition) -> Result<Disposition> {
        self.call(|k, pid| k.sigaction(pid, signal, to))
    }

    fn take_signal(&self) -> Option<Signal> {
        self.call(|k, pid| k.take_signal(pid))
    }

    async fn pause(&self) -> Signal {
        poll_fn(|cx| {
            self.machine.kernel(|k| {
                if let Some(signal) = k.take_signal(self.pid) {
                    return Poll::Ready(signal);
                }
                if let Ok(process) = k.process(self.pid) {
                    process.calls.add(cx.waker());
                }
                Poll::Pending
            })
        })
        .await
    }

    fn set_process_group(&self, pid: Pid, group: Pid) -> Result<()> {
        self.call(|k, own| k.set_process_group(own, pid, group))
    }

    fn process_group(&self) -> Pid {
        self.call(|k, pid| k.process(pid).map_or(0, |p| k.inner_group(p.ns.pid, p.group)))
    }

    fn new_session(&self) -> Result<Pid> {
        self.call(|k, pid| k.new_session(pid))
    }

    fn limit(&self, limit: Limit) -> Result<LimitPair> {
        self.call(|k, pid| Ok(k.process(pid)?.limit(limit)))
    }

    fn set_limit(&self, limit: Limit, to: LimitPair) -> Result<()> {
        self.call(|k, pid| {
            let process = k.process_mut(pid)?;
            // No limit is above every other.
            let value = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
            if value(to.soft) > value(to.hard) {
                return Err(Errno::EINVAL);
            }
            let raised = value(to.hard) > value(process.limit(limit).hard);
            if raised && !process.creds.can(Cap::SysResource) {
                return Err(Errno::EPERM);
            }
            process.limits.insert(limit, to);
            Ok(())
        })
    }

    fn set_priority(&self, pid: Pid, nice: i32) -> Result<()> {
        self.call(|k, own| {
            let namespace = k.process(own)?.ns.pid;
            let target = if pid == 0 { own } else { k.host_pid(namespace, pid).ok_or(Errno::ESRCH)? };
            let may_raise = k.process(own)?.creds.can(Cap::SysNice);
            let process = k.process_mut(target)?;
            let nice = nice.clamp(-20, 19);
            if nice < process.nice && !may_raise {
                return Err(Errno::EACCES);
            }
            process.nice = nice;
            Ok(())
        })
    }

    fn is_tty(&self, fd: Fd) -> bool {
        self.call(|k, pid| k.tty(pid, fd).is_ok())
    }

    fn window_size(&self, fd: Fd) -> Result<WindowSize> {
        self.call(|k, pid| Ok(k.tty(pid, fd)?.size()))
    }

    fn set_window_size(&self, fd: Fd, size: WindowSize) -> Result<()> {
        self.call(|k, pid| {
            let tty = k.tty(pid, fd)?;
            k.resize_tty(&tty, size);
            Ok(())
        })
    }

    fn tty_mode(&self, fd: Fd) -> Result<TtyMode> {
        self.call(|k, pid| Ok(if k.tty(pid, fd)?.is_raw() { TtyMode::Raw } else { TtyMode::Cooked }))
    }

    fn set_tty_mode(&self, fd: Fd, mode: TtyMode) -> Result<()> {
        self.call(|k, pid| {
            k.tty(pid, fd)?.set_raw(mode == TtyMode::Raw);
            Ok(())
        })
    }

    fn foreground_group(&self, fd: Fd) -> Result<Pid> {
        self.call(|k, pid| k.foreground_group(pid, fd))
    }

    fn set_foreground_group(&self, fd: Fd, group: Pid) -> Result<()> {
        self.call(|k, pid| k.set_foreground_group(pid, fd, group))
    }

    fn now(&self) -> Duration {
        self.machine.now()
    }

    fn uptime(&self) -> Duration {
        self.call(|k, _| k.uptime())
    }

    async fn sleep(&self, time: Duration) -> Result<()> {
        self.pass_time(time).await
    }

    fn times(&self) -> ((Duration, Duration), (Duration, Duration)) {
        self.call(|k, pid| k.times(pid))
    }

    async fn charge(&self, cost: Cost) {
        // Where its group may not kill, a process waits until there is memory again.
        while self.machine.kernel(|k| k.must_wait_for_memory(self.pid, cost)) {
            self.machine.executor().sleep_until(self.machine.now() + Duration::from_millis(100)).await;
        }
        if let Some(time) = self.machine.kernel(|k| k.charge(self.pid, cost)) {
            self.machine.executor().sleep_until(time).await;
        }
        let mut yielded = false;
        poll_fn(|cx| {
            let (alive, spent) = self.machine.kernel(|k| {
                let running = k.process(self.pid).is_ok_and(|p| matches!(p.state, State::Running | State::Stopped(_)));
                (running, k.slice >= QUANTUM)
            });
            if alive && (!spent || std::mem::replace(&mut yielded, true)) {
                return Poll::Ready(());
            }
            if alive {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    fn uname(&self) -> Uname {
        self.call(|k, pid| Uname {
            sysname: "Linux".into(),
            nodename: k.process(pid).map(|p| p.ns.uts.borrow().hostname.clone()).unwrap_or_default(),
            release: k.config.release.clone(),
            version: k.config.version.clone(),
            machine: k.config.architecture.clone(),
        })
    }

    fn set_hostname(&self, name: &str) -> Result<()> {
        self.call(|k, pid| {
            k.filter(pid, "sethostname")?;
            let process = k.process(pid)?;
            if !process.creds.can(Cap::SysAdmin) {
                return Err(Errno::EPERM);
            }
            if name.len() > 64 {
                return Err(Errno::EINVAL);
            }
            process.ns.uts.borrow_mut().hostname = name.to_string();
            Ok(())
        })
    }

    fn random(&self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.machine.random(&mut bytes);
        bytes
    }

    fn socket(&self, kind: SocketKind) -> Result<Fd> {
        self.call(|k, pid| k.socket(pid, kind))
    }

    fn bind(&self, fd: Fd, address: &Address) -> Result<()> {
        self.call(|k, pid| k.bind_socket(pid, fd, address))
    }

    fn listen(&self, fd: Fd, backlog: u32) -> Result<()> {
        self.call(|k, pid| k.listen(pid, fd, backlog))
    }

    async fn connect(&self, fd: Fd, address: &Address) -> Result<()> {
        let outcome = self.wait_for(|k, pid, _| Poll::Ready(Ok(k.connect(pid, fd, address)))).await?;
        self.pass_time(outcome.after).await?;
        outcome.result
    }

    async fn accept(&self, fd: Fd) -> Result<(Fd, Address)> {
        self.wait_for(|k, pid, waker| k.accept(pid, fd, waker)).await
    }

    async fn send_to(&self, fd: Fd, bytes: &[u8], to: &Address) -> Result<usize> {
        if let Some((_, time)) = self.machine.kernel(|k| k.held_back(self.pid, fd, bytes.len(), Some(to))) {
            self.pass_time(time).await?;
        }
        self.wait_for(|k, pid, _| Poll::Ready(k.send_to(pid, fd, bytes, to))).await
    }

    async fn receive_from(&self, fd: Fd, max: usize, timeout: Option<Duration>) -> Result<(Vec<u8>, Address)> {
        let deadline = timeout.map(|time| self.machine.now() + time);
        let received = self.wait_until(deadline, |k, pid, waker| k.receive_from(pid, fd, max, waker)).await?;
        received.ok_or(Errno::EAGAIN)
    }

    fn shutdown(&self, fd: Fd) -> Result<()> {
        self.call(|k, pid| k.shutdown(pid, fd))
    }

    fn local_address(&self, fd: Fd) -> Result<Address> {
        self.call(|k, pid| k.local_address(pid, fd))
    }

    async fn ping(&self, to: IpAddr, _sequence: u16, size: usize, timeout: Duration) -> Result<Duration> {
        let (result, after) = self.call(|k, pid| k.ping(pid, to, size, timeout));
        self.pass_time(after).await?;
        result.map(|()| after)
    }

    fn interfaces(&self) -> Result<Vec<Interface>> {
        self.call(|k, pid| Ok(k.net.interfaces(&k.process(pid)?.ns.net)))
    }

    fn routes(&self) -> Result<Vec<Route>> {
        self.call(|k, pid| Ok(k.net.routes(&k.process(pid)?.ns.net)))
    }
}
