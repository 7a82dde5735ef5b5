//! What listens on a host that others are to reach: `dockerd`, whose port tells that an engine is there and
//! how it wants to be spoken to, and `sshd`.

use super::super::programs::http::{self, Response};
use super::super::programs::serve::{Taken, catch, listen, say, serve};
use cutaway_userland::os::{LocalFut, Os, Signal};

/// The port of an engine that speaks TLS.
pub const TLS_PORT: u16 = 2376;
/// What Go's server answers on such a port to who does not.
pub const WANTS_TLS: &str = "Client sent an HTTP request to an HTTPS server.";

/// Serves the port until it is told to end. The work itself is done in the process of the `docker` that asks.
pub fn dockerd<O: Os>(os: O, _argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let Ok(listener) = listen(&os, TLS_PORT) else {
            say(&os, 2, &format!("failed to load listeners: listen tcp 0.0.0.0:{TLS_PORT}: address already in use"))
                .await;
            return 1;
        };
        catch(&os, &[Signal::TERM, Signal::INT]);
        let answer = async |_: usize, bytes: &[u8], _: &_| {
            http::take(bytes, "Docker", async |_| Response::new(400, "text/plain; charset=utf-8", WANTS_TLS)).await
        };
        serve(&os, &[listener], answer, async |_| Some(0)).await
    })
}

/// Greets. Who has been let in gets a process from `docker-machine ssh`.
pub fn sshd<O: Os>(os: O, _argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let Ok(listener) = listen(&os, 22) else {
            say(&os, 2, "error: Bind to port 22 on 0.0.0.0 failed: Address already in use.").await;
            return 255;
        };
        catch(&os, &[Signal::TERM, Signal::INT]);
        let answer = async |_: usize, bytes: &[u8], _: &_| Taken::Reply {
            used: bytes.len(),
            bytes: b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            close: true,
        };
        serve(&os, &[listener], answer, async |_| Some(0)).await
    })
}
