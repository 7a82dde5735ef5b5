//! The page in a real browser: what a newcomer does first, by keyboard, and on a phone's width.
//!
//! Run by `cargo xtask test`, which builds the page and names it in `CUTAWAY_PAGE`, with the driver of
//! Chromium in `CHROMEDRIVER`.

use cutaway_tests::skip;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a page may take to show what it is waited for. Generous: machines may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser at the page.
struct Browser {
    client: Client,
    _driver: Driver,
}

/// The driver's process and the browser's files; both end with it, also where a test panics.
struct Driver {
    process: Child,
    profile: PathBuf,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Serves the page on a free port of this machine; the address.
fn serve(folder: PathBuf) -> String {
    let server = xtask::serve::open(&folder, Some(0)).expect("the page");
    let address = format!("http://{}/", server.server_addr());
    std::thread::spawn(move || xtask::serve::answer(&server, &folder));
    address
}

async fn open(url: &str, width: u32, dark: bool) -> Option<Browser> {
    let program = std::env::var_os("CHROMEDRIVER")?;
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let profile = std::env::temp_dir().join(format!("cutaway-browser-{}-{port}", std::process::id()));
    let mut command = Command::new(program);
    command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
    let driver = Driver { process: command.spawn().expect("the driver starts"), profile: profile.clone() };
    let mut arguments: Vec<String> = [
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    ]
    .map(|name| format!("--{name}"))
    .to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--window-size={},900", width.max(500)));
    if dark {
        arguments.push("--force-dark-mode".into());
    }
    let mut options = serde_json::json!({ "args": arguments });
    if width < 500 {
        options["mobileEmulation"] =
            serde_json::json!({ "deviceMetrics": { "width": width, "height": 740, "pixelRatio": 1.0 } });
    }
    let mut capabilities = serde_json::Map::new();
    capabilities.insert("goog:chromeOptions".into(), options);
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    for _ in 0..300 {
        if let Ok(client) = builder.connect(&format!("http://127.0.0.1:{port}")).await {
            client.goto(url).await.expect("the page opens");
            return Some(Browser { client, _driver: driver });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the browser does not start");
}

impl Browser {
    async fn close(self) {
        let _ = self.client.close().await;
    }

    /// Waits until a script's answer is true.
    async fn until(&self, what: &str, script: &str) {
        let end = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < end {
            let answer = self.client.execute(&format!("return Boolean({script})"), vec![]).await;
            if matches!(answer, Ok(serde_json::Value::Bool(true))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let text = self.text("body").await;
        panic!("{what}: did not come about; the page says:\n{text}");
    }

    async fn text(&self, selector: &str) -> String {
        match self.client.find(Locator::Css(selector)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    async fn press(&self, keys: &str) {
        let input = self.client.find(Locator::Css("#command")).await.expect("the input");
        input.send_keys(keys).await.expect("keys");
    }

    /// Types a line once the prompt is there, and waits for the prompt after it.
    async fn enter(&self, line: &str) {
        self.until("a prompt", "document.querySelector('.prompt')?.textContent.includes('#')").await;
        self.press(&format!("{line}\n")).await;
        self.until("the line is taken", "document.querySelector('#command').value === ''").await;
        self.until("the prompt is back", "document.querySelector('.prompt').textContent.includes('#') && !document.querySelector('[title^=Interrupt]')").await;
    }
}

/// How many containers, not counting what is leaving, are on the stage.
const CONTAINERS: &str = "document.querySelectorAll('.stage .node:not(.ghost)[data-key^=\"c\"]').length";

fn test(name: &str, width: u32, dark: bool, play: impl AsyncFnOnce(&Browser)) {
    match std::env::var_os("CUTAWAY_PAGE") {
        Some(folder) => test_of(name, Path::new(&folder), width, dark, play),
        None => skip(name, "CUTAWAY_PAGE does not name a built page"),
    }
}

fn test_of(name: &str, folder: &Path, width: u32, dark: bool, play: impl AsyncFnOnce(&Browser)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let Some(browser) = open(&serve(folder.to_path_buf()), width, dark).await else {
            return skip(name, "CHROMEDRIVER does not name Chromium's driver");
        };
        play(&browser).await;
        browser.close().await;
    });
}

#[test]
fn browser_runs_hello_world_and_steps_back() {
    test("browser_runs_hello_world_and_steps_back", 1300, false, async |page| {
        page.until("an empty stage", &format!("document.querySelector('.stage') && {CONTAINERS} === 0")).await;
        page.enter("docker run hello-world").await;
        page.until("the greeting", "document.querySelector('.log').textContent.includes('Hello from Docker!')").await;
        page.until("the container on the stage", &format!("{CONTAINERS} === 1")).await;
        // Back, by keyboard, to before the container was made.
        let steps: usize =
            page.text("#step-count").await.split('/').next_back().and_then(|n| n.trim().parse().ok()).expect("steps");
        assert!(steps > 10, "{steps} steps");
        for _ in 0..steps {
            page.press(&format!("{}{}{}", Key::Alt, Key::Left, Key::Null)).await;
        }
        page.until("the container gone", &format!("{CONTAINERS} === 0")).await;
        page.client.find(Locator::Css(".now")).await.expect("the button").click().await.expect("a click");
        page.until("the container back", &format!("{CONTAINERS} === 1")).await;
    });
}

#[test]
fn browser_shows_it_on_a_phone() {
    test("browser_shows_it_on_a_phone", 360, true, async |page| {
        page.enter("docker run -d --name web -p 8080:80 nginx").await;
        page.until("the container on the stage", &format!("{CONTAINERS} === 1")).await;
        let over = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        page.until("nothing beside the screen", &format!("{over} <= 0")).await;
    });
}

#[test]
fn browser_shows_output_as_text() {
    test("browser_shows_output_as_text", 1300, false, async |page| {
        page.enter("docker run busybox echo '<img src=x onerror=document.title=1><b id=bold>'").await;
        page.until("the words", "document.querySelector('.log').textContent.includes('<b id=bold>')").await;
        page.until("no element", "!document.querySelector('#bold') && document.title !== '1'").await;
    });
}

/// The annex of the page: see `web/src/annex.rs`.
const ANNEX: &str = "split_annex.wasm";

#[test]
fn browser_fetches_the_annex_with_the_first_line() {
    test("browser_fetches_the_annex_with_the_first_line", 1300, false, async |page| {
        let fetched = format!("performance.getEntriesByType('resource').some(e => e.name.endsWith('{ANNEX}'))");
        page.until("a prompt", "document.querySelector('.prompt')?.textContent.includes('#')").await;
        page.until("nothing more than is needed", &format!("!{fetched}")).await;
        page.enter("docker compose version").await;
        page.until("the answer", "document.querySelector('.log').textContent.includes('Docker Compose version')").await;
        page.until("the annex", &fetched).await;
    });
}

#[test]
fn browser_says_when_the_annex_cannot_be_had() {
    let name = "browser_says_when_the_annex_cannot_be_had";
    let Some(built) = std::env::var_os("CUTAWAY_PAGE").map(PathBuf::from) else {
        return skip(name, "CUTAWAY_PAGE does not name a built page");
    };
    let folder = std::env::temp_dir().join(format!("cutaway-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for entry in std::fs::read_dir(&built).expect("the page").flatten().filter(|e| e.file_name() != ANNEX) {
        std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
    }
    test_of(name, &folder, 1300, false, async |page| {
        page.until("a prompt", "document.querySelector('.prompt')?.textContent.includes('#')").await;
        page.press("docker compose version\n").await;
        page.until("the trouble", "document.querySelector('.left').textContent.includes('could not be loaded')").await;
        std::fs::copy(built.join(ANNEX), folder.join(ANNEX)).expect("a copy");
        page.client.find(Locator::Css(".start .example")).await.expect("the button").click().await.expect("a click");
        page.until("the answer", "document.querySelector('.log').textContent.includes('Docker Compose version')").await;
    });
    let _ = std::fs::remove_dir_all(&folder);
}

/// The engine is large, and a page on a phone's connection must not be: see `web/src/annex.rs`.
#[test]
fn browser_loads_no_more_than_a_megabyte_at_first() {
    let Some(folder) = std::env::var_os("CUTAWAY_PAGE").map(PathBuf::from) else {
        return skip("browser_loads_no_more_than_a_megabyte_at_first", "CUTAWAY_PAGE does not name a built page");
    };
    let weights = xtask::weigh::weights(&folder).expect("the page");
    let at_first: usize = weights.iter().filter(|w| !w.later).map(|w| w.packed).sum();
    assert!(at_first <= 1_000_000, "{at_first} bytes with brotli");
}

/// Not a test but a measurement, for `cargo xtask bench`.
#[test]
#[ignore = "a measurement"]
fn browser_time_to_prompt() {
    test("browser_time_to_prompt", 1300, false, async |page| {
        let mut times = Vec::new();
        for _ in 0..7 {
            page.client.refresh().await.expect("a reload");
            page.until("a prompt", "document.querySelector('.prompt')?.textContent.includes('#')").await;
            let script = "return performance.getEntriesByName('cutaway-prompt')[0]?.startTime ?? -1";
            let time = page.client.execute(script, vec![]).await.ok().and_then(|v| v.as_f64()).unwrap_or(-1.0);
            times.push(time);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "  time to the prompt: {:.0} ms (median of {}, local server, Chromium)",
            times[times.len() / 2],
            times.len()
        );
    });
}
