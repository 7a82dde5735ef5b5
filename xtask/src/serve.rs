//! A small web server for the page: static files of one folder, on this machine only.

use std::path::{Component, Path, PathBuf};
use tiny_http::{Header, Response, Server};

/// Serves `folder` until the process ends, and says where.
pub fn forever(folder: &Path, port: Option<u16>) -> Result<(), String> {
    let server = open(folder, port)?;
    println!("\nCutaway is at http://{}/  (end with ctrl-c)", server.server_addr());
    answer(&server, folder);
    Ok(())
}

/// Opens a port of this machine: the one asked for, or the first free one from 8000 on.
pub fn open(folder: &Path, port: Option<u16>) -> Result<Server, String> {
    if !folder.join("index.html").is_file() {
        return Err(format!("{}: the page has not been built; run: cargo xtask page", folder.display()));
    }
    match port {
        Some(port) => Server::http(("127.0.0.1", port)).map_err(|e| format!("port {port}: {e}")),
        None => (8000..8100)
            .find_map(|port| Server::http(("127.0.0.1", port)).ok())
            .ok_or_else(|| "no free port from 8000 to 8099; choose one with --port".to_string()),
    }
}

/// Answers requests as long as the server is open.
pub fn answer(server: &Server, folder: &Path) {
    for request in server.incoming_requests() {
        let answer = match file_of(folder, request.url()).and_then(|file| std::fs::read(&file).ok().zip(Some(file))) {
            Some((bytes, file)) => {
                let header = |name: &str, value: &str| Header::from_bytes(name, value).expect("a plain header");
                Response::from_data(bytes)
                    .with_header(header("Content-Type", kind(&file)))
                    .with_header(header("Cache-Control", "no-cache"))
            }
            None => Response::from_data("not found\n").with_status_code(404),
        };
        // A browser that went away is no reason to stop.
        let _ = request.respond(answer);
    }
}

/// The file that a request's path names, if it is inside the folder.
fn file_of(folder: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    path.components().all(|c| matches!(c, Component::Normal(_))).then(|| folder.join(path))
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        Some("md" | "toml" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_inside_the_folder() {
        let folder = Path::new("/page");
        for (url, file) in [
            ("/", Some("/page/index.html")),
            ("/a/b.js?x=1", Some("/page/a/b.js")),
            ("/../etc/passwd", None),
            ("/a/../../etc/passwd", None),
        ] {
            assert_eq!(file_of(folder, url), file.map(PathBuf::from), "{url}");
        }
    }
}
