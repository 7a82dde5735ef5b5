//! `wget`, `curl` and the server `httpd`.

use super::http::{Failure, Head, Request, Stream, Url};
use super::{Ending, Tool, basics, clock, files::join};
use crate::errno::Errno;
use crate::os::{Address, Disposition, Fd, FileKind, OpenFlags, Os, Signal, SocketKind, Wait, WaitFor};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Redirects that are followed before giving up.
const MOST_REDIRECTS: usize = 10;

fn wget_complaint<O: Os>(t: &Tool<O>, url: &Url, failure: Failure) -> i32 {
    match failure {
        Failure::BadAddress => t.die(format_args!("bad address '{}'", url.host)),
        Failure::Connect(ip, e) => t.die(format_args!("can't connect to remote host ({ip}): {e}")),
        Failure::TimedOut => t.die("download timed out"),
        Failure::Response(e) => t.die(format_args!("error getting response: {e}")),
        Failure::NoHttp => t.die("error getting response"),
    }
}

pub async fn wget<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("quiet", 'q'),
        ("output-document", 'O'),
        ("timeout", 'T'),
        ("server-response", 'S'),
        ("spider", '\u{1}'),
        ("header", '\u{2}'),
        ("post-data", '\u{3}'),
        ("user-agent", 'U'),
        ("directory-prefix", 'P'),
        ("continue", 'c'),
        ("no-check-certificate", '\u{4}'),
        ("tries", 't'),
        ("no-verbose", 'q'),
    ];
    let o = t.options("qO:T:SU:P:ct:o:Y:n:\u{1}\u{2}:\u{3}:\u{4}", &long)?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let quiet = o.has('q');
    let limit = o.value('T').map_or(Ok(900), |s| t.number(s))?;
    let limit = Some(Duration::from_secs(limit)).filter(|l| !l.is_zero());
    for address in &o.rest {
        let mut url = Url::parse(address).ok_or_else(|| t.die(format_args!("not an http or ftp url: {address}")))?;
        let mut headers = vec![
            ("User-Agent".to_string(), o.value('U').unwrap_or("Wget").to_string()),
            ("Connection".to_string(), "close".to_string()),
        ];
        headers.extend(
            o.values('\u{2}')
                .iter()
                .filter_map(|h| h.split_once(':'))
                .map(|(n, v)| (n.to_string(), v.trim().to_string())),
        );
        let post = o.value('\u{3}');
        let method = if post.is_some() { "POST" } else { "GET" }.to_string();
        if post.is_some() {
            headers.push(("Content-Type".to_string(), "application/x-www-form-urlencoded".to_string()));
        }
        let request = Request { method, headers, body: post.unwrap_or("").as_bytes().to_vec() };
        let mut redirects = 0;
        let (mut stream, head) = loop {
            let told = |ip: IpAddr| {
                if !quiet {
                    let host = &url.host;
                    t.complain(format_args!("Connecting to {host}:{} ({ip}:{})\n", url.port, url.port));
                }
            };
            let sent = request.send(t, &url, limit, told).await;
            let mut stream = sent.map_err(|f| wget_complaint(t, &url, f))?;
            let head = stream.head().await.map_err(|f| wget_complaint(t, &url, f))?;
            if o.has('S') {
                t.complain(format_args!("  {}\n", head.first));
                head.headers.iter().for_each(|(n, v)| t.complain(format_args!("  {n}: {v}\n")));
                t.complain("  \n");
            }
            let to = head.header("Location").filter(|_| matches!(head.status(), 301 | 302 | 303 | 307 | 308));
            let Some(to) = to else { break (stream, head) };
            redirects += 1;
            if redirects > MOST_REDIRECTS {
                return Err(t.die("too many redirections"));
            }
            t.close(stream.fd);
            url = url.join(to).ok_or_else(|| t.die(format_args!("not an http or ftp url: {to}")))?;
        };
        if !(200..300).contains(&head.status()) {
            return Err(t.die(format_args!("server returned error: {}", head.first)));
        }
        if o.has('\u{1}') {
            if !quiet {
                t.complain("remote file exists\n");
            }
            t.close(stream.fd);
            continue;
        }
        let name = match o.value('O') {
            Some(name) => name.to_string(),
            None => {
                let base = basics::base_of(url.path.split('?').next().unwrap_or("/"));
                let base = if base == "/" || base.is_empty() { "index.html" } else { base };
                o.value('P').map_or_else(|| base.to_string(), |folder| join(folder, base))
            }
        };
        save(t, &url, &name, o.has('O'), quiet, &mut stream, &head).await?;
        t.close(stream.fd);
    }
    Ok(0)
}

async fn save<O: Os>(
    t: &Tool<O>,
    url: &Url,
    name: &str,
    given: bool,
    quiet: bool,
    stream: &mut Stream<'_, O>,
    head: &Head,
) -> Result<(), i32> {
    let shown = if name == "-" { "-" } else { basics::base_of(name) };
    let fd = match name {
        "-" => 1,
        name => {
            let flags = OpenFlags { exclusive: !given, ..OpenFlags::CREATE };
            let opened = t.os.open(name, flags, 0o666).await;
            opened.map_err(|e| t.die(format_args!("can't open '{name}': {e}")))?
        }
    };
    if !quiet {
        match name {
            "-" => t.complain("writing to stdout\n"),
            name => t.complain(format_args!("saving to '{name}'\n")),
        }
    }
    let (mut got, mut failed) = (0u64, None);
    let read = stream
        .body(head, async |piece| {
            got += piece.len() as u64;
            if fd == 1 {
                t.print(piece);
            } else if let Err(e) = t.write_all(fd, &piece).await {
                failed = Some(e);
            }
        })
        .await;
    t.close(fd);
    read.map_err(|f| wget_complaint(t, url, f))?;
    if let Some(e) = failed {
        return Err(t.die(format_args!("write error: {e}")));
    }
    if !quiet {
        let bar = "*".repeat(32);
        let size = if got < 100_000 { format!("{got:5}") } else { format!("{:4}k", got / 1024) };
        t.complain(format_args!("{shown:<20.20} 100% |{bar}| {size}  0:00:00 ETA\n"));
        match name {
            "-" => t.complain("written to stdout\n"),
            name => t.complain(format_args!("'{name}' saved\n")),
        }
    }
    Ok(())
}

fn curl_complaint<O: Os>(t: &Tool<O>, url: &Url, failure: Failure, silent: bool) -> i32 {
    let (host, port) = (&url.host, url.port);
    let (code, text) = match failure {
        Failure::BadAddress => (6, format!("Could not resolve host: {host}")),
        Failure::Connect(_, e) => (7, format!("Failed to connect to {host} port {port} after 0 ms: {e}")),
        Failure::TimedOut => (28, "Operation timed out".to_string()),
        Failure::Response(_) => (52, "Empty reply from server".to_string()),
        Failure::NoHttp => (1, "Received HTTP/0.9 when not allowed".to_string()),
    };
    if !silent {
        t.complain(format_args!("curl: ({code}) {text}\n"));
    }
    code
}

pub async fn curl<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("silent", 's'),
        ("show-error", 'S'),
        ("fail", 'f'),
        ("output", 'o'),
        ("remote-name", 'O'),
        ("head", 'I'),
        ("include", 'i'),
        ("request", 'X'),
        ("data", 'd'),
        ("data-raw", 'd'),
        ("header", 'H'),
        ("location", 'L'),
        ("verbose", 'v'),
        ("write-out", 'w'),
        ("max-time", 'm'),
        ("connect-timeout", '\u{1}'),
        ("user", 'u'),
        ("user-agent", 'A'),
        ("insecure", 'k'),
    ];
    let o = t.options("sSfo:OIiX:d:H:Lvw:m:u:A:k\u{1}:", &long).map_err(|_| 2)?;
    let silent = o.has('s') && !o.has('S');
    if o.rest.is_empty() {
        t.complain("curl: try 'curl --help' or 'curl --manual' for more information\n");
        return Err(2);
    }
    let limit = o.value('m').or(o.value('\u{1}')).and_then(basics::duration);
    let mut headers = vec![
        ("User-Agent".to_string(), o.value('A').unwrap_or("curl/8.5.0").to_string()),
        ("Accept".to_string(), "*/*".to_string()),
    ];
    for (name, value) in o.values('H').iter().filter_map(|h| h.split_once(':')) {
        headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        headers.push((name.to_string(), value.trim().to_string()));
    }
    let body = o.values('d').join("&");
    if o.has('d') && !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")) {
        headers.push(("Content-Type".to_string(), "application/x-www-form-urlencoded".to_string()));
    }
    headers.push(("Connection".to_string(), "close".to_string()));
    let method = match o.value('X') {
        Some(method) => method,
        None if o.has('I') => "HEAD",
        None if o.has('d') => "POST",
        None => "GET",
    };
    let request = Request { method: method.to_string(), headers, body: body.into_bytes() };
    for address in &o.rest {
        let Some(mut url) = Url::parse(address) else {
            let scheme = address.split(':').next().unwrap_or("");
            t.complain(format_args!("curl: (1) Protocol \"{scheme}\" not supported or disabled in libcurl\n"));
            return Err(1);
        };
        if url.user.is_none() {
            url.user = o.value('u').map(str::to_string);
        }
        let mut redirects = 0;
        let (mut stream, head) = loop {
            let told = |ip: IpAddr| {
                if o.has('v') {
                    t.complain(format_args!("*   Trying {ip}:{}...\n", url.port));
                }
            };
            let sent = request.send(t, &url, limit, told).await;
            let mut stream = sent.map_err(|f| curl_complaint(t, &url, f, silent))?;
            if o.has('v') {
                let text = request.text(&url);
                let text = String::from_utf8_lossy(&text);
                t.complain(format_args!("* Connected to {} port {}\n", url.host, url.port));
                text.split("\r\n\r\n").next().unwrap_or("").lines().for_each(|l| t.complain(format_args!("> {l}\n")));
                t.complain("> \n");
            }
            let head = stream.head().await.map_err(|f| curl_complaint(t, &url, f, silent))?;
            let lines =
                || std::iter::once(head.first.clone()).chain(head.headers.iter().map(|(n, v)| format!("{n}: {v}")));
            if o.has('v') {
                lines().for_each(|l| t.complain(format_args!("< {l}\n")));
                t.complain("< \n");
            }
            if o.has('i') || o.has('I') {
                lines().for_each(|l| t.print(format!("{l}\r\n")));
                t.print("\r\n");
            }
            let to = head.header("Location").filter(|_| o.has('L') && head.status() / 100 == 3);
            let Some(to) = to else { break (stream, head) };
            redirects += 1;
            if redirects > MOST_REDIRECTS {
                t.complain("curl: (47) Maximum (10) redirects followed\n");
                return Err(47);
            }
            t.close(stream.fd);
            url = url.join(to).ok_or(1)?;
        };
        if o.has('f') && head.status() >= 400 {
            if !silent {
                t.complain(format_args!("curl: (22) The requested URL returned error: {}\n", head.status()));
            }
            return Err(22);
        }
        let name = match (o.value('o'), o.has('O')) {
            (Some(name), _) if name != "-" => Some(name.to_string()),
            (_, true) => Some(basics::base_of(&url.path).to_string()),
            _ => None,
        };
        let fd = match &name {
            Some(name) => t.os.open(name, OpenFlags::CREATE, 0o666).await.map_err(|_| 23)?,
            None => 1,
        };
        let mut size = 0u64;
        if !o.has('I') {
            let read = stream
                .body(&head, async |piece| {
                    size += piece.len() as u64;
                    match fd {
                        1 => t.print(piece),
                        fd => drop(t.write_all(fd, &piece).await),
                    }
                })
                .await;
            read.map_err(|f| curl_complaint(t, &url, f, silent))?;
        }
        t.close(fd);
        t.close(stream.fd);
        if let Some(pattern) = o.value('w') {
            let text = pattern
                .replace("%{http_code}", &format!("{:03}", head.status()))
                .replace("%{response_code}", &format!("{:03}", head.status()))
                .replace("%{size_download}", &size.to_string())
                .replace("\\n", "\n")
                .replace("\\t", "\t");
            t.print(text);
        }
    }
    Ok(0)
}

pub async fn httpd<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("fp:h:vu:c:r:i", &[])?;
    // A socket at this address takes callers of both versions.
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let (ip, port) = match o.value('p') {
        Some(text) => match text.rsplit_once(':') {
            Some((ip, port)) => (ip.trim_matches(['[', ']']).parse().unwrap_or(any), t.number(port)?),
            None => (any, t.number(text)?),
        },
        None => (any, 80),
    };
    if let Some(home) = o.value('h') {
        t.os.chdir(home).map_err(|e| t.die(format_args!("can't change directory to '{home}': {e}")))?;
    }
    let fd = t.os.socket(SocketKind::Tcp).map_err(|e| t.die(format_args!("socket: {e}")))?;
    let address = Address::Inet(SocketAddr::new(ip, port));
    t.os.bind(fd, &address).map_err(|e| t.die(format_args!("bind: {e}")))?;
    t.os.listen(fd, 9).map_err(|e| t.die(format_args!("listen: {e}")))?;
    if o.has('f') {
        return serve(t, fd).await;
    }
    // In the background: the child serves, this one ends.
    let (env, name) = (t.env.clone(), t.name.clone());
    let forked = t.os.fork(move |os| {
        Box::pin(async move {
            let _ = os.new_session();
            let inner = Tool::new(os, vec![name], env, "");
            let ending = serve(&inner, fd).await;
            inner.finish(ending).await
        })
    });
    forked.map_err(|e| t.die(format_args!("fork: {e}")))?;
    Ok(0)
}

async fn serve<O: Os>(t: &Tool<O>, fd: Fd) -> Ending {
    // Children that ended leave no zombies.
    let _ = t.os.sigaction(Signal::CHLD, Disposition::Ignore);
    loop {
        while t.os.wait(Wait { who: WaitFor::Any, no_hang: true, untraced: false }).await.is_ok() {}
        let (caller, _) = match t.os.accept(fd).await {
            Ok(accepted) => accepted,
            Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
            Err(e) => return Err(t.die(format_args!("accept: {e}"))),
        };
        let env = t.env.clone();
        let forked = t.os.fork(move |os| {
            Box::pin(async move {
                let _ = os.close(fd);
                let inner = Tool::new(os, vec!["httpd".to_string()], env, "");
                respond(&inner, caller).await;
                let _ = inner.os.shutdown(caller);
                inner.close(caller);
                0
            })
        });
        if let Err(e) = forked {
            t.warn(format_args!("fork: {e}"));
            t.flush().await;
        }
        t.close(caller);
    }
}

fn mime(path: &str) -> Option<&'static str> {
    Some(match path.rsplit('.').next()? {
        "txt" | "h" | "c" | "cc" | "cpp" => "text/plain",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "text/javascript",
        "json" => "application/json",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        _ => return None,
    })
}

/// Undoes `%xx`, and takes the path apart: nothing above the served folder is ever named.
fn local_path(target: &str) -> Option<String> {
    let raw = target.split(['?', '#']).next()?.as_bytes();
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < raw.len() {
        if raw[at] == b'%' {
            let hex = std::str::from_utf8(raw.get(at + 1..at + 3)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok().filter(|b| *b != 0)?);
            at += 3;
        } else {
            bytes.push(raw[at]);
            at += 1;
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    let mut parts = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let tail = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    Some(format!("{}{tail}", parts.join("/")))
}

async fn respond<O: Os>(t: &Tool<O>, caller: Fd) {
    let Ok(head) = Stream::new(t, caller, Some(Duration::from_secs(60))).head().await else { return };
    let mut words = head.first.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if !matches!(method, "GET" | "HEAD") {
        return refuse(t, caller, "501 Not Implemented", "The requested method is not recognized").await;
    }
    let Some(path) = local_path(target) else {
        return refuse(t, caller, "400 Bad Request", "Unsupported method").await;
    };
    let file = match path.as_str() {
        "" => "index.html".to_string(),
        folder if folder.ends_with('/') => format!("{folder}index.html"),
        file => file.to_string(),
    };
    let found = t.os.stat(&file);
    let Ok(stat) = found else {
        return refuse(t, caller, "404 Not Found", "The requested URL was not found").await;
    };
    if stat.kind == FileKind::Directory {
        let head = format!("{}Content-type: text/html\r\nLocation: /{path}/\r\n\r\n", first_lines(t, "302 Found"));
        let _ = t.write_all(caller, head.as_bytes()).await;
        return;
    }
    let opened =
        if stat.kind == FileKind::Regular { t.os.open(&file, OpenFlags::READ, 0).await } else { Err(Errno::EACCES) };
    let Ok(fd) = opened else {
        return refuse(t, caller, "403 Forbidden", "").await;
    };
    let mut text = first_lines(t, "200 OK");
    if let Some(mime) = mime(&file) {
        text += &format!("Content-type: {mime}\r\n");
    }
    let modified = clock::format("%a, %d %b %Y %H:%M:%S GMT", stat.mtime);
    let tag = format!("{:x}-{:x}", stat.mtime.as_secs(), stat.size);
    text += &format!("Accept-Ranges: bytes\r\nLast-Modified: {modified}\r\nETag: \"{tag}\"\r\n");
    text += &format!("Content-Length: {}\r\n\r\n", stat.size);
    if t.write_all(caller, text.as_bytes()).await.is_ok() && method == "GET" {
        let _ = super::copy::pump(t, fd, caller).await;
    }
    t.close(fd);
}

fn first_lines<O: Os>(t: &Tool<O>, status: &str) -> String {
    let date = clock::format("%a, %d %b %Y %H:%M:%S GMT", t.os.now());
    format!("HTTP/1.1 {status}\r\nDate: {date}\r\nConnection: close\r\n")
}

async fn refuse<O: Os>(t: &Tool<O>, caller: Fd, status: &str, why: &str) {
    let body = format!("<HTML><HEAD><TITLE>{status}</TITLE></HEAD>\n<BODY><H1>{status}</H1>\n{why}\n</BODY></HTML>\n");
    let text = format!("{}Content-type: text/html\r\n\r\n{body}", first_lines(t, status));
    let _ = t.write_all(caller, text.as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn nothing_above_the_folder_is_named() {
        for (target, want) in [
            ("/", Some("")),
            ("/a/./b?x", Some("a/b")),
            ("/a/", Some("a/")),
            ("/a/../b", Some("b")),
            ("/../etc/passwd", None),
            ("/%2e%2e/x", None),
            ("/a%20b", Some("a b")),
            ("/a%00", None),
            ("x", None),
        ] {
            assert_eq!(local_path(target).as_deref(), want, "{target}");
        }
    }
}
