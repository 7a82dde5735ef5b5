//! `docker compose config`: the project as it is understood.

use super::open::{Depth, Settings, read};
use crate::cli::{Args, Invocation};
use crate::compose::{self, Project, text};
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::world::World;
use serde_json::{Value, json};

pub(super) async fn config<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let listed = ["services", "volumes", "networks", "models", "profiles", "images", "environment"];
    let filled = !args.flag("variables")
        && (!args.flag("no-interpolate") || listed[1..].iter().any(|l| args.flag(l)) || args.given("hash"));
    let depth = Depth {
        interpolate: filled,
        environment: filled && !args.flag("no-env-resolution"),
        resolve_paths: !args.flag("no-path-resolution"),
        consistent: filled && !args.flag("no-consistency"),
        normalize: !args.flag("no-normalize") && !call.global.flag("compatibility"),
    };
    Settings::read(ctx, &call.global).await.check(ctx, &call.global)?;
    let whole: &[&str] = &["services", "volumes", "networks", "models"];
    let named = if whole.iter().any(|l| args.flag(l)) || args.given("hash") { &[][..] } else { &args.positionals[..] };
    let named = if filled { named } else { &[][..] };
    let mut project = Box::pin(read(ctx, call, named, depth)).await?;
    for name in named {
        if !project.services.contains_key(name) {
            return Err(Error::Client(format!("no such service: {name}")));
        }
    }
    if !named.is_empty() {
        compose::select(&mut project, named);
    }
    if !listed.iter().any(|l| args.flag(l)) && depth.consistent && !args.given("hash") {
        compose::unique_names(&project).map_err(Error::Client)?;
    }
    if args.flag("resolve-image-digests") || args.flag("lock-image-digests") {
        Box::pin(pin_images(ctx, &mut project)).await?;
    }
    if args.flag("lock-image-digests") {
        only_images(&mut project);
    }
    let shown = match args.flag("environment") {
        true => environment(ctx, &project),
        false => shown(&project, args)?,
    };
    let shown = if args.flag("quiet") { String::new() } else { shown };
    let whole = !listed.iter().any(|l| args.flag(l)) && !args.given("hash") && !args.flag("variables");
    match args.value("output").filter(|o| !o.is_empty() && whole && !args.flag("quiet")) {
        Some(path) => ctx.client.write_file(path, shown.as_bytes(), 0o666).await?,
        None => ctx.print(shown).await,
    }
    Ok(0)
}

fn shown(project: &Project, args: &Args) -> Result<String> {
    let lines = |names: Vec<String>| Ok(names.into_iter().map(|n| n + "\n").collect());
    if args.flag("services") {
        return lines(compose::order(project).unwrap_or_else(|_| project.services.keys().cloned().collect()));
    }
    if args.flag("volumes") {
        return lines(project.volumes.keys().cloned().collect());
    }
    if args.flag("networks") {
        return lines(project.networks.keys().cloned().collect());
    }
    if args.flag("profiles") {
        return lines(project.profiles());
    }
    if args.flag("images") {
        let image = |(name, service): (&String, &serde_json::Map<String, serde_json::Value>)| {
            service.get("image").map_or_else(|| format!("{}-{name}", project.name), text)
        };
        return lines(project.services.iter().map(image).collect());
    }
    if args.flag("models") {
        return Ok(String::new());
    }
    if args.flag("variables") {
        return variables(project, args.value("format").unwrap_or(""));
    }
    if let Some(wanted) = args.value("hash").filter(|h| !h.is_empty()) {
        let names: Vec<&str> = wanted.split(',').collect();
        let mut names: Vec<&str> =
            if wanted == "*" { project.services.keys().map(String::as_str).collect() } else { names };
        names.sort_unstable();
        let mut out = String::new();
        for name in names {
            let missing = || Error::Client(format!("no such service: {name}"));
            let service = project.services.get(name).ok_or_else(missing)?;
            out.push_str(&format!("{name} {}\n", compose::hash(service)));
        }
        return Ok(out);
    }
    let text = match args.value("format").unwrap_or("") {
        "" | "yaml" => compose::yaml(project),
        "json" => compose::json(project),
        other => return Err(Error::Client(format!("unsupported format {other:?}"))),
    };
    // What is printed can be read again: what looks like a variable now is none.
    Ok(if args.flag("no-interpolate") { text } else { text.replace('$', "$$") })
}

/// `--environment`: all that variables are taken from.
fn environment<W: World>(ctx: &Ctx<W>, project: &Project) -> String {
    let mut all = project.environment.clone();
    all.extend(ctx.client.environment().into_iter().filter(|(name, _)| name != "COMPOSE_PROJECT_NAME"));
    if !all.contains_key("PWD") {
        all.insert("PWD".into(), ctx.client.cwd());
    }
    let mut lines: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    lines.sort();
    lines.concat()
}

fn variables(project: &Project, format: &str) -> Result<String> {
    match format {
        "" | "table" => {
            let mut table = "NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE".to_string();
            for (name, v) in &project.variables {
                table.push_str(&format!("\n{name}\t{}\t{}\t{}", v.required, v.default, v.alternate));
            }
            Ok(crate::view::table::align(&table, 20, 3) + "\n")
        }
        "yaml" => Ok(project
            .variables
            .iter()
            .map(|(name, v)| {
                let quoted = |text: &str| compose::scalar(text, 4);
                format!(
                    "{name}:\n    name: {name}\n    defaultvalue: {}\n    presencevalue: {}\n    required: {}\n",
                    quoted(&v.default),
                    quoted(&v.alternate),
                    v.required
                )
            })
            .collect()),
        "json" => {
            let items = project.variables.iter().map(|(name, v)| {
                let value = json!({
                    "Name": name, "DefaultValue": v.default, "PresenceValue": v.alternate, "Required": v.required,
                });
                (name.clone(), value)
            });
            Ok(format!("{}\n", Value::Object(items.collect())))
        }
        other => Err(Error::Client(format!("format value {other:?} could not be parsed: parsing failed"))),
    }
}

/// `--resolve-image-digests`: each image by what its tag means in its registry now.
async fn pin_images<W: World>(ctx: &Ctx<W>, project: &mut Project) -> Result<()> {
    for service in project.services.values_mut() {
        let Some(name) = service.get("image").map(text) else { continue };
        let reference = Reference::parse(&name).map_err(|e| Error::Client(e.to_string()))?;
        if reference.digest().is_none() {
            let digest = Box::pin(crate::engine::image::digest_of(ctx, &reference)).await?;
            service.insert("image".into(), format!("{}@{digest}", reference.with_default_tag().familiar()).into());
        }
    }
    Ok(())
}

/// `--lock-image-digests`: a file to be laid over the others.
fn only_images(project: &mut Project) {
    for service in project.services.values_mut() {
        service.retain(|key, _| key == "image");
    }
    let services = std::mem::take(&mut project.services);
    *project = Project { services, ..Project::default() };
}
