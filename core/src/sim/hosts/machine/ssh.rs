//! `docker-machine ssh`: a command, or a shell, on another host, with the caller's streams.

use super::{Ending, Run, State};
use crate::engine::race::{First, race};
use crate::sim::hosts::{HOME, dial, environment, spawn};
use crate::sim::kernel::{ExitWatch, Machine, SimOs, StdStream};
use cutaway_userland::Errno;
use cutaway_userland::os::{Fd, Os, TtyMode, WindowSize};
use std::cell::RefCell;

pub async fn ssh(run: &Run) -> Ending {
    let command = run.args.words.get(1..).unwrap_or(&[]);
    let record = run.target().await?;
    if run.known_state(&record)? != State::Running {
        return Err(format!("Error: Cannot run SSH command: Host {:?} is not running", record.name));
    }
    let host = dial::over_ssh(&run.here, &record.user, &record.ip, record.ssh_port)
        .await
        .map_err(|why| format!("{why}\nexit status 255"))?;
    let machine = host.world.machine().clone();
    drop(host);
    let status = match command {
        [] if run.here.os.is_tty(0) => shell(&run.here.os, &machine, run.env("TERM")).await,
        words => piped(&run.here.os, &machine, words).await,
    };
    match status {
        Ok(0) => Ok(0),
        Ok(status) => Err(format!("exit status {status}")),
        Err(errno) => Err(format!("{errno}")),
    }
}

/// Starts the words, as sshd does, in the user's shell; without words, the shell.
fn start(machine: &Machine, words: &[String], stdio: [StdStream; 3], term: &str) -> Result<ExitWatch, Errno> {
    let pid = spawn(machine, stdio)?;
    machine.os(pid).chdir(HOME)?;
    let argv: Vec<String> = match words {
        [] => vec!["-bash".into()],
        words => vec!["bash".into(), "-c".into(), words.join(" ")],
    };
    let mut env = environment();
    if !term.is_empty() {
        env.push(("TERM".into(), term.into()));
    }
    let watch = machine.watch_exit(pid).ok_or(Errno::ESRCH)?;
    machine.exec(pid, "/bin/bash", &argv, &env)?;
    Ok(watch)
}

/// With a terminal on the other host, while the own one passes every key on.
async fn shell(os: &SimOs, machine: &Machine, term: &str) -> Result<i32, Errno> {
    let size = os.window_size(0).unwrap_or(WindowSize { rows: 24, columns: 80 });
    let pty = machine.open_pty(size);
    let end = || StdStream::Pty(pty.clone());
    let watch = start(machine, &[], [end(), end(), end()], term)?;
    let _ = os.set_tty_mode(0, TtyMode::Raw);
    let keys = async {
        loop {
            match os.read(0, 4096).await {
                Ok(bytes) if bytes.is_empty() => std::future::pending().await,
                Ok(bytes) => pty.write(&bytes),
                Err(Errno::EINTR) => {}
                Err(_) => std::future::pending().await,
            }
        }
    };
    let screen = async {
        loop {
            let bytes = pty.read(4096).await;
            if bytes.is_empty() {
                std::future::pending::<()>().await;
            }
            let _ = cutaway_userland::io::write_all(os, 1, &bytes).await;
        }
    };
    let status = match race(watch.wait(), race(keys, screen)).await {
        First::Left(info) => info.status.code(),
        First::Right(First::Left(()) | First::Right(())) => 255,
    };
    let _ = cutaway_userland::io::write_all(os, 1, &pty.take_output()).await;
    let _ = os.set_tty_mode(0, TtyMode::Cooked);
    Ok(status)
}

/// The near ends of pipes, closed when they are done with, however that comes.
struct Ends {
    os: SimOs,
    open: RefCell<Vec<Fd>>,
}

impl Ends {
    fn close(&self, fd: Fd) {
        let was_open = self.open.borrow().contains(&fd);
        if was_open {
            self.open.borrow_mut().retain(|open| *open != fd);
            let _ = self.os.close(fd);
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        for fd in self.open.take() {
            let _ = self.os.close(fd);
        }
    }
}

/// With pipes.
async fn piped(os: &SimOs, machine: &Machine, words: &[String]) -> Result<i32, Errno> {
    let far = machine.os(Machine::INIT);
    let pipes = [machine.pipe(), machine.pipe(), machine.pipe()];
    let [(input, to), (out, out_end), (err, err_end)] = pipes;
    let end = |fd: Fd| StdStream::Fd(Machine::INIT, fd);
    let started = start(machine, words, [end(input), end(out_end), end(err_end)], "");
    let ends = Ends { os: far.clone(), open: RefCell::new(vec![to, out, err]) };
    for fd in [input, out_end, err_end] {
        let _ = far.close(fd);
    }
    let copy = async |from: Fd, own: Fd| {
        while let Ok(bytes) = far.read(from, 65536).await {
            if bytes.is_empty() || cutaway_userland::io::write_all(os, own, &bytes).await.is_err() {
                break;
            }
        }
    };
    let feed = async {
        loop {
            match os.read(0, 65536).await {
                Ok(bytes) if !bytes.is_empty() => {
                    if cutaway_userland::io::write_all(&far, to, &bytes).await.is_err() {
                        break;
                    }
                }
                Err(Errno::EINTR) => {}
                _ => break,
            }
        }
        ends.close(to);
        std::future::pending::<()>().await;
    };
    let both = async {
        let (mut a, mut b) = (std::pin::pin!(copy(out, 1)), std::pin::pin!(copy(err, 2)));
        match race(a.as_mut(), b.as_mut()).await {
            First::Left(()) => b.await,
            First::Right(()) => a.await,
        }
    };
    let watch = started?;
    race(both, feed).await;
    Ok(watch.wait().await.status.code())
}
