//! What `python3` may start as: its version and its file server. There is no Python interpreter in the
//! simulator yet, and it says so rather than pretend.

use super::http::{self, Request, Response};
use super::serve::{catch, listen_at, say, serve, write_all};
use cutaway_userland::os::{Address, FileKind, LocalFut, Os, Signal};
use std::net::Ipv4Addr;

pub const VERSION: &str = "3.13.9";

pub fn python<O: Os>(os: O, argv: Vec<String>, env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let version = env.iter().find(|(n, _)| n == "PYTHON_VERSION").map_or(VERSION, |(_, v)| v).to_string();
        let mut unbuffered = os.is_tty(1) || env.iter().any(|(n, v)| n == "PYTHONUNBUFFERED" && !v.is_empty());
        let mut words = argv.iter().skip(1).map(String::as_str);
        loop {
            match words.next() {
                Some("--version" | "-V") => {
                    say(&os, 1, &format!("Python {version}")).await;
                    return 0;
                }
                Some("-u") => unbuffered = true,
                Some("-m") => {
                    return match words.next() {
                        Some("http.server") => {
                            let rest: Vec<&str> = words.collect();
                            file_server(&os, &rest, unbuffered, &version).await
                        }
                        module => missing(&os, &format!("run the module {}", module.unwrap_or(""))).await,
                    };
                }
                Some("-c") => return missing(&os, "run code").await,
                Some(option) if option.starts_with('-') && option.len() > 1 => {}
                Some(file) => return missing(&os, &format!("run {file}")).await,
                None => return missing(&os, "start a prompt").await,
            }
        }
    })
}

async fn missing<O: Os>(os: &O, what: &str) -> i32 {
    let text = "python3: the simulator has no Python interpreter yet, so it can't";
    say(os, 2, &format!("{text} {what}. It has `python3 --version` and `python3 -m http.server`.")).await;
    1
}

async fn file_server<O: Os>(os: &O, words: &[&str], unbuffered: bool, version: &str) -> i32 {
    let (mut port, mut folder, mut bind) = (8000, ".".to_string(), Ipv4Addr::UNSPECIFIED);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-d" | "--directory" => folder = words.next().map_or(folder, |w| w.to_string()),
            "-b" | "--bind" => bind = words.next().and_then(|w| w.parse().ok()).unwrap_or(bind),
            number => match number.parse() {
                Ok(n) => port = n,
                Err(_) => {
                    say(os, 2, &format!("server.py: error: argument port: invalid int value: '{number}'")).await;
                    return 2;
                }
            },
        }
    }
    let listener = match listen_at(os, bind.into(), port) {
        Ok(fd) => fd,
        Err(errno) => {
            say(os, 2, &format!("OSError: [Errno {}] {}", errno.number(), errno.text())).await;
            return 1;
        }
    };
    // Like the real one it catches ^C only: as process 1 it does not hear SIGTERM at all.
    catch(os, &[Signal::INT]);
    let greeting = format!("Serving HTTP on {bind} port {port} (http://{bind}:{port}/) ...\n");
    let mut kept = Vec::new();
    if unbuffered {
        let _ = write_all(os, 1, greeting.as_bytes()).await;
    } else {
        kept.extend(greeting.into_bytes());
    }
    let server = format!("SimpleHTTP/0.6 Python/{version}");
    let on_bytes = async |_: usize, bytes: &[u8], from: &Address| {
        http::take(bytes, &server, async |request| {
            let answer = file(os, &folder, request).await;
            log(os, from, request, answer.status).await;
            answer
        })
        .await
    };
    let status = serve(os, &[listener], on_bytes, async |_| Some(0)).await;
    kept.extend(b"\nKeyboard interrupt received, exiting.\n");
    let _ = write_all(os, 1, &kept).await;
    status
}

async fn log<O: Os>(os: &O, from: &Address, request: &Request, status: u16) {
    let peer = match from {
        Address::Inet(address) => address.ip().to_string(),
        Address::Unix(path) => path.clone(),
    };
    let (year, month, day, clock) = super::calendar::parts(os.now().as_secs());
    let date = format!("{day:02}/{}/{year} {clock}", super::calendar::month_name(month));
    let line = format!("{} {} {}", request.method, request.target, request.version);
    say(os, 2, &format!("{peer} - - [{date}] \"{line}\" {status} -")).await;
}

async fn file<O: Os>(os: &O, folder: &str, request: &Request) -> Response {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return error(501, &format!("Unsupported method ('{}')", request.method));
    }
    let path = request.path();
    let Some(mut place) = http::below(folder, &path) else { return error(404, "File not found") };
    match os.stat(&place) {
        Ok(stat) if stat.kind == FileKind::Directory => {
            if !path.ends_with('/') {
                let mut response = Response::new(301, "text/html", "");
                response.headers.push(("Location".into(), format!("{path}/")));
                return response;
            }
            let index = format!("{}/index.html", place.trim_end_matches('/'));
            if os.stat(&index).is_err() {
                return listing(os, &place, &path);
            }
            place = index;
        }
        Ok(_) => {}
        Err(_) => return error(404, "File not found"),
    }
    match cutaway_userland::io::read_file(os, &place).await {
        Ok(bytes) => Response::new(200, http::media_type(&place), bytes),
        Err(_) => error(404, "File not found"),
    }
}

fn error(status: u16, message: &str) -> Response {
    let page = format!(
        "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n        <p>Error code: {status}</p>\n        <p>Message: {message}.</p>\n    </body>\n</html>\n"
    );
    Response::new(status, "text/html;charset=utf-8", page)
}

fn listing<O: Os>(os: &O, place: &str, path: &str) -> Response {
    let title = format!("Directory listing for {}", http::escape(path));
    let mut page = format!(
        "<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n<hr>\n<ul>\n"
    );
    for entry in os.read_dir(place).unwrap_or_default() {
        let mark = match entry.kind {
            FileKind::Directory => "/",
            FileKind::Symlink => "@",
            _ => "",
        };
        let name = http::escape(&entry.name);
        page.push_str(&format!("<li><a href=\"{name}{mark}\">{name}{mark}</a></li>\n"));
    }
    page.push_str("</ul>\n<hr>\n</body>\n</html>\n");
    Response::new(200, "text/html; charset=utf-8", page)
}
