//! What is said between the supervisor and a container's first process while it sets itself up.
//!
//! One operation at a time goes over a socket, as its length and JSON; the answer is an error number (0 for
//! done), what failed, and sometimes a descriptor: the terminal that was opened inside. Everything has been
//! resolved to the host's terms before: the process inside knows neither records nor ids.

use crate::sys::c_string;
use crate::world::store::overlay::Overlay;
use nix::Result;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Capability sets as the kernel's bit masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityMasks {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum InitOp {
    Rootfs {
        overlay: Overlay,
    },
    Bind {
        host: String,
        subpath: String,
        target: String,
        read_only: bool,
        recursive: bool,
        propagation: String,
    },
    Tmpfs {
        target: String,
        options: String,
    },
    Filesystem {
        kind: String,
        device: String,
        target: String,
        options: String,
    },
    Proc,
    Sysfs {
        read_only: bool,
    },
    CgroupFs {
        read_only: bool,
        v1: Vec<(String, String)>,
        own_namespace: bool,
    },
    Devpts,
    Mqueue,
    Shm {
        size: u64,
    },
    Device {
        path: String,
        kind: char,
        major: u32,
        minor: u32,
        mode: u32,
        uid: u32,
        gid: u32,
        host: String,
    },
    DevLinks,
    PivotRoot {
        terminal: bool,
    },
    Mask {
        path: String,
    },
    ReadonlyPath {
        path: String,
    },
    ReadonlyRoot,
    Sysctl {
        name: String,
        value: String,
    },
    Hostname(String),
    Domainname(String),
    Rlimit {
        resource: u32,
        soft: u64,
        hard: u64,
    },
    OomScoreAdj(i32),
    WorkingDirectory {
        path: String,
    },
    NoNewPrivileges,
    Capabilities(CapabilityMasks),
    User {
        uid: u32,
        gid: u32,
        groups: Vec<u32>,
    },
    /// A compiled filter: `struct sock_filter`s of 8 bytes each.
    Seccomp {
        program: Vec<u8>,
    },
    Exec {
        argv: Vec<String>,
        env: Vec<(String, String)>,
    },
}

/// How an operation failed inside.
#[derive(Debug)]
pub struct Refusal {
    pub errno: Errno,
    pub what: String,
}

/// One end of the socket.
pub struct Channel(File);

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Channel {
        Channel(File::from(fd))
    }
}

impl Channel {
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Sends one operation, or anything else that both sides know the type of.
    pub fn send<T: Serialize>(&self, op: &T) -> Result<()> {
        let body = serde_json::to_vec(op).map_err(|_| Errno::EINVAL)?;
        let mut message = (body.len() as u32).to_le_bytes().to_vec();
        message.extend(body);
        // MSG_NOSIGNAL: a first process that is gone must not end the supervisor by SIGPIPE.
        let mut rest = message.as_slice();
        while !rest.is_empty() {
            let n = nix::sys::socket::send(self.0.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL)?;
            rest = &rest[n..];
        }
        Ok(())
    }

    /// The next operation; `None` where the other side has gone.
    pub fn receive<T: for<'a> Deserialize<'a>>(&self) -> Option<T> {
        let mut length = [0; 4];
        (&self.0).read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        (&self.0).read_exact(&mut body).ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// Sends the answer to an operation.
    pub fn answer(&self, outcome: std::result::Result<Option<OwnedFd>, Refusal>) -> Result<()> {
        let (errno, what, fd) = match outcome {
            Ok(fd) => (0, String::new(), fd),
            Err(refusal) => (refusal.errno as i32, refusal.what, None),
        };
        let mut head = errno.to_le_bytes().to_vec();
        head.extend((what.len() as u32).to_le_bytes());
        let raw: Vec<RawFd> = fd.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&head)], control, MsgFlags::MSG_NOSIGNAL, None)?;
        (&self.0).write_all(what.as_bytes()).map_err(|e| crate::sys::errno_of(&e))
    }

    /// The answer to an operation; `None` where the other side has gone (which `Exec` means to).
    pub fn outcome(&self) -> Result<Option<std::result::Result<Option<OwnedFd>, Refusal>>> {
        let mut head = [0u8; 8];
        let mut space = nix::cmsg_space!([RawFd; 1]);
        let (bytes, fd) = loop {
            let mut parts = [IoSliceMut::new(&mut head)];
            match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
                Err(Errno::EINTR) => continue,
                Err(Errno::ECONNRESET) => return Ok(None),
                Err(e) => return Err(e),
                Ok(message) => {
                    let mut fd = None;
                    for control in message.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(fds) = control {
                            for raw in fds {
                                // SAFETY: the kernel has just made this descriptor for us.
                                fd = Some(unsafe { OwnedFd::from_raw_fd(raw) });
                            }
                        }
                    }
                    break (message.bytes, fd);
                }
            }
        };
        if bytes == 0 {
            return Ok(None);
        }
        (&self.0).read_exact(&mut head[bytes..]).map_err(|e| crate::sys::errno_of(&e))?;
        let errno = i32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let mut what = vec![0; length.min(1 << 16)];
        (&self.0).read_exact(&mut what).map_err(|e| crate::sys::errno_of(&e))?;
        if errno == 0 {
            return Ok(Some(Ok(fd)));
        }
        let what = String::from_utf8_lossy(&what).into_owned();
        Ok(Some(Err(Refusal { errno: Errno::from_raw(errno), what })))
    }
}

/// Strings for `execve`.
pub fn c_strings(words: &[String]) -> Result<Vec<std::ffi::CString>> {
    words.iter().map(c_string).collect()
}

/// A connected pair of sockets, closed on exec.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
}
