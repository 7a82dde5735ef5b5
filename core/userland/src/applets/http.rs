//! HTTP/1.1 in the small: what `wget`, `curl` and `httpd` share (RFC 9112).

use super::{Tool, resolve};
use crate::errno::Errno;
use crate::os::{Address, Fd, Os, PollFd, SocketKind};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// No head of a message is longer than this.
const LONGEST_HEAD: usize = 64 * 1024;

/// An `http://` address, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub host: String,
    pub port: u16,
    pub path: String,
    /// `user:password`, where the address has them.
    pub user: Option<String>,
}

impl Url {
    /// `None` where it isn't HTTP (without a scheme it is taken to be) or the port is no number.
    pub fn parse(text: &str) -> Option<Url> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return None,
            None => text,
        };
        let rest = rest.split('#').next().unwrap_or("");
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_string()), host),
            None => (None, authority),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, 80),
        };
        if host.is_empty() {
            return None;
        }
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        Some(Url { host: host.to_string(), port, path, user })
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        if self.port == 80 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// What a `Location` header means, seen from here.
    pub fn join(&self, location: &str) -> Option<Url> {
        if location.contains("://") {
            return Url::parse(location);
        }
        let path = match location.strip_prefix('/') {
            Some(_) => location.to_string(),
            None => format!("{}/{location}", self.path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        Some(Url { path, ..self.clone() })
    }
}

/// The first line and the headers of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub first: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn parse(text: &str) -> Head {
        let mut lines = text.split('\n').map(|l| l.trim_end_matches('\r'));
        let first = lines.next().unwrap_or("").to_string();
        let header = |l: &str| l.split_once(':').map(|(n, v)| (n.trim().to_string(), v.trim().to_string()));
        Head { first, headers: lines.filter_map(header).collect() }
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
    }
}

/// Waits for the first of the two.
pub async fn race<A>(work: impl Future<Output = A>, limit: impl Future) -> Option<A> {
    let (mut work, mut limit) = (pin!(work), pin!(limit));
    std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => limit.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    BadAddress,
    Connect(IpAddr, Errno),
    TimedOut,
    Response(Errno),
    /// The head of the answer is none.
    NoHttp,
}

pub async fn connect<O: Os>(t: &Tool<O>, ip: IpAddr, port: u16, limit: Option<Duration>) -> Result<Fd, Failure> {
    let fd = t.os.socket(SocketKind::Tcp).map_err(|e| Failure::Connect(ip, e))?;
    let address = Address::Inet(SocketAddr::new(ip, port));
    let connecting = t.os.connect(fd, &address);
    let done = match limit {
        Some(limit) => race(connecting, t.os.sleep(limit)).await.ok_or(Failure::TimedOut),
        None => Ok(connecting.await),
    };
    match done {
        Ok(Ok(())) => Ok(fd),
        Ok(Err(e)) => {
            t.close(fd);
            Err(Failure::Connect(ip, e))
        }
        Err(e) => {
            t.close(fd);
            Err(e)
        }
    }
}

/// A connection that is read from: with a limit to each wait, and what was read too far.
pub struct Stream<'a, O: Os> {
    pub t: &'a Tool<O>,
    pub fd: Fd,
    pub limit: Option<Duration>,
    buffer: Vec<u8>,
}

impl<'a, O: Os> Stream<'a, O> {
    pub fn new(t: &'a Tool<O>, fd: Fd, limit: Option<Duration>) -> Stream<'a, O> {
        Stream { t, fd, limit, buffer: Vec::new() }
    }

    async fn fill(&mut self) -> Result<bool, Failure> {
        if self.limit.is_some() {
            let asked = PollFd { fd: self.fd, read: true, ..PollFd::default() };
            let ready = self.t.os.poll(&[asked], self.limit).await.map_err(Failure::Response)?;
            if !ready.iter().any(|p| p.read || p.hangup) {
                return Err(Failure::TimedOut);
            }
        }
        let chunk = self.t.read(self.fd).await.map_err(Failure::Response)?;
        self.buffer.extend_from_slice(&chunk);
        Ok(!chunk.is_empty())
    }

    pub async fn head(&mut self) -> Result<Head, Failure> {
        loop {
            let end = self.buffer.windows(2).position(|w| w == b"\n\n").map(|p| p + 2);
            let end = self.buffer.windows(4).position(|w| w == b"\r\n\r\n").map(|p| p + 4).or(end);
            if let Some(end) = end {
                let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end);
                return Ok(Head::parse(&text));
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(Failure::NoHttp);
            }
            if !self.fill().await? {
                let begun = !self.buffer.is_empty();
                return Err(if begun { Failure::NoHttp } else { Failure::Response(Errno::ECONNRESET) });
            }
        }
    }

    async fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim().to_string());
            }
            if self.buffer.len() > LONGEST_HEAD || !self.fill().await? {
                return Err(Failure::NoHttp);
            }
        }
    }

    /// Gives the body of a response to `sink`, piece by piece.
    pub async fn body(&mut self, head: &Head, mut sink: impl AsyncFnMut(Vec<u8>)) -> Result<(), Failure> {
        if head.header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = self.line().await?;
                let size = line.split(';').next().unwrap_or("").trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| Failure::NoHttp)?;
                if size == 0 {
                    return Ok(());
                }
                self.some(size, &mut sink).await?;
                self.line().await?;
            }
        }
        match head.header("Content-Length").and_then(|v| v.parse().ok()) {
            Some(length) => self.some(length, &mut sink).await,
            None => loop {
                let piece = std::mem::take(&mut self.buffer);
                if !piece.is_empty() {
                    sink(piece).await;
                }
                if !self.fill().await? {
                    return Ok(());
                }
            },
        }
    }

    async fn some(&mut self, mut left: u64, sink: &mut impl AsyncFnMut(Vec<u8>)) -> Result<(), Failure> {
        while left > 0 {
            if self.buffer.is_empty() && !self.fill().await? {
                return Err(Failure::Response(Errno::ECONNRESET));
            }
            let take = left.min(self.buffer.len() as u64) as usize;
            let piece: Vec<u8> = self.buffer.drain(..take).collect();
            left -= take as u64;
            sink(piece).await;
        }
        Ok(())
    }
}

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn text(&self, url: &Url) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, url.path, url.authority());
        self.headers.iter().for_each(|(n, v)| head += &format!("{n}: {v}\r\n"));
        if let Some(user) = &url.user {
            head += &format!("Authorization: Basic {}\r\n", super::bytes::encode(user.as_bytes()));
        }
        if !self.body.is_empty() {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Finds the host, connects and sends. `told` hears of the address before the connection is made.
    pub async fn send<'a, O: Os>(
        &self,
        t: &'a Tool<O>,
        url: &Url,
        limit: Option<Duration>,
        told: impl FnOnce(IpAddr),
    ) -> Result<Stream<'a, O>, Failure> {
        let ip = resolve::resolve(t, &url.host).await.ok_or(Failure::BadAddress)?;
        told(ip);
        t.flush().await;
        let fd = connect(t, ip, url.port, limit).await?;
        t.write_all(fd, &self.text(url)).await.map_err(Failure::Response)?;
        Ok(Stream::new(t, fd, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart() {
        let url = |host: &str, port, path: &str| {
            Some(Url { host: host.to_string(), port, path: path.to_string(), user: None })
        };
        assert_eq!(Url::parse("http://web/"), url("web", 80, "/"));
        assert_eq!(Url::parse("web:8080/a?b#c"), url("web", 8080, "/a?b"));
        assert_eq!(Url::parse("http://web?x"), url("web", 80, "/?x"));
        assert_eq!(Url::parse("https://web/"), None);
        assert_eq!(Url::parse("http://:80/"), None);
        assert_eq!(Url::parse("http://a:b/"), None);
        let base = Url::parse("http://web/a/b").unwrap();
        assert_eq!(base.join("c").unwrap().path, "/a/c");
        assert_eq!(base.join("/c").unwrap().path, "/c");
        assert_eq!(base.join("http://other:1/x").unwrap().port, 1);
    }

    #[test]
    fn heads_are_read() {
        let head = Head::parse("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n");
        assert_eq!((head.status(), head.header("content-length")), (404, Some("3")));
    }
}
