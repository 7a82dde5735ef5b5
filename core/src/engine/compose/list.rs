//! What there is: `docker compose ps`, `images`, `ls`, `port`, `top` and `volumes`.

use super::App;
use super::app::{LABEL, Member};
use super::run::{docker, one};
use crate::cli::Args;
use crate::compose::text;
use crate::container::Status;
use crate::engine::container::{Look, heal_all, row};
use crate::engine::{Ctx, Error, Result, image};
use crate::image::ImageRecord;
use crate::view::filter::Filters;
use crate::view::rows::{COMPOSE_CONTAINERS, COMPOSE_IMAGES, COMPOSE_PROJECTS, VOLUMES};
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
            Some((key, _)) => return Err(Error::Client(format!("unknown filter {key}"))),
            None => return Err(Error::Client("arguments to --filter should be in form KEY=VAL".into())),
        }
    }
    let all = args.flag("all") || !statuses.is_empty();
    let mut members = app.members(&args.positionals).await?;
    if args.positionals.is_empty() && args.flag_or("orphans", true) {
        members.extend(app.orphans().await?);
        members.extend(app.everyone().await?.into_iter().filter(|m| m.one_off));
    }
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
        for name in names {
            app.ctx.print(format!("{name}\n")).await;
        }
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
    let members = app.members(&args.positionals).await?;
    let now = app.ctx.world().now();
    let mut rows = Vec::new();
    for member in &members {
        let record = &member.record;
        let Some(found) = app.ctx.world().get::<ImageRecord>(&record.image.to_string())? else { continue };
        let names = image::references(app.ctx, &found.id)?;
        let name = names.first().map(|r| r.familiar()).unwrap_or_default();
        let (repository, tag) = name.rsplit_once(':').unwrap_or((&name, "<none>"));
        rows.push(json!({
            "ID": found.id.short(),
            "ContainerName": record.name,
            "Repository": if repository.is_empty() { "<none>" } else { repository },
            "Tag": tag,
            "Platform": format!("{}/{}", found.os, found.architecture),
            "Size": units::size(found.size()),
            "Created": found.created.map_or("N/A".into(), |t| units::ago(t, now)),
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
    if args.value("format") == Some("json") {
        app.ctx.print(format!("{}\n", Value::Array(rows))).await;
        return Ok(0);
    }
    let formatter = Formatter::new(&COMPOSE_IMAGES, "", false).map_err(Error::Client)?;
    app.ctx.print(formatter.render(&rows).map_err(Error::Client)?).await;
    Ok(0)
}

/// `docker compose ls`: the projects that have containers.
pub(super) async fn projects<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let filters = Filters::parse(args.values("filter"));
    let mut projects: BTreeMap<String, (BTreeMap<&'static str, usize>, String)> = BTreeMap::new();
    for record in heal_all(ctx).await? {
        let labels = record.labels();
        let label = |key: &str| labels.get(&format!("{LABEL}.{key}")).cloned();
        let Some(project) = label("project") else { continue };
        if !(args.flag("all") || record.is_running()) || label("oneoff").as_deref() == Some("True") {
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
    if args.value("format") == Some("json") {
        ctx.print(format!("{}\n", Value::Array(rows))).await;
        return Ok(0);
    }
    let formatter = Formatter::new(&COMPOSE_PROJECTS, "", false).map_err(Error::Client)?;
    ctx.print(formatter.render(&rows).map_err(Error::Client)?).await;
    Ok(0)
}

/// `docker compose port SERVICE PORT`.
pub(super) async fn port<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let member = one(app, args.word(0), args.number("index")).await?;
    let protocol = args.value("protocol").unwrap_or("tcp");
    let asked = args.word(1);
    let found =
        member.record.ports.iter().find(|p| p.container_port.to_string() == asked && p.protocol.name() == protocol);
    match found {
        Some(p) => {
            app.ctx.print(format!("{}:{}\n", crate::container::status::host_text(p), p.host_port)).await;
            Ok(0)
        }
        None => Err(Error::Client(format!("no port {asked}/{protocol} for container {}", member.name()))),
    }
}

/// `docker compose top`.
pub(super) async fn top<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut table = String::new();
    for member in app.members(&args.positionals).await? {
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
                member.number,
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

/// `docker compose volumes`.
pub(super) async fn volumes<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    if args.flag("quiet") || args.value("format").is_none_or(|f| f == "table") {
        let records = app.ctx.world().list::<VolumeRecord>()?;
        let mut own: Vec<VolumeRecord> = records
            .into_iter()
            .filter(|v| v.labels.get("com.docker.compose.project") == Some(&app.project.name))
            .collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        let rows: Vec<Value> = own.iter().map(|v| json!({"Name": v.name, "Driver": v.driver})).collect();
        let formatter = Formatter::new(&VOLUMES, "", args.flag("quiet")).map_err(Error::Client)?;
        app.ctx.print(formatter.render(&rows).map_err(Error::Client)?).await;
        return Ok(0);
    }
    let filter = format!("--filter=label=com.docker.compose.project={}", app.project.name);
    let format = format!("--format={}", args.value("format").unwrap_or(""));
    Box::pin(docker(app, &["volume", "ls", &filter, &format], true)).await
}
