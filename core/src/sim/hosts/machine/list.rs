//! `docker-machine ls`: the table, its filters and formats.

use super::record::{self, Record};
use super::{Ending, NOT_RUNNING, Run, State, reach};
use crate::build::go_duration;
use crate::view::table::align;
use crate::view::template::{Shape, Template};
use serde_json::{Map, Value, json};
use std::time::Duration;

const TABLE: &str =
    "table {{.Name}}\t{{.Active}}\t{{.DriverName}}\t{{.State}}\t{{.URL}}\t{{.Swarm}}\t{{.DockerVersion}}\t{{.Error}}";
const HEADS: [(&str, &str); 13] = [
    ("Name", "NAME"),
    ("Active", "ACTIVE"),
    ("ActiveHost", "ACTIVE_HOST"),
    ("ActiveSwarm", "ACTIVE_SWARM"),
    ("DriverName", "DRIVER"),
    ("State", "STATE"),
    ("URL", "URL"),
    ("SwarmOptions", "SWARM_OPTIONS"),
    ("Swarm", "SWARM"),
    ("EngineOptions", "ENGINE_OPTIONS"),
    ("Error", "ERRORS"),
    ("DockerVersion", "DOCKER"),
    ("ResponseTime", "RESPONSE"),
];

pub async fn list(run: &Run) -> Ending {
    let filters = filters(run.args.values("filter"))?;
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    for name in record::names(run) {
        match record::read(run, &name).await {
            Ok(record) if filters.fit(run, &record)? => found.push(record),
            Ok(_) => {}
            Err(why) => broken.push((name, why)),
        }
    }
    if run.args.flag("quiet") {
        for record in &found {
            run.say(&record.name).await;
        }
        return Ok(0);
    }
    let format = match run.args.value("format") {
        "" => TABLE,
        format => format,
    };
    let (table, source) = format.strip_prefix("table").map_or((false, format), |rest| (true, rest));
    let source = source.trim_matches(' ').replace("\\t", "\t").replace("\\n", "\n");
    let template = Template::parse(&source).map_err(|e| e.to_string())?;
    let mut lines = Vec::new();
    if table {
        let heads: Map<String, Value> = HEADS.iter().map(|(field, head)| (field.to_string(), json!(head))).collect();
        lines.push(execute(&template, &Value::Object(heads), true)?);
    }
    let mut rows = Vec::new();
    for record in &found {
        rows.push((record.name.clone(), row(run, record).await));
    }
    rows.extend(broken.into_iter().map(|(name, why)| (name.clone(), broken_row(&name, &why))));
    rows.sort_by_key(|(name, _)| natural(&name.to_lowercase()));
    for (_, row) in &rows {
        lines.push(execute(&template, row, false)?);
    }
    if !lines.is_empty() {
        let text = lines.join("\n");
        run.say(&if table { align(&text, 5, 3) } else { text }).await;
    }
    Ok(0)
}

/// A name in parts, so that `node2` comes before `node10`.
fn natural(name: &str) -> Vec<(u64, String)> {
    let parts = name.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let parts = parts.map(|part| String::from_utf8_lossy(part).into_owned());
    parts.map(|part| part.parse().map_or((u64::MAX, part), |number| (number, String::new()))).collect()
}

fn execute(template: &Template, dot: &Value, heading: bool) -> Result<String, String> {
    let shape = Shape { type_name: Some("commands.HostListItem"), heading, ..Shape::default() };
    template.execute(dot, &shape).map_err(|e| e.to_string())
}

async fn row(run: &Run, record: &Record) -> Value {
    let began = run.here.host.world.machine().now();
    let url = run.url(record).unwrap_or_default();
    let active = !url.is_empty() && run.env("DOCKER_HOST") == url;
    let (version, error) = match run.url(record) {
        Ok(url) => match reach::version(run, &url).await {
            Ok(version) => (format!("v{version}"), String::new()),
            Err(why) => ("Unknown".to_string(), why),
        },
        Err(why) => ("Unknown".to_string(), if why == NOT_RUNNING { String::new() } else { why }),
    };
    let took = run.here.host.world.machine().now().saturating_sub(began);
    let options = &record.value["HostOptions"];
    json!({
        "Name": record.name,
        "Active": if active { "*" } else { "-" },
        "ActiveHost": active,
        "ActiveSwarm": false,
        "DriverName": record.driver,
        "State": run.state(record).name(),
        "URL": url,
        "SwarmOptions": options["SwarmOptions"],
        "Swarm": "",
        "EngineOptions": options["EngineOptions"],
        "Error": error,
        "DockerVersion": version,
        "ResponseTime": go_duration(Duration::from_millis(took.as_millis() as u64)),
    })
}

/// The row of a machine whose record can't be read.
fn broken_row(name: &str, why: &str) -> Value {
    json!({
        "Name": name,
        "Active": "",
        "ActiveHost": false,
        "ActiveSwarm": false,
        "DriverName": "not found",
        "State": State::Error.name(),
        "URL": "",
        "SwarmOptions": null,
        "Swarm": "",
        "EngineOptions": null,
        "Error": why.replace('\n', ""),
        "DockerVersion": "",
        "ResponseTime": "0s",
    })
}

/// Conditions by what they are about: a machine must meet one of each.
#[derive(Default)]
struct Filters {
    by_key: [Vec<String>; KEYS.len()],
}

const KEYS: [&str; 5] = ["swarm", "driver", "state", "name", "label"];

fn filters(given: &[String]) -> Result<Filters, String> {
    let mut filters = Filters::default();
    for text in given {
        let (key, value) = text.split_once('=').ok_or("Unsupported filter syntax")?;
        let key = key.to_lowercase();
        let known = KEYS.iter().position(|known| *known == key);
        filters.by_key[known.ok_or_else(|| format!("Unsupported filter key '{key}'"))?].push(value.to_string());
    }
    Ok(filters)
}

impl Filters {
    fn fit(&self, run: &Run, record: &Record) -> Result<bool, String> {
        for (key, values) in KEYS.iter().zip(&self.by_key) {
            let mut fits = values.is_empty();
            for wanted in values {
                fits = fits || fit(run, record, key, wanted)?;
            }
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn fit(run: &Run, record: &Record, key: &str, wanted: &str) -> Result<bool, String> {
    Ok(match key {
        // No machine belongs to a swarm.
        "swarm" => wanted.is_empty(),
        "driver" => record.driver.eq_ignore_ascii_case(wanted),
        "state" => run.state(record).name().eq_ignore_ascii_case(wanted),
        "name" => {
            let pattern = regex_lite::Regex::new(wanted);
            pattern.map_err(|e| format!("error parsing regexp: {e}"))?.is_match(&record.name)
        }
        _ => {
            let labels = record.value["HostOptions"]["EngineOptions"]["Labels"].as_array();
            let mut labels = labels.into_iter().flatten().filter_map(Value::as_str);
            labels.any(|label| match (label.split_once('='), wanted.split_once('=')) {
                (Some((a, b)), Some((key, value))) => a == key && b.eq_ignore_ascii_case(value),
                _ => label == wanted,
            })
        }
    })
}
