//! `docker compose config`: the project as it is understood.

use super::open::{Depth, read};
use crate::cli::{Args, Invocation};
use crate::compose::{self, Project, text};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

pub(super) async fn config<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let depth = Depth {
        interpolate: !args.flag("no-interpolate"),
        resolve_paths: !args.flag("no-path-resolution"),
        consistent: !args.flag("no-consistency"),
        normalize: !args.flag("no-normalize"),
    };
    let mut project = Box::pin(read(ctx, call, &args.positionals, depth)).await?;
    for name in &args.positionals {
        if !project.services.contains_key(name) {
            return Err(Error::Client(format!("no such service: {name}")));
        }
    }
    if !args.positionals.is_empty() {
        select(&mut project, &args.positionals);
    }
    let shown = shown(&project, args)?;
    let shown = if args.flag("quiet") { String::new() } else { shown };
    match args.value("output").filter(|o| !o.is_empty()) {
        Some(path) => ctx.client.write_file(path, shown.as_bytes(), 0o666).await?,
        None => ctx.print(shown).await,
    }
    Ok(0)
}

/// Only these services, and those that they depend on.
fn select(project: &mut Project, names: &[String]) {
    let mut kept: Vec<String> = names.to_vec();
    let mut at = 0;
    while at < kept.len() {
        let more: Vec<String> = compose::dependencies(project, &kept[at]).keys().map(|n| (*n).to_string()).collect();
        kept.extend(more.into_iter().filter(|n| !kept.contains(n)).collect::<Vec<_>>());
        at += 1;
    }
    project.services.retain(|name, _| kept.contains(name));
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
    if args.flag("variables") {
        let mut table = "NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE".to_string();
        for (name, default) in &project.variables {
            table.push_str(&format!("\n{name}\tfalse\t{default}\t"));
        }
        return Ok(crate::view::table::align(&table, 10, 3) + "\n");
    }
    if let Some(wanted) = args.value("hash").filter(|h| !h.is_empty()) {
        let names: Vec<&str> = wanted.split(',').collect();
        let mut out = String::new();
        for (name, service) in &project.services {
            if wanted == "*" || names.contains(&name.as_str()) {
                out.push_str(&format!("{name} {}\n", compose::hash(service)));
            }
        }
        return Ok(out);
    }
    match args.value("format").unwrap_or("") {
        "" | "yaml" => Ok(compose::yaml(project)),
        "json" => Ok(compose::json(project)),
        other => Err(Error::Client(format!("unsupported format {other:?}"))),
    }
}
