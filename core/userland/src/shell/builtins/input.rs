//! `read` and `mapfile`: lines of input to variables.

use super::super::variables::Value;
use super::super::{Flow, Run, Shell};
use crate::errno::Errno;
use crate::os::{Fd, Os, PollFd, TtyMode, Whence};
use std::time::Duration;

impl<O: Os> Shell<O> {
    /// A line of input without its delimiter, and whether it had one; `None` at the end. Takes not a
    /// byte more, because other commands read from the same place: byte by byte, unless one can go back.
    pub(in crate::shell) async fn read_line(
        &mut self,
        fd: Fd,
        delimiter: char,
        deadline: Option<Duration>,
    ) -> Run<Option<(String, bool)>> {
        let (bytes, complete) = self.read_until(fd, delimiter as u32 as u8, usize::MAX, deadline).await?;
        if bytes.is_empty() && !complete {
            return Ok(None);
        }
        Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), complete)))
    }

    async fn read_until(
        &mut self,
        fd: Fd,
        delimiter: u8,
        most: usize,
        deadline: Option<Duration>,
    ) -> Run<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        let goes_back = self.os.seek(fd, Whence::Current(0)).is_ok();
        // A terminal gives a line at a time by itself.
        let chunk = if goes_back || (self.os.is_tty(fd) && delimiter == b'\n') { 4096 } else { 1 };
        while bytes.len() < most {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_sub(self.os.now());
                let ready = self.os.poll(&[PollFd { fd, read: true, ..PollFd::default() }], Some(left)).await;
                if !matches!(&ready, Ok(fds) if fds.iter().any(|p| p.read || p.hangup)) {
                    if ready == Err(Errno::EINTR) {
                        self.signals().await?;
                        continue;
                    }
                    return Err(Flow::Fail(142));
                }
            }
            let more = match self.os.read(fd, chunk.min(most - bytes.len())).await {
                Ok(more) if more.is_empty() => return Ok((bytes, false)),
                Ok(more) => more,
                Err(Errno::EINTR) => {
                    self.signals().await?;
                    continue;
                }
                Err(error) => return self.fail(&format!("read error: {error}"), 1).await,
            };
            self.os.charge(crate::os::Cost { cpu: 1, memory: 0 }).await;
            match more.iter().position(|b| *b == delimiter) {
                Some(at) => {
                    let over = (more.len() - at - 1) as i64;
                    if over > 0 && goes_back {
                        let _ = self.os.seek(fd, Whence::Current(-over));
                    }
                    bytes.extend(&more[..at]);
                    return Ok((bytes, true));
                }
                None => bytes.extend(more),
            }
        }
        Ok((bytes, true))
    }
}

/// How `read` was asked to read.
#[derive(Default)]
struct Asked {
    raw: bool,
    silent: bool,
    array: bool,
    prompt: Option<String>,
    deadline: Option<Duration>,
    most: Option<usize>,
    delimiter: Option<u8>,
    fd: Fd,
}

pub(super) async fn read<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, names) = super::letters(shell, args, "rsaep:t:n:N:d:u:").await?;
    let mut asked = Asked::default();
    for (flag, value) in flags {
        let bad = match flag {
            'r' => {
                asked.raw = true;
                false
            }
            's' => {
                asked.silent = true;
                false
            }
            'a' => {
                asked.array = true;
                false
            }
            'p' => {
                asked.prompt = Some(value);
                false
            }
            'd' => {
                asked.delimiter = Some(value.bytes().next().unwrap_or(0));
                false
            }
            't' => match value.parse::<f64>().ok().filter(|t| (0.0..1e9).contains(t)) {
                Some(seconds) => {
                    asked.deadline = Some(shell.os.now() + Duration::from_secs_f64(seconds));
                    false
                }
                None => true,
            },
            'n' | 'N' => {
                asked.most = value.parse().ok();
                asked.most.is_none()
            }
            'u' => match value.parse() {
                Ok(fd) => {
                    asked.fd = fd;
                    false
                }
                Err(_) => true,
            },
            _ => false,
        };
        if bad {
            return shell.fail("invalid count", 2).await;
        }
    }
    let terminal = shell.os.is_tty(asked.fd);
    if let Some(prompt) = asked.prompt.as_ref().filter(|_| terminal || !shell.bash) {
        let _ = crate::io::write_all(&shell.os, crate::io::STDERR, prompt.as_bytes()).await;
    }
    let raw = terminal && (asked.silent || asked.most.is_some());
    if raw {
        let _ = shell.os.set_tty_mode(asked.fd, TtyMode::Raw);
    }
    let got = gather(shell, &asked).await;
    if raw {
        let _ = shell.os.set_tty_mode(asked.fd, TtyMode::Cooked);
    }
    let (chars, complete) = match got {
        Ok(got) => got,
        Err(Flow::Fail(142)) => return Ok(142),
        Err(flow) => return Err(flow),
    };
    assign(shell, &asked, names, &chars).await?;
    Ok(i32::from(!complete))
}

/// Reads a logical line; each character with whether a backslash protects it.
async fn gather<O: Os>(shell: &mut Shell<O>, asked: &Asked) -> Run<(Vec<(char, bool)>, bool)> {
    let mut chars = Vec::new();
    loop {
        let delimiter = asked.delimiter.unwrap_or(b'\n');
        let most = asked.most.unwrap_or(usize::MAX);
        let (bytes, complete) = shell.read_until(asked.fd, delimiter, most, asked.deadline).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut escaped = false;
        for c in text.chars().filter(|c| *c != '\0') {
            if c == '\\' && !asked.raw && !escaped {
                escaped = true;
            } else {
                chars.push((c, escaped));
                escaped = false;
            }
        }
        if !(escaped && complete && asked.most.is_none()) {
            return Ok((chars, complete));
        }
    }
}

async fn assign<O: Os>(shell: &mut Shell<O>, asked: &Asked, names: &[String], chars: &[(char, bool)]) -> Run<()> {
    let separators = shell.variables.get("IFS").unwrap_or(" \t\n").to_string();
    if names.is_empty() {
        return shell.assign("REPLY", chars.iter().map(|(c, _)| *c).collect::<String>()).await;
    }
    let is_separator = |c: &(char, bool)| !c.1 && separators.contains(c.0);
    let is_blank = |c: &(char, bool)| is_separator(c) && matches!(c.0, ' ' | '\t' | '\n');
    let mut rest = chars;
    while rest.first().is_some_and(is_blank) {
        rest = &rest[1..];
    }
    let mut fields: Vec<String> = Vec::new();
    while !rest.is_empty() {
        if !asked.array && fields.len() + 1 == names.len() {
            fields.push(remainder(rest, is_separator, is_blank));
            break;
        }
        let end = rest.iter().position(is_separator).unwrap_or(rest.len());
        fields.push(rest[..end].iter().map(|(c, _)| *c).collect());
        rest = &rest[end..];
        let mut hard = false;
        while let Some(c) = rest.first() {
            if !is_blank(c) && (hard || !is_separator(c)) {
                break;
            }
            hard |= !is_blank(c);
            rest = &rest[1..];
        }
    }
    if asked.array {
        let map = fields.into_iter().enumerate().map(|(i, text)| (i as i64, text)).collect();
        let _ = shell.variables.set_value(&names[0], Some(Value::Indexed(map)));
        return Ok(());
    }
    let mut fields = fields.into_iter();
    for name in names {
        if !super::super::parse::is_name(name) {
            return shell.bad_name(name).await;
        }
        shell.assign(name, fields.next().unwrap_or_default()).await?;
    }
    Ok(())
}

/// What the last variable gets: all that is left, without the blanks at its end, and without one
/// separator that closes a single field. Source: POSIX, XCU `read`.
fn remainder(
    rest: &[(char, bool)],
    is_separator: impl Fn(&(char, bool)) -> bool,
    is_blank: impl Fn(&(char, bool)) -> bool,
) -> String {
    let mut kept = rest;
    while kept.last().is_some_and(&is_blank) {
        kept = &kept[..kept.len() - 1];
    }
    if let Some((last, before)) = kept.split_last()
        && is_separator(last)
        && !before.iter().any(&is_separator)
    {
        kept = before;
    }
    kept.iter().map(|(c, _)| *c).collect()
}

/// `mapfile [-t] [NAME]`: all lines to an array.
pub(super) async fn mapfile<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, names) = super::letters(shell, args, "td:u:n:").await?;
    let trims = flags.iter().any(|(f, _)| *f == 't');
    let value = |flag: char| flags.iter().find(|(f, _)| *f == flag).map(|(_, v)| v.clone());
    let fd = value('u').and_then(|v| v.parse().ok()).unwrap_or(0);
    let delimiter = value('d').map_or('\n', |v| v.chars().next().unwrap_or('\0'));
    let most = value('n').and_then(|v| v.parse().ok()).filter(|n| *n > 0).unwrap_or(usize::MAX);
    let mut map = crate::sorted::Map::new();
    while map.len() < most {
        let Some((mut line, complete)) = shell.read_line(fd, delimiter, None).await? else { break };
        if complete && !trims {
            line.push(delimiter);
        }
        map.insert(map.len() as i64, line);
    }
    let name = names.first().map_or("MAPFILE", String::as_str);
    match shell.variables.set_value(name, Some(Value::Indexed(map))) {
        Ok(()) => Ok(0),
        Err(readonly) => shell.fail(&format!("{}: is read only", readonly.0), 2).await,
    }
}
