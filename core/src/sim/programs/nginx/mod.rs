//! nginx in small: a master that starts one worker, servers by port and name, files, `return`, `try_files`
//! and `proxy_pass`, with nginx's log lines, pages and errors. Configuration is really read, so that mounting
//! another one, or getting it wrong, does what it does with the real program.

mod config;
mod site;

use super::http::{self, Response};
use super::serve::{catch, listen, say, serve, write_all};
use cutaway_userland::os::{Address, Fd, LocalFut, OpenFlags, Os, Signal, Status, Wait, WaitFor};
use cutaway_userland::{Errno, io};
use site::{Settings, Site};
use std::rc::Rc;

pub const VERSION: &str = "1.29.3";
const CONFIG: &str = "/etc/nginx/nginx.conf";
const PID_FILE: &str = "/run/nginx.pid";
const ENDING: [Signal; 5] = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP, Signal::CHLD];

/// What the command line asks for.
#[derive(Default)]
struct Options {
    test: bool,
    version: bool,
    signal: Option<String>,
    config: Option<String>,
    globals: String,
}

pub fn nginx<O: Os>(os: O, argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        match options(&argv) {
            Ok(options) => run(os, options).await,
            Err(text) => {
                say(&os, 2, &format!("nginx: {text}")).await;
                1
            }
        }
    })
}

fn options(argv: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = argv.iter().skip(1);
    while let Some(word) = words.next() {
        let mut parameter = |what: &str| words.next().cloned().ok_or(format!("option \"{word}\" requires {what}"));
        match word.as_str() {
            "-v" | "-V" => options.version = true,
            "-t" | "-T" | "-q" => options.test = true,
            "-g" => options.globals = parameter("parameter")?,
            "-c" => options.config = Some(parameter("file name")?),
            "-s" => options.signal = Some(parameter("parameter")?),
            other => return Err(format!("invalid option: \"{other}\"")),
        }
    }
    Ok(options)
}

async fn run<O: Os>(os: O, options: Options) -> i32 {
    if options.version {
        say(&os, 2, &format!("nginx version: nginx/{VERSION}")).await;
        return 0;
    }
    if let Some(signal) = &options.signal {
        return send(&os, signal).await;
    }
    let path = options.config.clone().unwrap_or_else(|| CONFIG.to_string());
    let settings = match site::load(&os, &path, &options.globals).await {
        Ok(settings) => Rc::new(settings),
        Err(text) => {
            say(&os, 2, &format!("nginx: [emerg] {text}")).await;
            if options.test {
                say(&os, 2, &format!("nginx: configuration file {path} test failed")).await;
            }
            return 1;
        }
    };
    if options.test {
        say(&os, 2, &format!("nginx: the configuration file {path} syntax is ok")).await;
        say(&os, 2, &format!("nginx: configuration file {path} test is successful")).await;
        return 0;
    }
    let mut listeners = Vec::new();
    for port in settings.ports() {
        match listen(&os, port) {
            Ok(fd) => listeners.push((fd, port)),
            Err(errno) => {
                let reason = format!("bind() to 0.0.0.0:{port} failed ({}: {})", errno.number(), errno.text());
                say(&os, 2, &format!("nginx: [emerg] {reason}")).await;
                return 1;
            }
        }
    }
    if settings.daemon {
        let body = {
            let settings = settings.clone();
            move |os: O| -> LocalFut<i32> {
                Box::pin(async move {
                    let _ = os.new_session();
                    master(os, settings, listeners, path).await
                })
            }
        };
        return if os.fork(body).is_ok() { 0 } else { 1 };
    }
    master(os, settings, listeners, path).await
}

/// Where log lines go: opened by the master, as root, and inherited by its workers.
#[derive(Clone, Copy)]
struct Logs {
    access: Fd,
    error: Fd,
}

impl Logs {
    /// A log that can't be opened is a standard stream.
    async fn open<O: Os>(os: &O) -> Logs {
        let access = os.open("/var/log/nginx/access.log", OpenFlags::APPEND, 0o644).await.unwrap_or(1);
        let error = os.open("/var/log/nginx/error.log", OpenFlags::APPEND, 0o644).await.unwrap_or(2);
        Logs { access, error }
    }

    async fn write<O: Os>(self, os: &O, level: &str, text: &str) {
        say(os, self.error, &stamp(os, level, text)).await;
    }

    async fn notice<O: Os>(self, os: &O, text: &str) {
        self.write(os, "notice", text).await;
    }
}

/// `nginx -s quit`: signals the running master.
async fn send<O: Os>(os: &O, word: &str) -> i32 {
    let signal = match word {
        "stop" => Signal::TERM,
        "quit" => Signal::QUIT,
        "reload" => Signal::HUP,
        "reopen" => Signal::USR1,
        other => {
            say(os, 2, &format!("nginx: invalid option: \"-s {other}\"")).await;
            return 1;
        }
    };
    let pid = io::read_file(os, PID_FILE).await.ok().and_then(|b| String::from_utf8(b).ok()?.trim().parse().ok());
    match pid {
        None => {
            let reason = format!("open() \"{PID_FILE}\" failed (2: No such file or directory)");
            say(os, 2, &format!("nginx: [error] {reason}")).await;
            1
        }
        Some(pid) => match os.kill(pid, signal) {
            Ok(()) => 0,
            Err(errno) => {
                let reason = format!("kill({pid}, {}) failed ({}: {})", signal.0, errno.number(), errno.text());
                say(os, 2, &format!("nginx: [alert] {reason}")).await;
                1
            }
        },
    }
}

/// The master: starts a worker, passes signals on, starts another worker when one dies or on reload.
async fn master<O: Os>(os: O, settings: Rc<Settings>, listeners: Vec<(Fd, u16)>, path: String) -> i32 {
    catch(&os, &ENDING);
    write_pid(&os).await;
    let logs = Logs::open(&os).await;
    logs.notice(&os, "using the \"epoll\" event method").await;
    logs.notice(&os, &format!("nginx/{VERSION}")).await;
    let uname = os.uname();
    logs.notice(&os, &format!("OS: {} {}", uname.sysname, uname.release)).await;
    logs.notice(&os, "start worker processes").await;
    let mut current = settings;
    let Some(mut worker) = start_worker(&os, &current, &listeners, logs).await else { return 1 };
    let mut ending = false;
    loop {
        while let Some(signal) = os.take_signal() {
            match signal {
                Signal::HUP => {
                    logs.notice(&os, "signal 1 (SIGHUP) received, reconfiguring").await;
                    match site::load(&os, &path, "").await {
                        Ok(fresh) => {
                            current = Rc::new(fresh);
                            let _ = os.kill(worker, Signal::QUIT);
                        }
                        Err(text) => logs.write(&os, "emerg", &text).await,
                    }
                }
                Signal::TERM | Signal::INT | Signal::QUIT => {
                    let how = if signal == Signal::QUIT { "shutting down" } else { "exiting" };
                    let text = format!("signal {} (SIG{}) received, {how}", signal.0, signal.name());
                    logs.notice(&os, &text).await;
                    ending = true;
                    let _ = os.kill(worker, signal);
                }
                _ => {}
            }
        }
        match os.wait(Wait { who: WaitFor::Pid(worker), no_hang: false, untraced: false }).await {
            Ok((pid, status)) => {
                let how = match status {
                    Status::Signaled(signal) => format!("exited on signal {}", signal.0),
                    other => format!("exited with code {}", other.code()),
                };
                logs.notice(&os, &format!("worker process {pid} {how}")).await;
                if ending {
                    logs.notice(&os, "exit").await;
                    let _ = os.unlink(PID_FILE);
                    return 0;
                }
                match start_worker(&os, &current, &listeners, logs).await {
                    Some(next) => worker = next,
                    None => return 1,
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

async fn write_pid<O: Os>(os: &O) {
    if let Ok(fd) = os.open(PID_FILE, OpenFlags::CREATE, 0o644).await {
        let _ = write_all(os, fd, format!("{}\n", os.pid()).as_bytes()).await;
        let _ = os.close(fd);
    }
}

async fn start_worker<O: Os>(os: &O, settings: &Rc<Settings>, listeners: &[(Fd, u16)], logs: Logs) -> Option<i32> {
    let (settings, listeners) = (settings.clone(), listeners.to_vec());
    let pid = os.fork(move |os: O| -> LocalFut<i32> { Box::pin(worker(os, settings, listeners, logs)) });
    match pid {
        Ok(pid) => {
            logs.notice(os, &format!("start worker process {pid}")).await;
            Some(pid)
        }
        Err(errno) => {
            let text = format!("fork() failed while spawning \"worker process\" ({}: {})", errno.number(), errno);
            logs.write(os, "alert", &text).await;
            None
        }
    }
}

async fn worker<O: Os>(os: O, settings: Rc<Settings>, listeners: Vec<(Fd, u16)>, logs: Logs) -> i32 {
    catch(&os, &ENDING);
    if let Some((uid, gid)) = user_ids(&os, &settings.user).await {
        let _ = os.set_ids(uid, gid, &[gid]);
    }
    let fds: Vec<Fd> = listeners.iter().map(|(fd, _)| *fd).collect();
    let server = format!("nginx/{VERSION}");
    let on_bytes = async |listener: usize, bytes: &[u8], from: &Address| {
        let port = listeners.get(listener).map_or(80, |(_, port)| *port);
        http::take(bytes, &server, async |request| {
            let site = settings.site(port, http::header(&request.headers, "host").unwrap_or(""));
            let answer = match site {
                Some(site) => answer(&os, site, request).await,
                None => error_page(404),
            };
            log_access(&os, logs, from, request, &answer).await;
            answer
        })
        .await
    };
    serve(&os, &fds, on_bytes, async |signal| match signal {
        Signal::TERM | Signal::INT | Signal::QUIT => Some(0),
        _ => None,
    })
    .await
}

async fn answer<O: Os>(os: &O, site: &Site, request: &http::Request) -> Response {
    let mut response = site.answer(os, request).await;
    response.headers.insert(0, ("Date".into(), http_date(os.now().as_secs())));
    response
}

/// The page that nginx makes up for an error.
pub fn error_page(status: u16) -> Response {
    let title = format!(
        "{status} {}",
        match status {
            405 => "Not Allowed",
            other => http::reason(other),
        }
    );
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx/{VERSION}</center>\r\n</body>\r\n</html>\r\n"
    );
    Response::new(status, "text/html", body)
}

async fn log_access<O: Os>(os: &O, logs: Logs, from: &Address, request: &http::Request, answer: &Response) {
    let peer = match from {
        Address::Inet(address) => address.ip().to_string(),
        Address::Unix(_) => "unix:".to_string(),
    };
    let of = |name| http::header(&request.headers, name).unwrap_or("-").to_string();
    let line = format!(
        "{peer} - - [{}] \"{} {} {}\" {} {} \"{}\" \"{}\" \"{}\"\n",
        log_time(os.now().as_secs()),
        request.method,
        request.target,
        request.version,
        answer.status,
        if request.method == "HEAD" { 0 } else { answer.body.len() },
        of("referer"),
        of("user-agent"),
        of("x-forwarded-for"),
    );
    let _ = write_all(os, logs.access, line.as_bytes()).await;
}

/// The ids of a user in `/etc/passwd`.
async fn user_ids<O: Os>(os: &O, name: &str) -> Option<(u32, u32)> {
    let users = io::read_file(os, "/etc/passwd").await.ok()?;
    let users = String::from_utf8_lossy(&users).into_owned();
    let mut parts = users.lines().find(|l| l.split(':').next() == Some(name))?.split(':').skip(2);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A line of the error log: time, level, process.
fn stamp<O: Os>(os: &O, level: &str, text: &str) -> String {
    let (year, month, day, clock) = super::calendar::parts(os.now().as_secs());
    let pid = os.pid();
    format!("{year}/{month:02}/{day:02} {clock} [{level}] {pid}#{pid}: {text}")
}

fn log_time(seconds: u64) -> String {
    let (year, month, day, clock) = super::calendar::parts(seconds);
    format!("{day:02}/{}/{year}:{clock} +0000", super::calendar::month_name(month))
}

fn http_date(seconds: u64) -> String {
    super::calendar::http_date(seconds)
}
