//! `docker events`: what happened, from some time on, and what happens while it waits.

use super::event::EventRecord;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::view::filter::Filters;
use crate::view::template::{Shape, Template};
use crate::view::units;
use crate::world::{Kind, World};
use serde_json::{Map, Value, json};
use std::time::Duration;

const FILTERS: [&str; 16] = [
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "label!",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
    "builder",
];

/// How an event is printed.
enum Format {
    Line,
    Json,
    Template(Template),
}

pub(super) async fn events<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let format = read_format(ctx, args.value("format").unwrap_or("")).await?;
    let filters = Filters::parse(args.values("filter"));
    filters.allow(&FILTERS).map_err(Error::Daemon)?;
    let now = ctx.world().now();
    let moment = |name: &str| match args.value(name).filter(|text| !text.is_empty()) {
        Some(text) => units::parse_moment(text, now).map(Some).map_err(Error::Client),
        None => Ok(None),
    };
    let (since, until) = (moment("since")?, moment("until")?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Error::Daemon("`since` time cannot be after `until` time".into()));
    }
    // What happened before is shown only where a beginning was asked for.
    let mut seen = match since {
        Some(_) => None,
        None => ctx.world().keys(Kind::Event)?.last().cloned(),
    };
    loop {
        for key in ctx.world().keys(Kind::Event)? {
            if seen.as_ref().is_some_and(|seen| key <= *seen) {
                continue;
            }
            seen = Some(key.clone());
            let Some(event) = ctx.world().get::<EventRecord>(&key)? else { continue };
            if since.is_some_and(|since| event.at < since) || until.is_some_and(|until| event.at > until) {
                continue;
            }
            if fits(&event, &filters) {
                ctx.print(show(&event, &format)?).await;
            }
        }
        let now = ctx.world().now();
        if ctx.client.broken() || until.is_some_and(|until| now >= until) {
            return Ok(0);
        }
        let most = until.map_or(Duration::from_secs(3600), |until| until - now);
        ctx.world().record_change(most).await;
    }
}

async fn read_format<W: World>(ctx: &Ctx<W>, source: &str) -> Result<Format> {
    Ok(match source {
        "" => Format::Line,
        "json" | "{{json .}}" => Format::Json,
        source => {
            // A field that is not there is told before anything happens.
            let parsed = Template::parse(source).and_then(|template| {
                let sample = EventRecord {
                    sequence: 0,
                    at: Duration::ZERO,
                    kind: String::new(),
                    action: String::new(),
                    id: String::new(),
                    attributes: Default::default(),
                };
                template.execute(&fields(&sample), &SHAPE).map(|_| template)
            });
            match parsed {
                Ok(template) => Format::Template(template),
                Err(error) => {
                    ctx.warn(format!("Error parsing format: {error}\n")).await;
                    return Err(Error::Status(64));
                }
            }
        }
    })
}

/// Whether all filters hold.
fn fits(event: &EventRecord, filters: &Filters) -> bool {
    let action = event.action.split(':').next().unwrap_or_default();
    let named = |kind: &str, name: &str| {
        !filters.has(kind)
            || (event.kind == kind
                && filters.values(kind).iter().any(|wanted| {
                    event.id == *wanted
                        || (wanted.len() >= 3 && event.id.starts_with(wanted.as_str()))
                        || name == wanted
                }))
    };
    let name = event.attributes.get("name").map_or("", String::as_str);
    let image = || {
        let of = |text: &str| filters.exact("image", text) || filters.exact("image", without_tag(text));
        match event.kind.as_str() {
            "image" => of(&event.id) || of(name),
            "container" => of(event.attributes.get("image").map_or("", String::as_str)),
            _ => !filters.has("image"),
        }
    };
    filters.exact("type", &event.kind)
        && (filters.exact("event", &event.action) || filters.exact("event", action))
        && filters.exact("scope", "local")
        && named("container", name)
        && named("network", name)
        && named("volume", name)
        && named("builder", name)
        && image()
        && filters.labels(&event.attributes)
}

/// `busybox` of `busybox:latest`.
fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// How templates see an event: the names of Go's fields.
const SHAPE: Shape =
    Shape { type_name: Some("*events.Message"), inner: &[], optional: &[], strict: false, heading: false, wire: false };

fn fields(event: &EventRecord) -> Value {
    let classic = matches!(event.kind.as_str(), "container" | "image");
    let or_empty = |on: bool, text: &str| if on { text.to_string() } else { String::new() };
    json!({
        "Status": or_empty(classic, &event.action),
        "ID": or_empty(classic, &event.id),
        "From": or_empty(event.kind == "container", event.attributes.get("image").map_or("", String::as_str)),
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.id, "Attributes": event.attributes},
        "Scope": "local",
        "Time": event.at.as_secs(),
        "TimeNano": nanos(event.at),
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// As Docker sends it.
fn message(event: &EventRecord) -> Value {
    let mut message = Map::new();
    if matches!(event.kind.as_str(), "container" | "image") {
        message.insert("status".into(), event.action.clone().into());
        message.insert("id".into(), event.id.clone().into());
    }
    if let Some(image) = event.attributes.get("image").filter(|_| event.kind == "container") {
        message.insert("from".into(), image.clone().into());
    }
    message.insert("Type".into(), event.kind.clone().into());
    message.insert("Action".into(), event.action.clone().into());
    message.insert("Actor".into(), json!({"ID": event.id, "Attributes": event.attributes}));
    message.insert("scope".into(), "local".into());
    message.insert("time".into(), event.at.as_secs().into());
    message.insert("timeNano".into(), nanos(event.at).into());
    Value::Object(message)
}

fn show(event: &EventRecord, format: &Format) -> Result<String> {
    let text = match format {
        Format::Json => message(event).to_string(),
        Format::Template(template) => template.execute(&fields(event), &SHAPE).map_err(|e| Error::Client(e.0))?,
        Format::Line => {
            let mut text = format!("{} {} {} {}", units::rfc3339_nanos(event.at), event.kind, event.action, event.id);
            if !event.attributes.is_empty() {
                let attributes: Vec<String> = event.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
                text += &format!(" ({})", attributes.join(", "));
            }
            text
        }
    };
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventRecord {
        let attributes = [("image", "busybox:latest"), ("name", "web"), ("who", "me"), ("exitCode", "0")];
        EventRecord {
            sequence: 7,
            at: Duration::new(1_795_164_873, 385_174_906),
            kind: "container".into(),
            action: "exec_create: ls".into(),
            id: "673b0f8f".repeat(8),
            attributes: attributes.map(|(k, v)| (k.to_string(), v.to_string())).into(),
        }
    }

    #[test]
    fn filters() {
        for (given, holds) in [
            (vec![], true),
            (vec!["type=container", "event=exec_create"], true),
            (vec!["event=die"], false),
            (vec!["container=web"], true),
            (vec!["container=673b0f"], true),
            (vec!["container=db"], false),
            (vec!["network=web"], false),
            (vec!["image=busybox"], true),
            (vec!["image=busybox:latest"], true),
            (vec!["image=alpine"], false),
            (vec!["label=who=me"], true),
            (vec!["label=who=you"], false),
        ] {
            let filters = Filters::parse(&given.iter().map(|v| v.to_string()).collect::<Vec<_>>());
            assert_eq!(fits(&event(), &filters), holds, "{given:?}");
        }
    }

    #[test]
    fn as_docker_prints_it() {
        let id = "673b0f8f".repeat(8);
        assert_eq!(
            show(&event(), &Format::Line),
            Ok(format!(
                "2026-11-20T08:54:33.385174906Z container exec_create: ls {id} (exitCode=0, image=busybox:latest, \
                 name=web, who=me)\n"
            ))
        );
        let json = show(&event(), &Format::Json).expect("prints");
        assert!(json.starts_with(&format!(
            "{{\"status\":\"exec_create: ls\",\"id\":\"{id}\",\"from\":\"busybox:latest\",\"Type\":\"container\","
        )));
        assert!(json.ends_with("\"scope\":\"local\",\"time\":1795164873,\"timeNano\":1795164873385174906}\n"));
        let template = Template::parse("{{.Type}} {{.Actor.Attributes.name}} {{.Status}}").expect("parses");
        assert_eq!(show(&event(), &Format::Template(template)), Ok("container web exec_create: ls\n".into()));
    }
}
