//! Terminals: size, mode, and which process group they belong to.

use super::{check, signal};
use crate::os::*;

pub(super) fn is_tty(fd: Fd) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::isatty(fd) == 1 }
}

pub(super) fn window_size(fd: Fd) -> Result<WindowSize> {
    let mut raw = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `raw` is room for the answer.
    check(i64::from(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ as _, &mut raw) }))?;
    Ok(WindowSize { rows: raw.ws_row, columns: raw.ws_col })
}

pub(super) fn set_window_size(fd: Fd, size: WindowSize) -> Result<()> {
    let raw = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `raw` outlives the call, which only reads it.
    check(i64::from(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ as _, &raw) })).map(drop)
}

fn attributes(fd: Fd) -> Result<libc::termios> {
    // SAFETY: all zeros is a valid `termios`, and the call fills it in.
    let mut raw: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: `raw` is room for the answer.
    check(i64::from(unsafe { libc::tcgetattr(fd, &mut raw) }))?;
    Ok(raw)
}

pub(super) fn mode(fd: Fd) -> Result<TtyMode> {
    Ok(if attributes(fd)?.c_lflag & libc::ICANON == 0 { TtyMode::Raw } else { TtyMode::Cooked })
}

pub(super) fn set_mode(fd: Fd, mode: TtyMode) -> Result<()> {
    let mut raw = attributes(fd)?;
    let local = libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN;
    let input = libc::ICRNL | libc::IXON;
    // Output stays processed in both modes: what a background job prints must not run across the screen.
    raw.c_oflag |= libc::OPOST | libc::ONLCR;
    match mode {
        TtyMode::Cooked => {
            raw.c_lflag |= local | libc::ECHOE | libc::ECHOK;
            raw.c_iflag |= input;
        }
        TtyMode::Raw => {
            raw.c_lflag &= !local;
            raw.c_iflag &= !(input | libc::INLCR | libc::IGNCR | libc::ISTRIP);
            raw.c_cc[libc::VMIN] = 1;
            raw.c_cc[libc::VTIME] = 0;
        }
    }
    // SAFETY: `raw` outlives the call, which only reads it.
    signal::blocking(Signal::TTOU, || check(i64::from(unsafe { libc::tcsetattr(fd, libc::TCSADRAIN, &raw) }))).map(drop)
}

pub(super) fn foreground_group(fd: Fd) -> Result<Pid> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::tcgetpgrp(fd) })).map(|pid| pid as Pid)
}

/// Works from the background too: the stop that Linux answers that with is blocked.
pub(super) fn set_foreground_group(fd: Fd, group: Pid) -> Result<()> {
    // SAFETY: no memory is involved.
    signal::blocking(Signal::TTOU, || check(i64::from(unsafe { libc::tcsetpgrp(fd, group) }))).map(drop)
}
