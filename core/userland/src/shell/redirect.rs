//! Redirections: what a command's descriptors are, and putting them back. Source: POSIX, XCU 2.7.

use super::syntax::{Redirect, RedirectKind, Word};
use super::{Run, Shell};
use crate::errno::Errno;
use crate::io;
use crate::os::{Fd, FileKind, OpenFlags, Os};

/// Copies that are put aside go here and above, out of the way of scripts.
const ASIDE: Fd = 200;
/// What a pipe holds on Linux: a longer here-document needs a child that writes it.
const PIPE: usize = 65_536;

/// What a descriptor was before: a copy of it, or closed.
pub(super) struct Saved(Vec<(Fd, Option<Fd>)>);

impl<O: Os> Shell<O> {
    /// Does the redirections of a command. Unless they are to stay (`keep`), what was there before is
    /// put aside, for [`Shell::restore`]. An error has been told, and all is as before.
    pub(super) async fn redirect(&mut self, redirects: &[Redirect], keep: bool) -> Run<Saved> {
        let mut saved = Saved(Vec::new());
        for redirect in redirects {
            if let Err(flow) = self.redirect_one(redirect, keep, &mut saved).await {
                self.restore(saved);
                return Err(flow);
            }
        }
        Ok(saved)
    }

    /// Puts the descriptors back, the last one changed first.
    pub(super) fn restore(&mut self, saved: Saved) {
        for (fd, before) in saved.0.into_iter().rev() {
            match before {
                Some(copy) => {
                    let _ = self.os.dup2(copy, fd);
                    let _ = self.os.close(copy);
                    self.saved.retain(|s| *s != copy);
                }
                None => {
                    let _ = self.os.close(fd);
                }
            }
        }
    }

    fn put_aside(&mut self, fd: Fd, keep: bool, saved: &mut Saved) {
        if keep || saved.0.iter().any(|(f, _)| *f == fd) {
            return;
        }
        let copy = self.os.dup(fd, ASIDE).or_else(|e| if e == Errno::EINVAL { self.os.dup(fd, 10) } else { Err(e) });
        let copy = copy.ok();
        if let Some(copy) = copy {
            let _ = self.os.set_close_on_exec(copy, true);
            self.saved.push(copy);
        }
        saved.0.push((fd, copy));
    }

    async fn redirect_one(&mut self, redirect: &Redirect, keep: bool, saved: &mut Saved) -> Run<()> {
        let fd = redirect.fd;
        let opened = match &redirect.kind {
            RedirectKind::Read(word) => self.open_word(word, OpenFlags::READ).await?,
            RedirectKind::Write { target, clobber } => {
                let path = self.expand_text(target).await?;
                let protects = self.options.noclobber && !clobber;
                if protects && self.os.stat(&path).is_ok_and(|s| s.kind == FileKind::Regular) {
                    return self.fail(&format!("can't create {path}: File exists"), 1).await;
                }
                self.open_path(&path, OpenFlags::CREATE).await?
            }
            RedirectKind::Append(word) => self.open_word(word, OpenFlags::APPEND).await?,
            RedirectKind::ReadWrite(word) => {
                self.open_word(word, OpenFlags { read: true, ..OpenFlags::READ_WRITE }).await?
            }
            RedirectKind::Both { target, append } => {
                let flags = if *append { OpenFlags::APPEND } else { OpenFlags::CREATE };
                let opened = self.open_word(target, flags).await?;
                self.put_aside(io::STDERR, keep, saved);
                let _ = self.os.dup2(opened, io::STDERR);
                opened
            }
            RedirectKind::HereDocument(body) => {
                let empty = Word::default();
                let text = self.expand_text(body.get().unwrap_or(&empty)).await?;
                self.here_document(text).await?
            }
            RedirectKind::HereString(word) => {
                let text = self.expand_text(word).await?;
                self.here_document(text + "\n").await?
            }
            RedirectKind::Duplicate(word) => return self.duplicate(fd, word, keep, saved).await,
        };
        self.put_aside(fd, keep, saved);
        self.move_fd(opened, fd);
        Ok(())
    }

    async fn duplicate(&mut self, fd: Fd, word: &Word, keep: bool, saved: &mut Saved) -> Run<()> {
        let target = self.expand_text(word).await?;
        if target == "-" {
            self.put_aside(fd, keep, saved);
            let _ = self.os.close(fd);
            return Ok(());
        }
        let (number, moves) = match target.strip_suffix('-') {
            Some(number) => (number, true),
            None => (target.as_str(), false),
        };
        let Ok(source) = number.parse::<Fd>() else {
            return self.fail("bad fd number", 2).await;
        };
        // What the shell has put aside is not the script's to use.
        if self.saved.contains(&source) || self.os.fstat(source).is_err() {
            return self.fail(&format!("{source}: {}", Errno::EBADF), 1).await;
        }
        if source != fd {
            self.put_aside(fd, keep, saved);
            if let Err(error) = self.os.dup2(source, fd) {
                return self.fail(&format!("{source}: {error}"), 1).await;
            }
        }
        if moves {
            self.put_aside(source, keep, saved);
            let _ = self.os.close(source);
        }
        Ok(())
    }

    async fn open_word(&mut self, word: &Word, flags: OpenFlags) -> Run<Fd> {
        let path = self.expand_text(word).await?;
        self.open_path(&path, flags).await
    }

    /// Opens a file for a redirection, above the descriptors that scripts name.
    async fn open_path(&mut self, path: &str, flags: OpenFlags) -> Run<Fd> {
        loop {
            match self.os.open(path, flags, 0o666).await {
                Ok(fd) if fd > 2 => return Ok(fd),
                // 0, 1 or 2 was closed and has just been given out: the target may be another.
                Ok(fd) => {
                    let moved = self.os.dup(fd, 10).unwrap_or(fd);
                    if moved != fd {
                        let _ = self.os.close(fd);
                    }
                    return Ok(moved);
                }
                Err(Errno::EINTR) => self.signals().await?,
                Err(error) if self.bash => return self.fail(&format!("{path}: {error}"), 1).await,
                Err(error) => {
                    let (verb, why) = if flags.create {
                        ("create", if error == Errno::ENOENT { "nonexistent directory" } else { error.text() })
                    } else {
                        ("open", if error == Errno::ENOENT { "no such file" } else { error.text() })
                    };
                    return self.fail(&format!("can't {verb} {path}: {why}"), 1).await;
                }
            }
        }
    }

    /// A pipe with the text in it.
    async fn here_document(&mut self, text: String) -> Run<Fd> {
        let (reader, writer) = match self.os.pipe() {
            Ok(ends) => ends,
            Err(error) => return self.fail(&format!("can't create pipe: {error}"), 2).await,
        };
        if text.len() <= PIPE {
            let _ = io::write_all(&self.os, writer, text.as_bytes()).await;
        } else {
            let child = self.os.fork(move |os| {
                Box::pin(async move {
                    let _ = os.close(reader);
                    i32::from(io::write_all(&os, writer, text.as_bytes()).await.is_err())
                })
            });
            if let Err(error) = child {
                return self.fail(&format!("can't fork: {error}"), 2).await;
            }
        }
        let _ = self.os.close(writer);
        Ok(reader)
    }
}
