//! Talking with a container: its output to the client, the client's input and signals to it, until one side
//! ends or the detach keys are typed. Also `docker attach`.

use super::{find, find_by_id};
use crate::cli::Args;
use crate::container::{ContainerRecord, Status};
use crate::engine::{Ctx, Error, Result, settings};
use crate::world::acts::DeliverSignal;
use crate::world::{Chunk, Console, Fault, LocalFut, Stream, World};
use cutaway_userland::os::Signal;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Which streams are connected, and how.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub input: bool,
    pub output: bool,
    pub errors: bool,
    pub tty: bool,
    /// Bytes that detach, as `^P^Q`.
    pub detach_keys: Vec<u8>,
    /// The container that the client's signals are passed to.
    pub signals_to: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The container's side has ended.
    Closed,
    Detached,
    /// A signal ended the client.
    Signal(Signal),
}

enum Happened {
    Output(Option<Chunk>),
    Input(std::result::Result<Vec<u8>, Fault>),
    Signal(Signal),
}

/// Passes bytes and signals between the client and a console.
pub(super) async fn pump<W: World>(ctx: &Ctx<W>, console: Rc<dyn Console>, streams: &Streams) -> End {
    let raw = streams.tty && streams.input && ctx.client.is_tty(Stream::In);
    if raw {
        ctx.client.set_raw(true);
    }
    if streams.tty
        && let Some(size) = ctx.client.window_size()
    {
        console.resize(size);
    }
    let end = exchange(ctx, &*console, streams).await;
    if raw {
        ctx.client.set_raw(false);
    }
    end
}

async fn exchange<W: World>(ctx: &Ctx<W>, console: &dyn Console, streams: &Streams) -> End {
    let wants_signals = streams.signals_to.is_some() || (streams.tty && ctx.client.window_size().is_some());
    let mut output: LocalFut<Option<Chunk>> = console.read();
    let mut input = streams.input.then(|| ctx.client.read(4096));
    let mut signal = wants_signals.then(|| ctx.client.signal());
    let mut keys = DetachKeys { keys: streams.detach_keys.clone(), seen: 0 };
    loop {
        let happened = poll_fn(|cx| {
            if let Poll::Ready(chunk) = output.as_mut().poll(cx) {
                return Poll::Ready(Happened::Output(chunk));
            }
            if let Some(Poll::Ready(bytes)) = input.as_mut().map(|f| f.as_mut().poll(cx)) {
                return Poll::Ready(Happened::Input(bytes));
            }
            if let Some(Poll::Ready(s)) = signal.as_mut().map(|f| f.as_mut().poll(cx)) {
                return Poll::Ready(Happened::Signal(s));
            }
            Poll::Pending
        })
        .await;
        match happened {
            Happened::Output(None) => return End::Closed,
            Happened::Output(Some(chunk)) => {
                show(ctx, streams, &chunk).await;
                output = console.read();
            }
            Happened::Input(bytes) => {
                let bytes = bytes.unwrap_or_default();
                if bytes.is_empty() {
                    input = None;
                    console.close_input();
                    continue;
                }
                let (pass, detach) = if streams.tty { keys.filter(&bytes) } else { (bytes, false) };
                if !pass.is_empty() {
                    console.write(&pass).await;
                }
                if detach {
                    return End::Detached;
                }
                input = Some(ctx.client.read(4096));
            }
            Happened::Signal(s) => {
                signal = Some(ctx.client.signal());
                if let Some(end) = on_signal(ctx, console, streams, s).await {
                    return end;
                }
            }
        }
    }
}

async fn show<W: World>(ctx: &Ctx<W>, streams: &Streams, chunk: &Chunk) {
    let errors = chunk.from == Stream::Err;
    if (errors && streams.errors) || (!errors && streams.output) {
        ctx.client.write(chunk.from, &chunk.bytes).await;
    }
}

async fn on_signal<W: World>(ctx: &Ctx<W>, console: &dyn Console, streams: &Streams, signal: Signal) -> Option<End> {
    if signal == Signal::WINCH {
        if let Some(size) = ctx.client.window_size().filter(|_| streams.tty) {
            console.resize(size);
        }
        return None;
    }
    if matches!(signal, Signal::CHLD | Signal::PIPE | Signal::URG) {
        return None;
    }
    let Some(container) = &streams.signals_to else { return Some(End::Signal(signal)) };
    let act = DeliverSignal { container: container.clone(), signal };
    let _ = ctx.act("The client got this signal and passes it on", act).await;
    None
}

/// Looks for the detach keys in what is typed; a beginning of them is held back until the next key shows whether
/// it was one.
struct DetachKeys {
    keys: Vec<u8>,
    seen: usize,
}

impl DetachKeys {
    /// What to pass on, and whether to detach then.
    fn filter(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut pass = Vec::with_capacity(bytes.len());
        if self.keys.is_empty() {
            return (bytes.to_vec(), false);
        }
        for byte in bytes {
            if self.seen > 0 && self.keys[self.seen] != *byte {
                pass.extend_from_slice(&self.keys[..self.seen]);
                self.seen = 0;
            }
            if self.keys[self.seen] == *byte {
                self.seen += 1;
                if self.seen == self.keys.len() {
                    self.seen = 0;
                    return (pass, true);
                }
            } else {
                pass.push(*byte);
            }
        }
        (pass, false)
    }
}

/// The keys that were asked for, or that the person has set, or Docker's own.
///
/// # Errors
/// Keys that there are not, in the words of Docker's client where its request is refused.
pub(super) async fn keys_to_detach<W: World>(ctx: &Ctx<W>, asked: Option<&str>) -> Result<Vec<u8>> {
    let set = match asked {
        Some(_) => None,
        None => settings::setting(ctx, "detachKeys").await,
    };
    match detach_keys(asked.or(set.as_deref())) {
        Ok(keys) => Ok(keys),
        Err(_) => {
            ctx.warn("unable to upgrade to tcp, received 400\n").await;
            Err(Error::Status(1))
        }
    }
}

/// `ctrl-p,ctrl-q` as bytes; nothing given is that.
///
/// # Errors
/// `Invalid escape keys (x) provided`.
pub(super) fn detach_keys(text: Option<&str>) -> Result<Vec<u8>> {
    let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(vec![16, 17]) };
    let key = |part: &str| match part.strip_prefix("ctrl-") {
        Some(letter) => match letter.as_bytes() {
            [b @ b'a'..=b'z'] => Some(b - b'a' + 1),
            [b'@'] => Some(0),
            [b @ b'['..=b'_'] => Some(b - b'[' + 27),
            _ => None,
        },
        None if part == "DEL" => Some(127),
        None if part.len() == 1 => Some(part.as_bytes()[0]),
        None => None,
    };
    let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
    keys.ok_or_else(|| Error::Daemon(format!("Invalid escape keys ({text}) provided")))
}

/// Says that a terminal was asked for and the client's input is none.
pub(super) async fn check_tty<W: World>(ctx: &Ctx<W>, input: bool, tty: bool) -> Result<()> {
    if input && tty && !ctx.client.is_tty(Stream::In) {
        ctx.warn("the input device is not a TTY\n").await;
        return Err(Error::Status(1));
    }
    Ok(())
}

/// `docker attach`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let record = find(ctx, args.word(0)).await?;
    let refuse = |text: &str| Err(Error::Client(text.into()));
    match record.state.status {
        Status::Paused => return refuse("You cannot attach to a paused container, unpause it first"),
        Status::Restarting => return refuse("You cannot attach to a restarting container, wait until it is running"),
        Status::Running => {}
        _ => return refuse("You cannot attach to a stopped container, start it first"),
    }
    let config = &record.config;
    let input = !args.flag("no-stdin") && config.open_stdin;
    check_tty(ctx, input, config.tty).await?;
    let keys = keys_to_detach(ctx, args.value("detach-keys")).await?;
    let console = ctx.world().attach(&record.id).await?;
    let proxy = args.flag_or("sig-proxy", true) && !config.tty;
    let streams = Streams {
        input,
        output: true,
        errors: true,
        tty: config.tty,
        detach_keys: keys,
        signals_to: proxy.then(|| record.id.clone()),
    };
    super::note(ctx, &record, "attach", &[]);
    match pump(ctx, console, &streams).await {
        End::Closed => Ok(code_after(ctx, &record).await),
        End::Detached => {
            super::note(ctx, &record, "detach", &[]);
            Err(Error::Client("read escape sequence".into()))
        }
        End::Signal(signal) => Err(Error::Status(128 + i32::from(signal.0))),
    }
}

/// The exit code of a container whose streams have ended; another process may still have to note it.
async fn code_after<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> i32 {
    if let Ok(exit) = ctx.world().wait_exit(&record.id).await {
        super::wait_stopped(ctx, &record.id, Some(Duration::from_secs(1))).await;
        return exit.code;
    }
    super::wait_stopped(ctx, &record.id, None).await;
    find_by_id(ctx, &record.id).map_or(0, |r| r.state.exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        assert_eq!(detach_keys(None), Ok(vec![16, 17]));
        assert_eq!(detach_keys(Some("ctrl-a,x")), Ok(vec![1, b'x']));
        assert!(detach_keys(Some("foo")).is_err());
        let mut keys = DetachKeys { keys: vec![16, 17], seen: 0 };
        assert_eq!(keys.filter(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.filter(b"c"), (b"\x10c".to_vec(), false));
        assert_eq!(keys.filter(b"d\x10\x11e"), (b"d".to_vec(), true));
        assert_eq!(keys.filter(b"\x10\x10\x11"), (b"\x10".to_vec(), true));
    }
}
