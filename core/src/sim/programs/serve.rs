//! What every small server of the hub has in common: one process that waits for callers, for their bytes
//! and for signals at once, and answers each request as it is complete.

use cutaway_userland::os::{Address, Disposition, Fd, Os, PollFd, Signal, SocketKind};
use cutaway_userland::sorted::Map as BTreeMap;
use cutaway_userland::{Errno, os};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The most bytes that one unfinished request may have.
const REQUEST_LIMIT: usize = 256 << 20;

/// What a server makes of the bytes that one caller has sent so far.
pub enum Taken {
    /// The request is not complete.
    More,
    /// `used` bytes were a request, and this is its answer.
    Reply { used: usize, bytes: Vec<u8>, close: bool },
}

/// A socket that waits for callers on `port` of all addresses, of both versions.
pub fn listen<O: Os>(os: &O, port: u16) -> os::Result<Fd> {
    listen_at(os, Ipv6Addr::UNSPECIFIED.into(), port)
}

/// A socket that waits for callers on `port` of one address.
pub fn listen_at<O: Os>(os: &O, address: IpAddr, port: u16) -> os::Result<Fd> {
    let fd = os.socket(SocketKind::Tcp)?;
    let at = Address::Inet(SocketAddr::new(address, port));
    if let Err(errno) = os.bind(fd, &at).and_then(|()| os.listen(fd, 511)) {
        let _ = os.close(fd);
        return Err(errno);
    }
    Ok(fd)
}

/// Has these signals interrupt the server instead of ending it.
pub fn catch<O: Os>(os: &O, signals: &[Signal]) {
    for signal in signals {
        let _ = os.sigaction(*signal, Disposition::Catch);
    }
}

/// Writes all of `bytes`, or fails as `write` does.
pub async fn write_all<O: Os>(os: &O, fd: Fd, mut bytes: &[u8]) -> os::Result<()> {
    while !bytes.is_empty() {
        match os.write(fd, bytes).await {
            Ok(0) => return Err(Errno::EIO),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Prints a line; where nobody reads it, it is lost.
pub async fn say<O: Os>(os: &O, fd: Fd, line: &str) {
    let _ = write_all(os, fd, format!("{line}\n").as_bytes()).await;
}

struct Caller {
    from: Address,
    listener: usize,
    bytes: Vec<u8>,
}

/// Serves until a caught signal ends it: `on_bytes` gets the index of the listener, what a caller has sent
/// so far and who it is; `on_signal` gives the exit status where the signal means the end.
pub async fn serve<O: Os>(
    os: &O,
    listeners: &[Fd],
    mut on_bytes: impl AsyncFnMut(usize, &[u8], &Address) -> Taken,
    mut on_signal: impl AsyncFnMut(Signal) -> Option<i32>,
) -> i32 {
    let mut callers: BTreeMap<Fd, Caller> = BTreeMap::new();
    loop {
        while let Some(signal) = os.take_signal() {
            if let Some(status) = on_signal(signal).await {
                return status;
            }
        }
        let asked: Vec<PollFd> = listeners
            .iter()
            .chain(callers.keys())
            .map(|fd| PollFd { fd: *fd, read: true, ..PollFd::default() })
            .collect();
        let ready = match os.poll(&asked, None).await {
            Ok(ready) => ready,
            Err(Errno::EINTR) => continue,
            Err(_) => return 1,
        };
        for answer in ready.iter().filter(|a| a.read || a.hangup) {
            if let Some(listener) = listeners.iter().position(|l| *l == answer.fd) {
                if let Ok((fd, from)) = os.accept(answer.fd).await {
                    callers.insert(fd, Caller { from, listener, bytes: Vec::new() });
                }
            } else if let Some(mut caller) = callers.remove(&answer.fd) {
                if hear(os, answer.fd, &mut caller, &mut on_bytes).await {
                    callers.insert(answer.fd, caller);
                } else {
                    let _ = os.close(answer.fd);
                }
            }
        }
    }
}

/// Reads what a caller sent and answers what is complete; whether the connection stays.
async fn hear<O: Os>(
    os: &O,
    fd: Fd,
    caller: &mut Caller,
    on_bytes: &mut impl AsyncFnMut(usize, &[u8], &Address) -> Taken,
) -> bool {
    match os.read(fd, 65536).await {
        Ok(bytes) if bytes.is_empty() => return false,
        Ok(bytes) => caller.bytes.extend_from_slice(&bytes),
        Err(Errno::EINTR | Errno::EAGAIN) => return true,
        Err(_) => return false,
    }
    if caller.bytes.len() > REQUEST_LIMIT {
        return false;
    }
    while !caller.bytes.is_empty() {
        match on_bytes(caller.listener, &caller.bytes, &caller.from).await {
            Taken::More => return true,
            Taken::Reply { used, bytes, close } => {
                caller.bytes.drain(..used.min(caller.bytes.len()));
                if write_all(os, fd, &bytes).await.is_err() || close {
                    return false;
                }
            }
        }
    }
    true
}
