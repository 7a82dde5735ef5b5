//! `docker-machine ls`: the table, its filters and formats.

use super::record::{self, Record};
use super::{Ending, Run, State};
use crate::cli::DOCKER_VERSION;
use crate::sim::hosts::dial;
use crate::view::table::align;
use crate::view::template::{Shape, Template};
use serde_json::{Map, Value, json};

const TABLE: &str =
    "table {{.Name}}\t{{.Active}}\t{{.DriverName}}\t{{.State}}\t{{.URL}}\t{{.Swarm}}\t{{.DockerVersion}}\t{{.Error}}";
const HEADS: [(&str, &str); 10] = [
    ("Name", "NAME"),
    ("Active", "ACTIVE"),
    ("ActiveHost", "ACTIVE_HOST"),
    ("ActiveSwarm", "ACTIVE_SWARM"),
    ("DriverName", "DRIVER"),
    ("State", "STATE"),
    ("URL", "URL"),
    ("Swarm", "SWARM"),
    ("Error", "ERRORS"),
    ("DockerVersion", "DOCKER"),
];

pub async fn list(run: &Run) -> Ending {
    let filters = filters(run.args.values("filter"))?;
    let mut found = Vec::new();
    for name in record::names(run) {
        let record = record::read(run, &name).await?;
        if filters.iter().all(|(key, wanted)| fits(run, &record, key, wanted)) {
            found.push(record);
        }
    }
    if run.args.flag("quiet") {
        for record in &found {
            run.say(&record.name).await;
        }
        return Ok(0);
    }
    let format = run.args.value("format").filter(|format| !format.is_empty()).unwrap_or(TABLE);
    let (table, source) = format.strip_prefix("table").map_or((false, format), |rest| (true, rest.trim_start()));
    let source = source.replace("\\t", "\t").replace("\\n", "\n");
    let template = Template::parse(&source).map_err(|e| format!("Template parsing error: {e}"))?;
    let mut lines = Vec::new();
    if table {
        let heads: Map<String, Value> = HEADS.iter().map(|(field, head)| (field.to_string(), json!(head))).collect();
        lines.push(execute(&template, &Value::Object(heads), true)?);
    }
    for record in &found {
        lines.push(execute(&template, &row(run, record).await, false)?);
    }
    let text = lines.join("\n");
    if !text.is_empty() {
        run.say(&if table { align(&text, 5, 3) } else { text }).await;
    }
    Ok(0)
}

fn execute(template: &Template, dot: &Value, heading: bool) -> Result<String, String> {
    let shape = Shape { type_name: Some("commands.HostListItem"), heading, ..Shape::default() };
    template.execute(dot, &shape).map_err(|e| format!("Template parsing error: {e}"))
}

async fn row(run: &Run, record: &Record) -> Value {
    let state = run.state(record);
    let url = run.url(record).unwrap_or_default();
    let active = !url.is_empty() && run.env("DOCKER_HOST") == url;
    let answers = match record.ip.parse() {
        Ok(ip) if state == State::Running => dial::answers(&run.here.os, ip, 2376).await,
        _ => false,
    };
    let error = match state {
        State::Running if !answers => "Unable to query docker version: Cannot connect to the docker engine endpoint",
        State::Error if record.driver == "virtualbox" => "machine does not exist",
        State::Error => "ssh: connect to host: no answer",
        _ => "",
    };
    json!({
        "Name": record.name,
        "Active": if active { "*" } else { "-" },
        "ActiveHost": active,
        "ActiveSwarm": false,
        "DriverName": record.driver,
        "State": state.name(),
        "URL": url,
        "Swarm": "",
        "Error": error,
        "DockerVersion": if answers { format!("v{DOCKER_VERSION}") } else { "Unknown".to_string() },
    })
}

fn filters(given: &[String]) -> Result<Vec<(&str, &str)>, String> {
    let split = |text: &String| -> Result<(String, ()), String> {
        let (key, _) = text.split_once('=').ok_or("Unsupported filter syntax.")?;
        match key.trim().to_lowercase().as_str() {
            key @ ("driver" | "swarm" | "state" | "name" | "label") => Ok((key.to_string(), ())),
            key => Err(format!("Unsupported filter key '{key}'")),
        }
    };
    given.iter().try_for_each(|text| split(text).map(drop))?;
    Ok(given.iter().filter_map(|text| text.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect())
}

/// A name's pattern may be held to the beginning (`^`) and the end (`$`).
fn fits(run: &Run, record: &Record, key: &str, wanted: &str) -> bool {
    let name = record.name.as_str();
    match key.to_lowercase().as_str() {
        "driver" => record.driver == wanted,
        "state" => run.state(record).name().eq_ignore_ascii_case(wanted),
        "name" => match (wanted.strip_prefix('^'), wanted.strip_suffix('$')) {
            (Some(_), Some(_)) => name == wanted.trim_matches(['^', '$']),
            (Some(start), None) => name.starts_with(start),
            (None, Some(end)) => name.ends_with(end),
            (None, None) => name.contains(wanted),
        },
        _ => false,
    }
}
