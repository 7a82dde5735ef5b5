//! `docker compose run`, `exec` and others that are a `docker` command on one of the project's containers.

use super::App;
use super::app::LABEL;
use super::converge::Plan;
use super::create::Changes;
use super::quiet::{Printed, Quiet};
use super::up::orphans;
use crate::cli::Args;
use crate::compose::split_words;
use crate::engine::container::{self as engine, Removal, find_by_id};
use crate::engine::image::{self, PullPolicy};
use crate::engine::{Ctx, Error, Result, all_groups, route};
use crate::view::units::rfc3339_nanos;
use crate::world::{Stream, World};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Runs a docker command of the engine's; its exit status. Unless `shown`, its output is dropped.
pub(super) async fn docker<W: World>(app: &App<'_, W>, words: &[&str], shown: bool) -> Result<i32> {
    if shown { Box::pin(dispatch(app.ctx, words)).await } else { Box::pin(docker_with(app, words, Vec::new())).await }
}

/// The same with these bytes on its standard input, showing nothing.
pub(super) async fn docker_with<W: World>(app: &App<'_, W>, words: &[&str], input: Vec<u8>) -> Result<i32> {
    Box::pin(captured(app, words, input)).await.0
}

/// The same, and what it printed.
pub(super) async fn docker_captured<W: World>(app: &App<'_, W>, words: &[&str]) -> (Result<i32>, Vec<u8>) {
    Box::pin(captured(app, words, Vec::new())).await
}

async fn captured<W: World>(app: &App<'_, W>, words: &[&str], input: Vec<u8>) -> (Result<i32>, Vec<u8>) {
    let (input, printed) = (RefCell::new(input), Printed::Kept(RefCell::default()));
    let client = Rc::new(Quiet { inner: app.ctx.client.clone(), input, printed });
    let ctx = Ctx { watched: app.ctx.watched.clone(), client: client.clone() };
    let result = Box::pin(dispatch(&ctx, words)).await;
    (result, client.kept())
}

async fn dispatch<W: World>(ctx: &Ctx<W>, words: &[&str]) -> Result<i32> {
    let words: Vec<String> = words.iter().map(|w| (*w).to_string()).collect();
    let call = crate::cli::parse(&words).map_err(|usage| Error::Client(usage.text))?;
    match Box::pin(route(ctx, &call, &all_groups())).await {
        Some(result) => result,
        None => Err(Error::Client(format!("{} is not supported here", words.join(" ")))),
    }
}

/// `docker compose exec`.
pub(super) async fn exec<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let member = app.running(args.word(0), args.number("index")).await?;
    if app.board.dry {
        return match args.flag("detach") {
            true => {
                let (command, name) = (args.positionals[1..].join(" "), member.name());
                let line = format!(" DRY-RUN MODE - Executing command {command:?} in {name} (detached mode)\n");
                app.ctx.print(line).await;
                Ok(0)
            }
            false => Err(Error::Client("interactive run is not supported in dry-run mode".into())),
        };
    }
    let mut words: Vec<String> = vec!["exec".into()];
    let client = &app.ctx.client;
    let no_tty = args.given("no-tty") && args.flag("no-tty");
    let tty = !no_tty && client.is_tty(Stream::Out) && client.is_tty(Stream::In);
    if args.flag("detach") {
        words.push("--detach".into());
    } else {
        words.push("--interactive".into());
        words.extend(tty.then(|| "--tty".to_string()));
    }
    words.extend(args.flag("privileged").then(|| "--privileged".to_string()));
    for name in ["env", "user", "workdir"] {
        words.extend(args.values(name).iter().filter(|v| !v.is_empty()).map(|v| format!("--{name}={v}")));
    }
    words.push(member.record.id);
    words.extend(args.positionals[1..].iter().cloned());
    Box::pin(docker(app, &words.iter().map(String::as_str).collect::<Vec<_>>(), true)).await
}

/// `docker compose run`: a container beside those of `up`, for one command.
pub(super) async fn run<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let service = args.word(0);
    let attributes = app.service(service)?;
    if args.flag("service-ports") && args.values("publish").iter().any(|p| !p.is_empty()) {
        return Err(Error::Client("--service-ports and --publish are incompatible".into()));
    }
    if args.values("label").iter().any(|l| !l.is_empty() && !l.contains('=')) {
        return Err(Error::Client("label must be set as KEY=VALUE".into()));
    }
    app.board.hushed.set(args.flag("quiet"));
    if !args.flag("no-deps") {
        let mut needed = app.with_dependencies(&[service.to_string()], true)?;
        needed.retain(|n| n != service);
        Box::pin(app.ensure_images(&needed, args)).await?;
        Box::pin(app.ensure_networks()).await?;
        Box::pin(app.ensure_volumes(false)).await?;
        Box::pin(orphans(app, args)).await?;
        Box::pin(app.converge(&needed, &Plan::default())).await?;
        Box::pin(app.start_services(&needed, None, None)).await?;
        Box::pin(app.wait_for_dependencies(service, None, None)).await?;
    } else {
        Box::pin(app.ensure_networks()).await?;
        Box::pin(app.ensure_volumes(false)).await?;
        Box::pin(orphans(app, args)).await?;
    }
    Box::pin(app.ensure_images(&[service.to_string()], args)).await?;
    let image = match app.board.dry {
        true => None,
        false => {
            Some(Box::pin(image::ensure_quietly(app.ctx, &app.image_of(service)?, PullPolicy::Never, None)).await?)
        }
    };
    let client = &app.ctx.client;
    let no_tty = args.given("no-TTY") && args.flag("no-TTY");
    let detach = args.flag("detach");
    let tty = !no_tty && !detach && client.is_tty(Stream::Out) && client.is_tty(Stream::In);
    let input = !detach && args.flag_or("interactive", true);
    let mut words = vec![format!("--tty={tty}"), format!("--interactive={input}")];
    if attributes.contains_key("restart") || attributes.contains_key("deploy") {
        words.push("--restart=no".into());
    }
    words.extend(args.flag("rm").then(|| "--rm".to_string()));
    for name in ["env", "label", "publish", "volume", "user", "workdir", "cap-add", "cap-drop"] {
        for value in args.values(name).iter().filter(|v| !v.is_empty()) {
            match (name, value.contains('=')) {
                ("env", false) => words.extend(client.env(value).map(|v| format!("--env={value}={v}"))),
                _ => words.push(format!("--{name}={value}")),
            }
        }
    }
    for path in args.values("env-from-file").iter().filter(|p| !p.is_empty()) {
        let bytes = client.read_file(path).await?;
        let known = crate::compose::parse_env_file(&String::from_utf8_lossy(&bytes), &|name| client.env(name));
        let given = |name: &str| args.values("env").iter().any(|v| v.split('=').next() == Some(name));
        let lines = known.map_err(|e| Error::Client(format!("failed to read {path}: {e}")))?;
        words.extend(lines.into_iter().filter(|(n, _)| !given(n)).map(|(n, v)| format!("--env={n}={v}")));
    }
    let given = args.value("name").filter(|n| !n.is_empty()).map(str::to_string);
    let (project, between) = (&app.project.name, app.separator);
    let fresh = || format!("{project}{between}{service}{between}run{between}{}", &app.ctx.new_id()[..12]);
    let name = given.unwrap_or_else(fresh);
    let entrypoint = args.value("entrypoint").map(split_words).transpose().map_err(Error::Client)?;
    let changes = Changes {
        name: name.clone(),
        number: 0,
        one_off: true,
        command: (args.positionals.len() > 1).then(|| args.positionals[1..].to_vec()),
        entrypoint,
        no_ports: !args.flag("service-ports"),
        no_aliases: !args.flag("use-aliases"),
        words,
    };
    app.progress("Container", &name, "Creating").await;
    let record = Box::pin(app.create(service, image.as_ref(), &changes)).await?;
    app.progress("Container", &name, "Created").await;
    if app.board.dry {
        return Err(Error::Client("interactive run is not supported in dry-run mode".into()));
    }
    if detach {
        Box::pin(engine::start(app.ctx, &record.id, false)).await?;
        let id = record.id.clone();
        Box::pin(app.hooks(&one_off(service, record), "post_start", None)).await?;
        app.ctx.print(format!("{id}\n")).await;
        return Ok(0);
    }
    let mut start = vec!["start", "--attach"];
    if input {
        start.push("--interactive");
    }
    start.push(&record.id);
    let result = Box::pin(docker(app, &start, true)).await;
    if result.is_err()
        && record.host.auto_remove
        && let Ok(left) = find_by_id(app.ctx, &record.id)
    {
        let _ = Box::pin(engine::remove(app.ctx, &left, &Removal { force: true, volumes: true })).await;
    }
    result
}

fn one_off(service: &str, record: crate::container::ContainerRecord) -> super::app::Member {
    super::app::Member { service: service.to_string(), number: 0, one_off: true, record }
}

/// `attach`, `export` and `commit`: the docker command of the same name on a service's container.
pub(super) async fn on_container<W: World>(app: &App<'_, W>, args: &Args, command: &str) -> Result<i32> {
    let index = args.number("index");
    let member = app.running(args.word(0), index).await?;
    let name = member.name().to_string();
    let (text, doing, done) = match command {
        "commit" => (format!("Commit {name}"), "Committing", "Committed"),
        "export" => {
            let file = args.value("output").unwrap_or("");
            if file.is_empty() && app.ctx.client.is_tty(Stream::Out) {
                return Err(Error::Client("output option is required when exporting to terminal".into()));
            }
            (format!("export {name} to {file}"), "Exporting", "Exported")
        }
        _ => (String::new(), "", ""),
    };
    if command != "attach" {
        app.board.phase(doing);
        app.event(&name, &text, doing).await;
        if app.board.dry {
            app.event(&name, &text, done).await;
            return Ok(0);
        }
    }
    let mut words: Vec<String> = vec!["container".into(), command.into()];
    for (name, values) in args.flags.iter().filter(|(name, _)| !matches!(name.as_str(), "index" | "dry-run")) {
        words.extend(values.iter().filter(|v| !v.is_empty()).map(|v| format!("--{name}={v}")));
    }
    words.push(member.record.id);
    words.extend(args.positionals[1..].iter().cloned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if command != "commit" {
        return Box::pin(docker(app, &words, true)).await;
    }
    let (result, told) = Box::pin(docker_captured(app, &words)).await;
    let status = result?;
    app.event(&name, &text, &format!("Committed as {}", String::from_utf8_lossy(&told).trim())).await;
    Ok(status)
}

/// `docker compose cp`: `SERVICE:PATH` on one side; into all of the service's containers, or out of the first.
pub(super) async fn copy<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let split = |word: &str| {
        let (service, path) = word.split_once(':')?;
        (!word.starts_with(['/', '.'])).then(|| (service.to_string(), path.to_string()))
    };
    let (from, to) = (args.word(0), args.word(1));
    for (word, what) in [(from, "source"), (to, "destination")] {
        if word.is_empty() {
            return Err(Error::Client(format!("{what} can not be empty")));
        }
    }
    let (service, path, outward) = match (split(from), split(to)) {
        (None, None) => return Err(Error::Client("unknown copy direction".into())),
        (Some(_), Some(_)) => return Err(Error::Client("copying between services is not supported".into())),
        (Some((service, path)), None) => (service, path, true),
        (None, Some((service, path))) => (service, path, false),
    };
    let index = args.number("index").filter(|i| *i > 0);
    let mut members = app.everyone().await?;
    members.retain(|m| m.service == service && (args.flag("all") || !m.one_off));
    members.retain(|m| index.is_none_or(|i| i == i64::from(m.number)));
    if members.is_empty() {
        return Err(Error::Client(format!("no container found for service {service:?}")));
    }
    if outward {
        members.truncate(1);
    }
    app.board.phase("Copying");
    for member in &members {
        let there = format!("{}:{path}", member.name());
        let inside = format!("{}:{path}", member.record.id);
        let text = match outward {
            true => format!("copy {there} to {to}"),
            false => format!("copy {from} to {there}"),
        };
        app.event(member.name(), &text, "Copying").await;
        if !app.board.dry {
            let mut words = vec!["cp"];
            words.extend(args.flag("archive").then_some("--archive"));
            words.extend(args.flag("follow-link").then_some("--follow-link"));
            words.extend(if outward { [inside.as_str(), to] } else { [from, inside.as_str()] });
            // A tar on standard input or output is the person's own.
            let streams = from == "-" || to == "-";
            Box::pin(docker(app, &words, streams)).await?;
        }
        app.event(member.name(), &text, "Copied").await;
    }
    Ok(0)
}

/// `docker compose stats`.
pub(super) async fn stats<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    // Only the first that is named counts.
    let members = app.anyone(args.positionals.get(..1).unwrap_or_default()).await?;
    let mut words: Vec<String> = vec!["stats".into()];
    for name in ["all", "no-stream", "no-trunc"] {
        words.extend(args.flag(name).then(|| format!("--{name}")));
    }
    words.extend(args.value("format").filter(|f| !f.is_empty()).map(|f| format!("--format={f}")));
    let count = words.len();
    words.extend(members.into_iter().filter(|m| args.flag("all") || m.record.is_running()).map(|m| m.record.id));
    if words.len() == count {
        // Without a name, it would be about all that there are.
        return Ok(0);
    }
    Box::pin(docker(app, &words.iter().map(String::as_str).collect::<Vec<_>>(), true)).await
}

/// `docker compose events`: those of the engine, of this project's containers.
pub(super) async fn events<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut words: Vec<String> = vec![
        "events".into(),
        "--filter=type=container".into(),
        format!("--filter=label={LABEL}.project={}", app.project.name),
        "--format=json".into(),
    ];
    for name in ["since", "until"] {
        words.extend(args.value(name).filter(|v| !v.is_empty()).map(|v| format!("--{name}={v}")));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (services, as_json) = (args.positionals.clone(), args.flag("json"));
    let reworded = Printed::Reworded(Box::new(move |line| event_line(line, &services, as_json)));
    let client = Rc::new(Quiet { inner: app.ctx.client.clone(), input: RefCell::default(), printed: reworded });
    let ctx = Ctx { watched: app.ctx.watched.clone(), client };
    Box::pin(dispatch(&ctx, &words)).await
}

/// An event of the engine in Compose's form; nothing where it is not one of these services.
fn event_line(line: &str, services: &[String], as_json: bool) -> String {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let label = |key: &str| event["Actor"]["Attributes"][format!("{LABEL}.{key}").as_str()].as_str().unwrap_or("");
    let service = label("service");
    if event.is_null() || label("oneoff") == "True" || !(services.is_empty() || services.iter().any(|s| s == service)) {
        return String::new();
    }
    let own = event["Actor"]["Attributes"].as_object().into_iter().flatten();
    let attributes: Map<String, Value> =
        own.filter(|(key, _)| !key.starts_with(LABEL)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let (id, action) = (&event["Actor"]["ID"], event["Action"].as_str().unwrap_or(""));
    let at = Duration::from_nanos(event["timeNano"].as_u64().unwrap_or(0));
    if as_json {
        let told = json!({
            "action": action, "attributes": attributes, "id": id, "service": service,
            "time": rfc3339_nanos(at), "type": "container",
        });
        return format!("{told}\n");
    }
    let time = rfc3339_nanos(at);
    let (day, clock) = (time.get(..10).unwrap_or(""), time.get(11..26).unwrap_or(""));
    let attributes: Vec<String> = attributes.iter().map(|(k, v)| format!("{k}={}", crate::compose::text(v))).collect();
    format!("{day} {clock} container {action} {} ({})\n\n", id.as_str().unwrap_or(""), attributes.join(", "))
}
