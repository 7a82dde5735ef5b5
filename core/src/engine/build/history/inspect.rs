//! `docker buildx history inspect`: one record, as text, as JSON or by a template.

use super::{find, is_local, link, name_of, took, wrong};
use crate::bake::tabbed;
use crate::build::BuildHistoryRecord;
use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::view::template::{Shape, Template};
use crate::view::units;
use crate::world::World;
use serde_json::{Map, Value, json};

/// Runs the command.
pub async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let record = find(ctx, call.args.word(0))?;
    let cwd = ctx.client.cwd();
    let text = match call.args.value("format").unwrap_or("pretty") {
        "pretty" => pretty(&record, &cwd, call.args.word(0).is_empty()),
        "json" => serde_json::to_string_pretty(&as_json(&record, &cwd)).unwrap_or_default() + "\n",
        format => {
            let template =
                Template::parse(format).map_err(|e| wrong(format!("failed to parse format template: {e}")))?;
            let made = template.execute(&as_json(&record, &cwd), &Shape::default());
            made.map_err(|e| wrong(format!("failed to execute format template: {e}")))? + "\n"
        }
    };
    ctx.print(text).await;
    Ok(0)
}

/// A path as seen from a folder that it is in.
fn within(path: &str, folder: &str) -> String {
    match path.strip_prefix(folder.trim_end_matches('/')) {
        Some("") => ".".into(),
        Some(rest) if rest.starts_with('/') => rest[1..].to_string(),
        _ => path.to_string(),
    }
}

fn places(record: &BuildHistoryRecord, cwd: &str) -> (String, String) {
    let file = match record.dockerfile.as_str() {
        "" => "Dockerfile".to_string(),
        file if is_local(&record.context) => within(file, &record.context),
        file => file.to_string(),
    };
    let context = if is_local(&record.context) { within(&record.context, cwd) } else { record.context.clone() };
    (context, file)
}

fn pretty(record: &BuildHistoryRecord, cwd: &str, with_ref: bool) -> String {
    let (context, file) = places(record, cwd);
    let mut rows = vec![("Name:", name_of(record))];
    if with_ref {
        rows.push(("Ref:", record.id.clone()));
    }
    rows.extend([("Context:", context), ("Dockerfile:", file), ("Target:", record.target.clone())]);
    rows.push(("Platforms:", record.platform.clone()));
    let table = |rows: &[(String, String)]| tabbed(rows.iter().map(|(k, v)| vec![k.clone(), v.clone()]).collect());
    let owned = |rows: Vec<(&str, String)>| -> Vec<(String, String)> {
        rows.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_string(), v)).collect()
    };
    let titled = |title: &str, pairs: &[(String, String)]| match pairs.is_empty() {
        true => String::new(),
        false => table(&[&[(title.to_string(), "VALUE".to_string())], pairs].concat()) + "\n",
    };
    let mut out = table(&owned(rows)) + "\n" + &titled("NAMED CONTEXT", &record.contexts);
    let started = units::go_time(record.started);
    let mut rows = vec![("Started:", started.get(..19).unwrap_or(&started).to_string()), ("Duration:", took(record))];
    match &record.error {
        _ if record.canceled => rows.push(("Status:", "Canceled".into())),
        Some(error) => rows.push(("Error:", format!("Unknown {error}"))),
        None => {}
    }
    let share = record.cached_steps as f64 / record.steps.max(1) as f64 * 100.0;
    rows.push(("Build Steps:", format!("{}/{} ({share:.0}% cached)", record.completed_steps, record.steps)));
    out += &(table(&owned(rows)) + "\n");
    let settings: Vec<(String, String)> = record.settings.iter().map(|(k, v)| (format!("{k}:"), v.clone())).collect();
    out += &(table(&settings) + "\n");
    out += &titled("BUILD ARG", &record.args);
    out += &titled("LABEL", &record.labels);
    if !record.excerpt.is_empty() {
        out += &format!("{}\n", record.excerpt);
    }
    if let Some((name, lines)) = record.failed.as_ref().filter(|(_, lines)| !lines.is_empty()) {
        out += &format!("Logs:\n> => {name}:\n");
        out += &lines.iter().map(|line| format!("> {line}\n")).collect::<String>();
        out.push('\n');
    }
    out + &format!("Print build logs: docker buildx history logs {}\n", record.id)
        + &format!("View build in Docker Desktop: {}\n", link(record))
}

fn as_json(record: &BuildHistoryRecord, cwd: &str) -> Value {
    let (context, file) = places(record, cwd);
    let mut made = Map::new();
    let mut add = |name: &str, value: Value| drop(made.insert(name.to_string(), value));
    let pairs = |all: &[(String, String)]| {
        Value::Array(all.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect())
    };
    let spent = record.completed.saturating_sub(record.started);
    add("Name", json!(name_of(record)));
    add("Ref", json!(record.id));
    add("Context", json!(context));
    add("Dockerfile", json!(file));
    if !record.target.is_empty() {
        add("Target", json!(record.target));
    }
    if !record.platform.is_empty() {
        add("Platform", json!(record.platform.split(',').collect::<Vec<_>>()));
    }
    if !record.contexts.is_empty() {
        add("NamedContexts", pairs(&record.contexts));
    }
    add("StartedAt", json!(units::rfc3339_nanos(record.started)));
    add("CompletedAt", json!(units::rfc3339_nanos(record.completed)));
    add("Duration", json!(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX)));
    let status = match (&record.error, record.canceled) {
        (_, true) => "canceled",
        (Some(_), false) => "error",
        (None, false) => "completed",
    };
    add("Status", json!(status));
    if let Some(error) = &record.error {
        let mut told = json!({ "Code": if record.canceled { 1 } else { 2 }, "Message": error });
        if let Some((name, lines)) = &record.failed {
            told["Name"] = json!(name);
            told["Logs"] = json!(lines);
        }
        add("Error", told);
    }
    add("NumCompletedSteps", json!(record.completed_steps));
    add("NumTotalSteps", json!(record.steps));
    add("NumCachedSteps", json!(record.cached_steps));
    for (name, all) in [("BuildArgs", &record.args), ("Labels", &record.labels)] {
        if !all.is_empty() {
            add(name, pairs(all));
        }
    }
    let settings = record.settings.iter().map(|(name, value)| {
        let value = match name.as_str() {
            "No Cache" => json!(true),
            "Extra Hosts" | "No Cache Filter" => json!(value.split(", ").collect::<Vec<_>>()),
            _ => json!(value),
        };
        (name.replace(' ', ""), value)
    });
    add("Config", Value::Object(settings.collect()));
    Value::Object(made)
}
