//! The program of the image `registry:2`: the distribution server of [`crate::registry`] on a socket, with its
//! content in the container's `/var/lib/registry`, so that a volume there keeps it.

use super::http::{self, Response};
use super::serve::{catch, listen, say, serve, write_all};
use crate::registry::{self, MemoryStore, Store};
use cutaway_userland::io;
use cutaway_userland::os::{Address, FileKind, LocalFut, OpenFlags, Os, Signal};
use cutaway_userland::sorted::Set as BTreeSet;
use std::cell::RefCell;
use std::rc::Rc;

const FOLDER: &str = "/var/lib/registry/docker/registry/v2";
const DEFAULT_CONFIG: &str = "/etc/docker/registry/config.yml";

pub fn docker_registry<O: Os>(os: O, argv: Vec<String>, env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        if argv.iter().any(|a| a == "--version" || a == "-v") {
            say(&os, 1, "registry github.com/distribution/distribution v2.8.3").await;
            return 0;
        }
        if argv.get(1).map(String::as_str) != Some("serve") {
            say(&os, 2, "Usage:\n  registry serve <config>").await;
            return 1;
        }
        let config = argv.get(2).map_or(DEFAULT_CONFIG, String::as_str);
        let text = match io::read_file(&os, config).await {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(errno) => {
                let reason = errno.text().to_lowercase();
                say(&os, 2, &format!("configuration error: open {config}: {reason}")).await;
                return 1;
            }
        };
        run(os, port(&text, &env)).await
    })
}

/// Of `http: addr:`, or of `REGISTRY_HTTP_ADDR`.
fn port(config: &str, env: &[(String, String)]) -> u16 {
    let set = env.iter().find(|(n, _)| n == "REGISTRY_HTTP_ADDR").map(|(_, v)| v.as_str());
    let written = config.lines().find_map(|l| l.trim().strip_prefix("addr:"));
    let address = set.or(written).unwrap_or("").trim();
    address.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or(5000)
}

async fn run<O: Os>(os: O, port: u16) -> i32 {
    let listener = match listen(&os, port) {
        Ok(fd) => fd,
        Err(errno) => {
            log(&os, "fatal", &format!("listen tcp :{port}: bind: {}", errno.text().to_lowercase())).await;
            return 1;
        }
    };
    catch(&os, &[Signal::TERM, Signal::INT]);
    let mut stored = MemoryStore::default();
    load(&os, FOLDER.to_string(), String::new(), &mut stored).await;
    log(&os, "info", &format!("listening on [::]:{port}")).await;
    let stored = RefCell::new(stored);
    let on_bytes = async |_: usize, bytes: &[u8], _: &Address| {
        http::take(bytes, "", async |request| {
            let question = registry::Request {
                method: request.method.clone(),
                host: http::header(&request.headers, "host").unwrap_or("").to_string(),
                tls: false,
                any_certificate: false,
                path: request.target.clone(),
                headers: request.headers.clone(),
                body: request.body.clone(),
            };
            let (answer, changes) = answer(&mut stored.borrow_mut(), &question);
            for (key, bytes) in changes {
                keep(&os, &key, bytes.as_deref()).await;
            }
            let line = format!(
                "response completed http.request.method={} http.request.uri={:?} http.response.status={}",
                request.method, request.target, answer.status
            );
            log(&os, "info", &line).await;
            Response { status: answer.status, headers: answer.headers, body: answer.body }
        })
        .await
    };
    serve(&os, &[listener], on_bytes, async |_| Some(2)).await
}

/// What to write to the disk under which name; `None` deletes.
type Changes = Vec<(String, Option<Rc<[u8]>>)>;

fn answer(store: &mut MemoryStore, question: &registry::Request) -> (registry::Response, Changes) {
    let mut seen = Recorder { store, changed: BTreeSet::new() };
    let answer = registry::server::serve(question, &mut seen);
    let changes = seen.changed.iter().map(|key| (key.clone(), seen.store.get(key))).collect();
    (answer, changes)
}

/// A store that knows what was changed in it.
struct Recorder<'a> {
    store: &'a mut MemoryStore,
    changed: BTreeSet<String>,
}

impl Store for Recorder<'_> {
    fn get(&self, key: &str) -> Option<Rc<[u8]>> {
        self.store.get(key)
    }

    fn put(&mut self, key: &str, bytes: &[u8]) {
        self.changed.insert(key.to_string());
        self.store.put(key, bytes);
    }

    fn remove(&mut self, key: &str) -> bool {
        self.changed.insert(key.to_string());
        self.store.remove(key)
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        self.store.keys(prefix)
    }
}

/// Reads what an earlier run has left.
fn load<'a, O: Os>(os: &'a O, folder: String, prefix: String, to: &'a mut MemoryStore) -> LocalBorrow<'a> {
    Box::pin(async move {
        for entry in os.read_dir(&folder).unwrap_or_default() {
            let (path, key) = (format!("{folder}/{}", entry.name), format!("{prefix}{}", entry.name));
            if entry.kind == FileKind::Directory {
                load(os, path, format!("{key}/"), to).await;
            } else if let Ok(bytes) = io::read_file(os, &path).await {
                to.put(&key, &bytes);
            }
        }
    })
}

type LocalBorrow<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Writes one change to the disk; `None` deletes.
async fn keep<O: Os>(os: &O, key: &str, bytes: Option<&[u8]>) {
    let path = format!("{FOLDER}/{key}");
    let Some(bytes) = bytes else {
        let _ = os.unlink(&path);
        return;
    };
    for (at, _) in path.match_indices('/').skip(1) {
        let _ = os.mkdir(&path[..at], 0o755);
    }
    if let Ok(fd) = os.open(&path, OpenFlags::CREATE, 0o644).await {
        let _ = write_all(os, fd, bytes).await;
        let _ = os.close(fd);
    }
}

async fn log<O: Os>(os: &O, level: &str, text: &str) {
    let (year, month, day, clock) = super::calendar::parts(os.now().as_secs());
    say(os, 2, &format!("time=\"{year}-{month:02}-{day:02}T{clock}Z\" level={level} msg={text:?}")).await;
}
