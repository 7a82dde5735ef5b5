//! What there is: `docker compose ps`, `images`, `ls`, `port`, `top` and `volumes`.

use super::App;
use super::app::{LABEL, Member};
use super::run::docker;
use crate::cli::Args;
use crate::compose::text;
use crate::container::Status;
use crate::engine::container::{Look, heal_all, row};
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::name::Reference;
use crate::view::filter::Filters;
use crate::view::rows::{COMPOSE_CONTAINERS, VOLUMES};
use crate::view::table::Formatter;
use crate::view::units;
use crate::volume::VolumeRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Value, json};

pub(super) async fn ps<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut statuses = args.values("status").to_vec();
    for filter in args.values("filter").iter().filter(|f| !f.is_empty()) {
        match filter.split_once('=') {
            Some(("status", status)) => statuses.push(status.to_string()),
            Some(("source", _)) => return Err(Error::Client("not implemented".into())),
            Some((key, _)) => return Err(Error::Client(format!("unknown filter {key}"))),
            None => return Err(Error::Client("arguments to --filter should be in form KEY=VAL".into())),
        }
    }
    let all = args.flag("all") || !statuses.is_empty();
    let mut members = app.everyone().await?;
    let named = |m: &Member| match args.positionals.is_empty() {
        true => args.flag_or("orphans", true) || app.project.services.contains_key(&m.service),
        false => args.positionals.contains(&m.service),
    };
    members.retain(|m| named(m) && (all || !m.one_off));
    members.retain(|m| {
        (all || m.record.is_running())
            && (statuses.is_empty() || statuses.iter().any(|s| s == m.record.state.status.name()))
    });
    members.sort_by(|a, b| a.name().cmp(b.name()));
    if args.flag("quiet") {
        for member in &members {
            app.ctx.print(format!("{}\n", member.record.id)).await;
        }
        return Ok(0);
    }
    if args.flag("services") {
        let mut names: Vec<&str> = members.iter().map(|m| m.service.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        app.ctx.print(format!("{}\n", names.join("\n"))).await;
        return Ok(0);
    }
    let formatter =
        Formatter::new(&COMPOSE_CONTAINERS, args.value("format").unwrap_or(""), false).map_err(Error::Client)?;
    let look = Look { full: args.flag("no-trunc"), sizes: false, now: app.ctx.world().now() };
    let rows: Vec<Value> = members.iter().map(|member| container_row(app, member, &look)).collect();
    app.ctx.print(formatter.render(&rows).map_err(Error::Client)?).await;
    Ok(0)
}

fn container_row<W: World>(app: &App<'_, W>, member: &Member, look: &Look) -> Value {
    let record = &member.record;
    let mut shown = row(app.ctx, record, look);
    let published = record.ports.iter().map(|p| {
        json!({
            "URL": p.host.to_string(),
            "TargetPort": p.container_port,
            "PublishedPort": p.host_port,
            "Protocol": p.protocol.name(),
        })
    });
    let publishers: Vec<Value> = published.collect();
    if let Value::Object(fields) = &mut shown {
        fields.remove("Platform");
        let health = record.state.health.as_ref().map_or("", |h| h.status.name());
        for (key, value) in [
            ("ExitCode", Value::from(record.state.exit_code)),
            ("Health", health.into()),
            ("Image", record.image_name.clone().into()),
            ("Name", record.name.clone().into()),
            ("Project", app.project.name.clone().into()),
            ("Publishers", publishers.into()),
            ("Service", member.service.clone().into()),
        ] {
            fields.insert(key.into(), value);
        }
        fields.sort_keys();
    }
    shown
}

pub(super) async fn images<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut members = app.anyone(&args.positionals).await?;
    members.sort_by(|a, b| a.name().cmp(b.name()));
    let now = app.ctx.world().now();
    let (mut rows, mut whole) = (Vec::new(), Vec::new());
    for member in &members {
        let record = &member.record;
        let Some(found) = app.ctx.world().get::<ImageRecord>(&record.image.to_string())? else { continue };
        // By what it was asked for, not by the names that it has now.
        let reference = Reference::parse(&record.image_name).map(|r| r.with_default_tag().familiar()).ok();
        let name = reference.unwrap_or_default();
        let (repository, tag) = name.rsplit_once(':').unwrap_or((&name, "<none>"));
        let name_or_none = if repository.is_empty() { "<none>" } else { repository };
        let platform = format!("{}/{}", found.os, found.architecture);
        let tagged = found.last_tagged.or(found.created);
        rows.push(format!(
            "{}\t{name_or_none}\t{tag}\t{platform}\t{}\t{}\t{}",
            record.name,
            found.id.short(),
            units::size(found.size()),
            tagged.map_or("N/A".into(), |t| units::ago(t, now)),
        ));
        whole.push(json!({
            "ID": found.id.to_string(),
            "ContainerName": record.name,
            "Repository": repository,
            "Tag": if repository.is_empty() { "" } else { tag },
            "Platform": platform,
            "Size": found.size(),
            "LastTagTime": tagged.map(units::rfc3339_seconds),
        }));
    }
    if args.flag("quiet") {
        let mut ids: Vec<String> = members.iter().map(|m| m.record.image.hex()).collect();
        ids.sort();
        ids.dedup();
        for id in ids {
            app.ctx.print(format!("{id}\n")).await;
        }
        return Ok(0);
    }
    let heads = "CONTAINER\tREPOSITORY\tTAG\tPLATFORM\tIMAGE ID\tSIZE\tCREATED";
    print_table(app.ctx, args, heads, &rows, whole).await
}

/// A table as Compose makes those of its own, or the same as JSON.
async fn print_table<W: World>(
    ctx: &Ctx<W>,
    args: &Args,
    heads: &str,
    rows: &[String],
    whole: Vec<Value>,
) -> Result<i32> {
    match args.value("format").unwrap_or("").to_lowercase().as_str() {
        "" | "table" | "pretty" => {
            let lines: Vec<&str> = std::iter::once(heads).chain(rows.iter().map(String::as_str)).collect();
            ctx.print(crate::view::table::align(&lines.join("\n"), 20, 3) + "\n").await;
        }
        "json" => ctx.print(format!("{}\n", Value::Array(whole))).await,
        other => {
            return Err(Error::Client(format!("format value {other:?} could not be parsed: parsing failed")));
        }
    }
    Ok(0)
}

/// `docker compose ls`: the projects that have containers.
pub(super) async fn projects<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let filters = Filters::parse(args.values("filter"));
    filters.allow(&["name"]).map_err(Error::Client)?;
    let mut projects: BTreeMap<String, (BTreeMap<&'static str, usize>, String)> = BTreeMap::new();
    for record in heal_all(ctx).await? {
        let labels = record.labels();
        let label = |key: &str| labels.get(&format!("{LABEL}.{key}")).cloned();
        let Some(project) = label("project") else { continue };
        if !(args.flag("all") || record.is_running()) || label("config-hash").is_none() {
            continue;
        }
        let entry = projects.entry(project).or_default();
        *entry.0.entry(record.state.status.name()).or_default() += 1;
        entry.1 = label("project.config_files").unwrap_or_default();
    }
    projects.retain(|name, _| filters.matches("name", name));
    let rows: Vec<Value> = projects
        .into_iter()
        .map(|(name, (counts, files))| {
            let status: Vec<String> = counts.iter().map(|(status, n)| format!("{status}({n})")).collect();
            json!({"Name": name, "Status": status.join(", "), "ConfigFiles": files})
        })
        .collect();
    if args.flag("quiet") {
        for row in &rows {
            ctx.print(format!("{}\n", text(&row["Name"]))).await;
        }
        return Ok(0);
    }
    let line = |row: &Value| ["Name", "Status", "ConfigFiles"].map(|key| text(&row[key])).join("\t");
    let lines: Vec<String> = rows.iter().map(line).collect();
    print_table(ctx, args, "NAME\tSTATUS\tCONFIG FILES", &lines, rows).await
}

/// `docker compose port SERVICE PORT`.
pub(super) async fn port<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let asked = args.word(1);
    let unread = |why: &str| Error::Client(format!("strconv.ParseUint: parsing {asked:?}: {why}"));
    match asked.parse::<u64>() {
        Ok(number) if number > 65535 => return Err(unread("value out of range")),
        Ok(_) => {}
        Err(_) => return Err(unread("invalid syntax")),
    }
    let member = app.running(args.word(0), args.number("index")).await?;
    let protocol = args.value("protocol").unwrap_or("tcp").to_lowercase();
    let found =
        member.record.ports.iter().find(|p| p.container_port.to_string() == asked && p.protocol.name() == protocol);
    match found {
        Some(p) => {
            app.ctx.print(format!("{}:{}\n", crate::container::status::host_text(p), p.host_port)).await;
            Ok(0)
        }
        None => {
            let known: Vec<String> =
                member.record.ports.iter().map(|p| format!("{}/{}", p.host_port, p.protocol.name())).collect();
            Err(Error::Client(format!(
                "no port {asked}/{protocol} for container {}: {}",
                member.name(),
                known.join(", ")
            )))
        }
    }
}

/// `docker compose top`.
pub(super) async fn top<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut table = String::new();
    let mut members = app.anyone(&args.positionals).await?;
    members.sort_by(|a, b| a.name().cmp(b.name()));
    for member in members {
        if member.record.state.status != Status::Running {
            continue;
        }
        if table.is_empty() {
            table.push_str("SERVICE\t#\tUID\tPID\tPPID\tC\tSTIME\tTTY\tTIME\tCMD");
        }
        for process in app.ctx.world().processes(&member.record.id).unwrap_or_default() {
            let seconds = process.cpu.as_secs();
            let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            let started = units::rfc3339_seconds(process.started);
            table.push_str(&format!(
                "\n{}\t{}\t{}\t{}\t{}\t0\t{}\t{}\t{time}\t{}",
                member.service,
                if member.one_off { String::new() } else { member.number.to_string() },
                process.user,
                process.pid,
                process.parent,
                started.get(11..16).unwrap_or(""),
                process.tty,
                process.args.join(" ")
            ));
        }
    }
    if !table.is_empty() {
        app.ctx.print(crate::view::table::align(&table, 4, 2) + "\n").await;
    }
    Ok(0)
}

/// `docker compose volumes`: those of the project, or of some of its services.
pub(super) async fn volumes<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut own = app.ctx.world().list::<VolumeRecord>()?;
    own.retain(|v| v.labels.get("com.docker.compose.project") == Some(&app.project.name));
    if !args.positionals.is_empty() {
        let mut members = app.anyone(&args.positionals).await?;
        members.retain(|m| m.record.is_running());
        own.retain(|v| members.iter().any(|m| m.record.mounts.iter().any(|mount| mount.name == v.name)));
    }
    own.sort_by(|a, b| a.name.cmp(&b.name));
    if args.flag("quiet") || args.value("format").is_none_or(|f| f == "table") || own.is_empty() {
        let rows: Vec<Value> = own.iter().map(|v| json!({"Name": v.name, "Driver": v.driver})).collect();
        let formatter = Formatter::new(&VOLUMES, "", args.flag("quiet")).map_err(Error::Client)?;
        app.ctx.print(formatter.render(&rows).map_err(Error::Client)?).await;
        return Ok(0);
    }
    let mut words = vec!["volume".to_string(), "ls".into(), format!("--format={}", args.value("format").unwrap_or(""))];
    words.extend(own.iter().map(|v| format!("--filter=name=^{}$", v.name)));
    Box::pin(docker(app, &words.iter().map(String::as_str).collect::<Vec<_>>(), true)).await
}
