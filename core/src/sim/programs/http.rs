//! HTTP/1.1 as far as small servers and registries speak it: messages read from bytes and written to them.
//! Source: RFC 9112.

use super::serve::{Taken, write_all};
use cutaway_userland::os::{Address, Os, SocketKind};
use cutaway_userland::{Errno, os};
use std::net::SocketAddr;

/// The most bytes that the head of a message may have.
const HEAD_LIMIT: usize = 64 << 10;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With its query, as it was sent.
    pub target: String,
    pub version: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a reader found in the bytes that came so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    More,
    Bad,
    /// The message and how many bytes it had.
    Done(T, usize),
}

/// The first header of this name, in any case.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

impl Request {
    pub fn get(target: &str, host: &str) -> Request {
        Request {
            method: "GET".into(),
            target: target.into(),
            version: "HTTP/1.1".into(),
            headers: vec![("Host".into(), host.into())],
            body: Vec::new(),
        }
    }

    /// The path without its query, its `%xx` read, as text.
    pub fn path(&self) -> String {
        percent_decode(self.target.split(['?', '#']).next().unwrap_or(""))
    }

    pub fn parse(bytes: &[u8]) -> Parsed<Request> {
        let Some((first, headers, head)) = split_head(bytes) else {
            return if bytes.len() > HEAD_LIMIT { Parsed::Bad } else { Parsed::More };
        };
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Parsed::Bad;
        };
        if !version.starts_with("HTTP/1.") || method.is_empty() {
            return Parsed::Bad;
        }
        let (method, target, version) = (method.to_string(), target.to_string(), version.to_string());
        match body_of(&headers, &bytes[head..], false) {
            Parsed::More => Parsed::More,
            Parsed::Bad => Parsed::Bad,
            Parsed::Done(body, used) => Parsed::Done(Request { method, target, version, headers, body }, head + used),
        }
    }

    /// Whether the caller wants to go on using the connection.
    pub fn keep_alive(&self) -> bool {
        match header(&self.headers, "connection") {
            Some(value) if value.eq_ignore_ascii_case("close") => false,
            Some(value) if value.eq_ignore_ascii_case("keep-alive") => true,
            _ => self.version == "HTTP/1.1",
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let given = header(&self.headers, "content-length").is_some();
        if !given && (!self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH")) {
            out.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        out.push_str("\r\n");
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Response {
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Response {
        Response { status, headers: vec![("Content-Type".into(), kind.into())], body: body.into() }
    }

    /// Reads an answer; `ended` says that no more bytes will come, `head_only` that it has no body (HEAD).
    pub fn parse(bytes: &[u8], ended: bool, head_only: bool) -> Parsed<Response> {
        let Some((first, headers, head)) = split_head(bytes) else {
            return if ended || bytes.len() > HEAD_LIMIT { Parsed::Bad } else { Parsed::More };
        };
        let Some(status) = first.split(' ').nth(1).and_then(|s| s.parse::<u16>().ok()) else { return Parsed::Bad };
        if !first.starts_with("HTTP/1.") {
            return Parsed::Bad;
        }
        let rest = &bytes[head..];
        if head_only || status == 204 || status == 304 || (100..200).contains(&status) {
            return Parsed::Done(Response { status, headers, body: Vec::new() }, head);
        }
        let sized = header(&headers, "content-length").is_some() || chunked(&headers);
        if !sized {
            return match ended {
                true => Parsed::Done(Response { status, headers, body: rest.to_vec() }, bytes.len()),
                false => Parsed::More,
            };
        }
        match body_of(&headers, rest, ended) {
            Parsed::More => Parsed::More,
            Parsed::Bad => Parsed::Bad,
            Parsed::Done(body, used) => Parsed::Done(Response { status, headers, body }, head + used),
        }
    }

    /// The message as it goes over the wire; `head_only` leaves the body out but tells its length.
    pub fn to_bytes(&self, head_only: bool) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in self.headers.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("transfer-encoding")) {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if header(&self.headers, "content-length").is_none() && self.status != 204 {
            out.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        out.push_str("\r\n");
        let mut bytes = out.into_bytes();
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// Takes one request off the bytes and has `answer` make its response.
pub async fn take(bytes: &[u8], server: &str, mut answer: impl AsyncFnMut(&Request) -> Response) -> Taken {
    match Request::parse(bytes) {
        Parsed::More => Taken::More,
        Parsed::Bad => {
            let mut response = Response::new(400, "text/plain", "Bad Request\n");
            response.headers.push(("Connection".into(), "close".into()));
            Taken::Reply { used: bytes.len(), bytes: response.to_bytes(false), close: true }
        }
        Parsed::Done(request, used) => {
            let mut response = answer(&request).await;
            let close = !request.keep_alive();
            if header(&response.headers, "server").is_none() && !server.is_empty() {
                response.headers.insert(0, ("Server".into(), server.into()));
            }
            response.headers.push(("Connection".into(), if close { "close" } else { "keep-alive" }.into()));
            Taken::Reply { used, bytes: response.to_bytes(request.method == "HEAD"), close }
        }
    }
}

/// Sends a request to a server and reads its whole answer.
pub async fn exchange<O: Os>(os: &O, to: SocketAddr, request: &Request) -> os::Result<Response> {
    let fd = os.socket(SocketKind::Tcp)?;
    let answer = exchange_over(os, fd, to, request).await;
    let _ = os.close(fd);
    answer
}

async fn exchange_over<O: Os>(os: &O, fd: os::Fd, to: SocketAddr, request: &Request) -> os::Result<Response> {
    os.connect(fd, &Address::Inet(to)).await?;
    write_all(os, fd, &request.to_bytes()).await?;
    let mut bytes = Vec::new();
    loop {
        let more = match os.read(fd, 65536).await {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let ended = more.is_empty();
        bytes.extend_from_slice(&more);
        match Response::parse(&bytes, ended, request.method == "HEAD") {
            Parsed::Done(response, _) => return Ok(response),
            Parsed::Bad => return Err(Errno::EPROTO),
            Parsed::More if ended => return Err(Errno::ECONNRESET),
            Parsed::More => {}
        }
    }
}

/// Names with their values.
type Headers = Vec<(String, String)>;

/// The start line, the headers and the length of a head, where it is complete.
fn split_head(bytes: &[u8]) -> Option<(String, Headers, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let first = lines.next()?.to_string();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_string(), value.trim().to_string()))
        .collect();
    Some((first, headers, end + 4))
}

fn chunked(headers: &[(String, String)]) -> bool {
    header(headers, "transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked"))
}

fn body_of(headers: &[(String, String)], bytes: &[u8], ended: bool) -> Parsed<Vec<u8>> {
    if chunked(headers) {
        return dechunk(bytes);
    }
    let Ok(length) = header(headers, "content-length").unwrap_or("0").parse::<usize>() else { return Parsed::Bad };
    match bytes.get(..length) {
        Some(body) => Parsed::Done(body.to_vec(), length),
        None if ended => Parsed::Bad,
        None => Parsed::More,
    }
}

fn dechunk(bytes: &[u8]) -> Parsed<Vec<u8>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = bytes[at..].windows(2).position(|w| w == b"\r\n") else { return Parsed::More };
        let size = String::from_utf8_lossy(&bytes[at..at + line]).split(';').next().unwrap_or("").trim().to_string();
        let Ok(size) = usize::from_str_radix(&size, 16) else { return Parsed::Bad };
        at += line + 2;
        let Some(end) = at.checked_add(size).and_then(|e| e.checked_add(2)) else { return Parsed::Bad };
        if bytes.len() < end {
            return Parsed::More;
        }
        if size == 0 {
            return Parsed::Done(body, end);
        }
        body.extend_from_slice(&bytes[at..at + size]);
        at = end;
    }
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The words that go with a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        416 => "Requested Range Not Satisfiable",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        _ => "",
    }
}

/// A file's media type by the end of its name.
pub fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" | "mjs" => "application/javascript",
        "json" => "application/json",
        "txt" => "text/plain",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "xml" => "text/xml",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// Escapes text for a page.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A directory of the server below `root` for the path of a request: `None` where it would leave it.
pub fn below(root: &str, path: &str) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|p| !p.is_empty() && *p != ".") {
        if part == ".." {
            kept.pop()?;
        } else {
            kept.push(part);
        }
    }
    Some(format!("{}/{}", root.trim_end_matches('/'), kept.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let bytes = b"POST /a%20b?q=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET";
        let Parsed::Done(request, used) = Request::parse(bytes) else { panic!("not complete") };
        assert_eq!((request.path().as_str(), request.body.as_slice(), used), ("/a b", &b"abc"[..], bytes.len() - 3));
        assert_eq!(Request::parse(&bytes[..58]), Parsed::More);
        assert_eq!(Request::parse(b"nonsense\r\n\r\n"), Parsed::Bad);
        assert_eq!(Request::parse(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), Parsed::Bad);
    }

    #[test]
    fn responses() {
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let Parsed::Done(response, _) = Response::parse(chunks, false, false) else { panic!("not complete") };
        assert_eq!(response.body, b"abc");
        assert_eq!(Response::parse(b"HTTP/1.1 200 OK\r\n\r\nab", false, false), Parsed::More);
        let Parsed::Done(response, _) = Response::parse(b"HTTP/1.0 200 OK\r\n\r\nab", true, false) else { panic!() };
        assert_eq!(response.body, b"ab");
        let bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n";
        assert_eq!(Response::parse(bad, false, false), Parsed::Bad);
    }

    #[test]
    fn paths_stay_below() {
        assert_eq!(below("/srv/", "/a/./b"), Some("/srv/a/b".into()));
        assert_eq!(below("/srv", "/a/../b"), Some("/srv/b".into()));
        assert_eq!(below("/srv", "/../etc/passwd"), None);
    }
}
