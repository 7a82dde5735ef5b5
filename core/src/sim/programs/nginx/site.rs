//! What a configuration says, ready to answer requests: servers, their locations and what each does.

use super::config::{self, Directive, named, value};
use super::error_page;
use crate::sim::programs::http::{self, Request, Response};
use crate::sim::programs::names;
use cutaway_userland::io;
use cutaway_userland::os::{FileKind, Os};
use cutaway_userland::sorted::Arrange;
use std::net::SocketAddr;

/// A whole configuration.
pub struct Settings {
    /// Who the worker runs as.
    pub user: String,
    /// Whether the master leaves the foreground: `daemon on`, the default.
    pub daemon: bool,
    sites: Vec<Site>,
}

/// One `server` block.
pub struct Site {
    ports: Vec<u16>,
    default: bool,
    names: Vec<String>,
    files: Files,
    give: Option<(u16, String)>,
    locations: Vec<Location>,
}

struct Location {
    /// `=` for this path only, `^~` or nothing for a prefix, `~` and `~*` are not compared.
    exact: bool,
    path: String,
    files: Files,
    act: Act,
}

enum Act {
    Files,
    Return(u16, String),
    Proxy { to: SocketAddr, host: String, path: Option<String> },
}

/// Where files come from.
#[derive(Clone)]
struct Files {
    root: String,
    alias: Option<String>,
    index: Vec<String>,
    autoindex: bool,
    try_files: Vec<String>,
}

/// Reads the configuration file and what it includes. The error is in nginx's words.
pub async fn load<O: Os>(os: &O, path: &str, globals: &str) -> Result<Settings, String> {
    let mut all = config::parse(globals, "command line")?;
    all.extend(read_config(os, path).await?);
    let daemon = value(&all, "daemon").as_deref() != Some("off");
    let user = value(&all, "user").unwrap_or_else(|| "nobody".into());
    let Some(http) = named(&all, "http").next() else { return Ok(Settings { user, daemon, sites: Vec::new() }) };
    let http = include(os, http.block.as_deref().unwrap_or(&[])).await?;
    let base = Files {
        root: "/etc/nginx/html".into(),
        alias: None,
        index: vec!["index.html".into()],
        autoindex: false,
        try_files: Vec::new(),
    };
    let base = files(&http, &base);
    let mut sites = Vec::new();
    for server in named(&http, "server") {
        let inside = include(os, server.block.as_deref().unwrap_or(&[])).await?;
        sites.push(site(os, &inside, &base, &http).await?);
    }
    Ok(Settings { user, daemon, sites })
}

async fn read_config<O: Os>(os: &O, path: &str) -> Result<Vec<Directive>, String> {
    let bytes = io::read_file(os, path)
        .await
        .map_err(|e| format!("open() \"{path}\" failed ({}: {})", e.number(), e.text()))?;
    config::parse(&String::from_utf8_lossy(&bytes), path)
}

/// The directives with each `include` replaced by what it names; a `*` matches file names.
async fn include<O: Os>(os: &O, all: &[Directive]) -> Result<Vec<Directive>, String> {
    let mut out = Vec::new();
    for directive in all {
        if directive.name() != "include" {
            out.push(directive.clone());
            continue;
        }
        let pattern = match directive.word(1) {
            path if path.starts_with('/') => path.to_string(),
            path => format!("/etc/nginx/{path}"),
        };
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        match name.split_once('*') {
            None => out.extend(read_config(os, &pattern).await?),
            Some((before, after)) => {
                let entries = os.read_dir(folder).unwrap_or_default();
                for entry in entries.iter().filter(|e| e.name.starts_with(before) && e.name.ends_with(after)) {
                    out.extend(read_config(os, &format!("{folder}/{}", entry.name)).await?);
                }
            }
        }
    }
    Ok(out)
}

fn files(all: &[Directive], outer: &Files) -> Files {
    let words = |name: &str| named(all, name).last().map(|d| d.words[1..].to_vec());
    Files {
        root: value(all, "root").unwrap_or_else(|| outer.root.clone()),
        alias: value(all, "alias"),
        index: words("index").unwrap_or_else(|| outer.index.clone()),
        autoindex: value(all, "autoindex").map_or(outer.autoindex, |v| v == "on"),
        try_files: words("try_files").unwrap_or_else(|| outer.try_files.clone()),
    }
}

fn given(all: &[Directive]) -> Option<(u16, String)> {
    let give = named(all, "return").next()?;
    match give.word(1).parse() {
        Ok(status) => Some((status, give.word(2).to_string())),
        Err(_) => Some((302, give.word(1).to_string())),
    }
}

async fn site<O: Os>(os: &O, all: &[Directive], base: &Files, http: &[Directive]) -> Result<Site, String> {
    let own = files(all, base);
    let (mut ports, mut default) = (Vec::new(), false);
    for listen in named(all, "listen") {
        let last = listen.word(1).rsplit(':').next().unwrap_or("").to_string();
        if listen.word(1).starts_with('[') || last.is_empty() {
            continue;
        }
        default = default || listen.words.iter().any(|w| w == "default_server");
        match last.parse() {
            Ok(port) => ports.push(port),
            Err(_) if last.contains('.') || last == "localhost" => ports.push(80),
            Err(_) => {
                let at = format!("{}:{}", listen.file, listen.line);
                return Err(format!("invalid port in \"{}\" of the \"listen\" directive in {at}", listen.word(1)));
            }
        }
    }
    if ports.is_empty() {
        ports.push(80);
    }
    let names = named(all, "server_name").flat_map(|d| d.words[1..].to_vec()).collect();
    let mut locations = Vec::new();
    for location in named(all, "location") {
        locations.extend(self::location(os, location, &own, http).await?);
    }
    Ok(Site { ports, default, names, files: own, give: given(all), locations })
}

async fn location<O: Os>(
    os: &O,
    at: &Directive,
    outer: &Files,
    http: &[Directive],
) -> Result<Option<Location>, String> {
    let (exact, path) = match (at.word(1), at.words.len()) {
        ("=", 3) => (true, at.word(2)),
        ("^~", 3) => (false, at.word(2)),
        ("~" | "~*", _) => return Ok(None),
        (path, 2) => (false, path),
        _ => {
            let place = format!("{}:{}", at.file, at.line);
            return Err(format!("invalid number of arguments in \"location\" directive in {place}"));
        }
    };
    let inside = include(os, at.block.as_deref().unwrap_or(&[])).await?;
    let act = match (given(&inside), named(&inside, "proxy_pass").last()) {
        (Some((status, text)), _) => Act::Return(status, text),
        (None, Some(pass)) => proxy(os, pass, http).await?,
        (None, None) => Act::Files,
    };
    Ok(Some(Location { exact, path: path.to_string(), files: files(&inside, outer), act }))
}

/// `proxy_pass http://name:port/path`; a name of an `upstream` block stands for its first server.
async fn proxy<O: Os>(os: &O, pass: &Directive, http: &[Directive]) -> Result<Act, String> {
    let place = format!("{}:{}", pass.file, pass.line);
    let Some(rest) = pass.word(1).strip_prefix("http://") else {
        return Err(format!("invalid URL prefix in {place}"));
    };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(format!("/{path}"))),
        None => (rest, None),
    };
    let upstream = named(http, "upstream").find(|u| u.word(1) == host);
    let server = upstream.and_then(|u| named(u.block.as_deref()?, "server").next());
    let peer = server.map_or(host, |s| s.word(1));
    let (name, port) = peer.rsplit_once(':').unwrap_or((peer, "80"));
    let port = port.parse().map_err(|_| format!("invalid port in upstream \"{peer}\" in {place}"))?;
    match names::resolve(os, name).await {
        Some(ip) => Ok(Act::Proxy { to: SocketAddr::new(ip, port), host: host.to_string(), path }),
        None => Err(format!("host not found in upstream \"{name}\" in {place}")),
    }
}

impl Settings {
    /// The ports that some server listens on, each once.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.sites.iter().flat_map(|s| s.ports.clone()).collect();
        ports.arrange();
        ports.dedup();
        ports
    }

    /// The server for a port and a `Host` header: by name, else the default one, else the first.
    pub fn site(&self, port: u16, host: &str) -> Option<&Site> {
        let host = host.split(':').next().unwrap_or("");
        let here = || self.sites.iter().filter(|s| s.ports.contains(&port));
        here()
            .find(|s| s.names.iter().any(|n| n == host))
            .or_else(|| here().find(|s| s.default))
            .or_else(|| here().next())
    }
}

impl Site {
    pub async fn answer<O: Os>(&self, os: &O, request: &Request) -> Response {
        if let Some((status, text)) = &self.give {
            return returned(*status, text, request);
        }
        let path = request.path();
        let exact = self.locations.iter().find(|l| l.exact && l.path == path);
        let prefix = || {
            let fits = self.locations.iter().filter(|l| !l.exact && path.starts_with(&l.path));
            fits.max_by_key(|l| l.path.len())
        };
        let Some(location) = exact.or_else(prefix) else { return self.files.answer(os, request, "", &path).await };
        match &location.act {
            Act::Return(status, text) => returned(*status, text, request),
            Act::Files => location.files.answer(os, request, &location.path, &path).await,
            Act::Proxy { to, host, path } => {
                let mut onward = request.clone();
                onward.version = "HTTP/1.0".into();
                onward.headers.retain(|(n, _)| !matches!(n.to_ascii_lowercase().as_str(), "host" | "connection"));
                onward.headers.insert(0, ("Host".into(), host.clone()));
                onward.headers.push(("Connection".into(), "close".into()));
                if let Some(path) = path {
                    let rest = request.target.strip_prefix(&location.path).unwrap_or(&request.target);
                    onward.target = format!("{path}{rest}");
                }
                match http::exchange(os, *to, &onward).await {
                    Ok(mut response) => {
                        let hop = ["connection", "server", "date", "transfer-encoding", "content-length"];
                        response.headers.retain(|(n, _)| !hop.contains(&n.to_ascii_lowercase().as_str()));
                        response
                    }
                    Err(_) => error_page(502),
                }
            }
        }
    }
}

fn returned(status: u16, text: &str, request: &Request) -> Response {
    let text = text
        .replace("$host", http::header(&request.headers, "host").unwrap_or("").split(':').next().unwrap_or(""))
        .replace("$request_uri", &request.target)
        .replace("$uri", &request.path())
        .replace("$hostname", "");
    if (300..400).contains(&status) {
        let mut response = error_page(status);
        response.headers.push(("Location".into(), text));
        return response;
    }
    if text.is_empty() && status >= 400 {
        return error_page(status);
    }
    Response::new(status, "text/plain", text)
}

impl Files {
    async fn answer<O: Os>(&self, os: &O, request: &Request, prefix: &str, path: &str) -> Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return error_page(405);
        }
        let Some((fallback, tries)) = self.try_files.split_last() else {
            return self.file(os, prefix, path).await;
        };
        for attempt in tries {
            let attempt = attempt.replace("$uri", path);
            let folder = attempt.ends_with('/');
            let found = self.place(prefix, &attempt).and_then(|p| os.stat(&p).ok());
            if found.is_some_and(|s| (s.kind == FileKind::Directory) == folder) {
                return self.file(os, prefix, &attempt).await;
            }
        }
        match fallback.strip_prefix('=').and_then(|s| s.parse().ok()) {
            Some(status) => error_page(status),
            None => self.file(os, prefix, &fallback.replace("$uri", path)).await,
        }
    }

    fn place(&self, prefix: &str, path: &str) -> Option<String> {
        match &self.alias {
            Some(alias) => http::below(alias, path.strip_prefix(prefix).unwrap_or(path)),
            None => http::below(&self.root, path),
        }
    }

    async fn file<O: Os>(&self, os: &O, prefix: &str, path: &str) -> Response {
        let Some(mut place) = self.place(prefix, path) else { return error_page(400) };
        match os.stat(&place) {
            Ok(stat) if stat.kind == FileKind::Directory => {
                if !path.ends_with('/') {
                    let mut response = error_page(301);
                    response.headers.push(("Location".into(), format!("{path}/")));
                    return response;
                }
                let found = self.index.iter().map(|i| format!("{}/{i}", place.trim_end_matches('/')));
                match found.clone().find(|p| os.stat(p).is_ok()) {
                    Some(index) => place = index,
                    None if self.autoindex => return listing(os, &place, path),
                    None => return error_page(403),
                }
            }
            Ok(_) => {}
            Err(os_error) => return error_page(status_of(os_error)),
        }
        match io::read_file(os, &place).await {
            Ok(bytes) => Response::new(200, http::media_type(&place), bytes),
            Err(errno) => error_page(status_of(errno)),
        }
    }
}

fn status_of(errno: cutaway_userland::Errno) -> u16 {
    match errno {
        cutaway_userland::Errno::EACCES => 403,
        _ => 404,
    }
}

fn listing<O: Os>(os: &O, place: &str, path: &str) -> Response {
    let title = format!("Index of {}", http::escape(path));
    let mut page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1><hr><pre><a href=\"../\">../</a>\r\n"
    );
    for entry in os.read_dir(place).unwrap_or_default() {
        let slash = if entry.kind == FileKind::Directory { "/" } else { "" };
        let name = http::escape(&entry.name);
        page.push_str(&format!("<a href=\"{name}{slash}\">{name}{slash}</a>\r\n"));
    }
    page.push_str("</pre><hr></body>\r\n</html>\r\n");
    Response::new(200, "text/html", page)
}
