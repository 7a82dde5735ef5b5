//! The page in a real browser: what a newcomer does first, by keyboard, and on a phone's width.
//!
//! Run by `cargo xtask test`, which builds the page and names it in `CUTAWAY_PAGE`, with the driver of
//! Chromium in `CHROMEDRIVER`.

use cutaway_tests::skip;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use std::path::PathBuf;
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
fn serve() -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("CUTAWAY_PAGE")?);
    let server = xtask::serve::open(&folder, Some(0)).expect("the page");
    let address = format!("http://{}/", server.server_addr());
    std::thread::spawn(move || xtask::serve::answer(&server, &folder));
    Some(address)
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let Some(url) = serve() else { return skip(name, "CUTAWAY_PAGE does not name a built page") };
        let Some(browser) = open(&url, width, dark).await else {
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
