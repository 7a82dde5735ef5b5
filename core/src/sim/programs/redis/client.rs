//! redis-cli: one command from its words, or line after line from standard input.

use super::commands::Reply;
use crate::sim::programs::serve::{say, write_all};
use crate::sim::programs::{names, read_line};
use cutaway_userland::os::{Address, Fd, LocalFut, Os, SocketKind};
use cutaway_userland::{Errno, os};
use std::net::SocketAddr;

pub fn redis_cli<O: Os>(os: O, argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let (mut host, mut port, mut password) = ("127.0.0.1".to_string(), 6379, None);
        let mut words = argv.into_iter().skip(1).peekable();
        while let Some(option) = words.next_if(|w| w.starts_with('-')) {
            match option.as_str() {
                "-h" => host = words.next().unwrap_or_default(),
                "-p" => port = words.next().and_then(|p| p.parse().ok()).unwrap_or(0),
                "-a" => password = words.next(),
                "--version" | "-v" => {
                    say(&os, 1, &format!("redis-cli {}", super::VERSION)).await;
                    return 0;
                }
                "--raw" | "--no-raw" | "--no-auth-warning" => {}
                other => {
                    say(&os, 2, &format!("Unrecognized option or bad number of args for: '{other}'")).await;
                    return 1;
                }
            }
        }
        let command: Vec<String> = words.collect();
        let fd = match connect(&os, &host, port).await {
            Ok(fd) => fd,
            Err(reason) => {
                say(&os, 2, &format!("Could not connect to Redis at {host}:{port}: {reason}")).await;
                return 1;
            }
        };
        if let Some(password) = password {
            let _ = ask(&os, fd, &["AUTH".to_string(), password]).await;
        }
        let plain = !os.is_tty(1);
        if !command.is_empty() {
            return answer(&os, fd, &command, plain).await.unwrap_or(1);
        }
        talk(&os, fd, &format!("{host}:{port}> "), plain).await
    })
}

async fn connect<O: Os>(os: &O, host: &str, port: u16) -> Result<Fd, String> {
    let Some(ip) = names::resolve(os, host).await else { return Err("Name or service not known".into()) };
    let fd = os.socket(SocketKind::Tcp).map_err(|e| e.to_string())?;
    match os.connect(fd, &Address::Inet(SocketAddr::new(ip, port))).await {
        Ok(()) => Ok(fd),
        Err(errno) => Err(errno.to_string()),
    }
}

async fn talk<O: Os>(os: &O, fd: Fd, prompt: &str, plain: bool) -> i32 {
    let interactive = os.is_tty(0);
    let mut kept = Vec::new();
    loop {
        if interactive {
            let _ = write_all(os, 1, prompt.as_bytes()).await;
        }
        let Some(line) = read_line(os, 0, &mut kept).await else { return 0 };
        let words: Vec<String> = split(&line);
        match words.first().map(|w| w.to_ascii_lowercase()).as_deref() {
            None => {}
            Some("exit" | "quit") => return 0,
            Some(_) => match answer(os, fd, &words, plain).await {
                Ok(_) => {}
                Err(_) => {
                    say(os, 2, "Error: Server closed the connection").await;
                    return 1;
                }
            },
        }
    }
}

/// Words of a line; quotes keep blanks.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                any = true;
            }
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (_, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

async fn answer<O: Os>(os: &O, fd: Fd, words: &[String], plain: bool) -> os::Result<i32> {
    let reply = ask(os, fd, words).await?;
    let text = if plain { raw(&reply) } else { show(&reply, "") };
    say(os, 1, &text).await;
    Ok(i32::from(matches!(reply, Reply::Error(_)) && plain))
}

async fn ask<O: Os>(os: &O, fd: Fd, words: &[String]) -> os::Result<Reply> {
    let all = words.iter().map(|w| Reply::Bulk(Some(w.clone().into_bytes()))).collect();
    write_all(os, fd, &Reply::Array(all).to_bytes()).await?;
    let mut bytes = Vec::new();
    loop {
        let more = os.read(fd, 65536).await?;
        if more.is_empty() {
            return Err(Errno::ECONNRESET);
        }
        bytes.extend(more);
        match Reply::parse(&bytes) {
            Some((Some(reply), _)) => return Ok(reply),
            Some((None, _)) => return Err(Errno::EPROTO),
            None => {}
        }
    }
}

/// What a program that reads the output gets: values only.
fn raw(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) | Reply::Error(text) => text.clone(),
        Reply::Number(n) => n.to_string(),
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes.as_deref().unwrap_or(b"")).into_owned(),
        Reply::Array(all) => all.iter().map(raw).collect::<Vec<_>>().join("\n"),
    }
}

/// What a person gets: values with their types.
fn show(reply: &Reply, indent: &str) -> String {
    match reply {
        Reply::Status(text) => text.clone(),
        Reply::Error(text) => format!("(error) {text}"),
        Reply::Number(n) => format!("(integer) {n}"),
        Reply::Bulk(None) => "(nil)".into(),
        Reply::Bulk(Some(bytes)) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Reply::Array(all) if all.is_empty() => "(empty array)".into(),
        Reply::Array(all) => {
            let inner = format!("{indent}   ");
            let line = |(i, r)| format!("{}{}) {}", if i == 0 { "" } else { indent }, i + 1, show(r, &inner));
            all.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}
