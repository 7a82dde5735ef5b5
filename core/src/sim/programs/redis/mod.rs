//! redis-server in small: the wire protocol, the everyday commands, and the dump file that makes a volume
//! worth mounting at `/data`. The commands are in [`commands`], the client in [`client`].

mod client;
mod commands;
mod value;

pub use client::redis_cli;

use super::serve::{Taken, catch, listen, say, serve, write_all};
use commands::Outcome;
use cutaway_userland::os::{Address, LocalFut, OpenFlags, Os, Signal};
use std::cell::RefCell;
use value::{Store, dump, undump};

pub const VERSION: &str = "8.2.2";
const DUMP: &str = "dump.rdb";

pub fn redis_server<O: Os>(os: O, argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        if argv.iter().any(|a| a == "--version" || a == "-v") {
            say(&os, 1, &format!("Redis server v={VERSION} sha=00000000:0 malloc=libc bits=64 build=cutaway")).await;
            return 0;
        }
        let option = |name: &str| argv.iter().position(|a| a == name).and_then(|i| argv.get(i + 1).cloned());
        let port = option("--port").and_then(|p| p.parse().ok()).unwrap_or(6379);
        let password = option("--requirepass").unwrap_or_default();
        server(os, port, password).await
    })
}

async fn server<O: Os>(os: O, port: u16, password: String) -> i32 {
    log(&os, 'C', '*', "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo").await;
    log(&os, 'C', '*', &format!("Redis version={VERSION}, bits=64, pid={}, just started", os.pid())).await;
    let listener = match listen(&os, port) {
        Ok(fd) => fd,
        Err(errno) => {
            log(
                &os,
                'M',
                '#',
                &format!("Warning: Could not create server TCP listening socket *:{port}: bind: {errno}"),
            )
            .await;
            log(&os, 'M', '#', &format!("Failed listening on port {port} (tcp), aborting.")).await;
            return 1;
        }
    };
    catch(&os, &[Signal::TERM, Signal::INT]);
    let mut store = Store::new();
    if let Ok(bytes) = cutaway_userland::io::read_file(&os, DUMP).await {
        match undump(&bytes) {
            Some(loaded) => {
                log(&os, 'M', '*', &format!("Done loading RDB, keys loaded: {}, keys expired: 0.", loaded.len())).await;
                store = loaded;
            }
            None => {
                log(&os, 'M', '#', "Fatal error loading the DB, check server logs. Exiting.").await;
                return 1;
            }
        }
    }
    log(&os, 'M', '*', "Ready to accept connections tcp").await;
    let store = RefCell::new(store);
    let known = RefCell::new(cutaway_userland::sorted::Set::<Address>::new());
    let on_bytes = async |_: usize, bytes: &[u8], from: &Address| {
        let Some((words, used)) = commands::parse(bytes) else { return Taken::More };
        let Some(words) = words else {
            return Taken::Reply { used, bytes: b"-ERR Protocol error\r\n".to_vec(), close: true };
        };
        let name = words.first().map(|w| String::from_utf8_lossy(w).to_ascii_uppercase()).unwrap_or_default();
        if name == "AUTH" {
            let right = words.last().is_some_and(|w| *w == password.as_bytes()) && !password.is_empty();
            if right {
                known.borrow_mut().insert(from.clone());
            }
            let reply: &[u8] =
                if right { b"+OK\r\n" } else { b"-WRONGPASS invalid username-password pair or user is disabled.\r\n" };
            return Taken::Reply { used, bytes: reply.to_vec(), close: false };
        }
        if !password.is_empty() && !known.borrow().contains(from) {
            return Taken::Reply { used, bytes: b"-NOAUTH Authentication required.\r\n".to_vec(), close: false };
        }
        let now = os.now().as_millis() as u64;
        let outcome = commands::run(&mut store.borrow_mut(), &words, now);
        match outcome {
            Outcome::Reply(reply) => Taken::Reply { used, bytes: reply.to_bytes(), close: name == "QUIT" },
            Outcome::Save => {
                let bytes = dump(&store.borrow());
                let reply = if save(&os, &bytes).await { "+OK\r\n" } else { "-ERR\r\n" };
                Taken::Reply { used, bytes: reply.into(), close: false }
            }
            Outcome::Shutdown => {
                let _ = os.kill(os.pid(), Signal::TERM);
                Taken::Reply { used, bytes: Vec::new(), close: true }
            }
        }
    };
    serve(&os, &[listener], on_bytes, async |signal: Signal| {
        log(&os, 'M', '*', &format!("Received SIG{} scheduling shutdown...", signal.name())).await;
        log(&os, 'M', '*', "User requested shutdown...").await;
        let bytes = dump(&store.borrow());
        if !store.borrow().is_empty() {
            log(&os, 'M', '*', "Saving the final RDB snapshot before exiting.").await;
            if save(&os, &bytes).await {
                log(&os, 'M', '*', "DB saved on disk").await;
            }
        }
        log(&os, 'M', '#', "Redis is now ready to exit, bye bye...").await;
        Some(0)
    })
    .await
}

/// Writes the dump beside itself and renames it into place, as the real one does.
async fn save<O: Os>(os: &O, bytes: &[u8]) -> bool {
    let temporary = format!("temp-{}.rdb", os.pid());
    let Ok(fd) = os.open(&temporary, OpenFlags::CREATE, 0o644).await else { return false };
    let written = write_all(os, fd, bytes).await;
    let _ = os.close(fd);
    written.is_ok() && os.rename(&temporary, DUMP).is_ok()
}

/// A log line: process, role, time, level.
async fn log<O: Os>(os: &O, role: char, level: char, text: &str) {
    let now = os.now();
    let (year, month, day, clock) = super::calendar::parts(now.as_secs());
    let month = super::calendar::month_name(month);
    let ms = now.subsec_millis();
    say(os, 1, &format!("{}:{role} {day:02} {month} {year} {clock}.{ms:03} {level} {text}", os.pid())).await;
}
