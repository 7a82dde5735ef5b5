//! A target as the options of a build.

use super::super::options::Options;
use super::wrong;
use crate::bake::{Kind, Plan, Target};
use crate::cli::{Args, Invocation};
use crate::compose::clean_path;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::Platform;
use crate::world::World;

/// Finishes what `--print` shows: contexts are written plainly, and what builds need of files is there.
pub async fn complete<W: World>(ctx: &Ctx<W>, plan: &mut Plan) -> Result<()> {
    let epoch = ctx.client.env("SOURCE_DATE_EPOCH").filter(|v| !v.is_empty());
    for target in plan.targets.values_mut() {
        if let Some(epoch) =
            epoch.as_ref().filter(|_| !target.pairs("args").iter().any(|(k, _)| *k == "SOURCE_DATE_EPOCH"))
        {
            target.set_pair("args", "SOURCE_DATE_EPOCH", epoch);
        }
        for (field, name) in [("context", "context"), ("dockerfile", "dockerfile")] {
            if target.text(field) == Some("-") {
                return Err(wrong(&format!("{name} from stdin not allowed in bake")));
            }
        }
        let context = target.text("context").unwrap_or(".");
        let context = match context.strip_prefix("cwd://") {
            Some(rest) => clean_path(rest),
            None if super::is_remote(context) => context.to_string(),
            None => clean_path(context),
        };
        target.set_text("context", context);
        if let Some(size) = target.text("shm-size")
            && crate::container::spec::parse_bytes(size).is_err()
        {
            return Err(wrong(&format!("invalid value {size} for membytes key shm-size")));
        }
        for platform in target.texts("platforms") {
            Platform::parse(platform).map_err(|e| wrong(&e))?;
        }
        for secret in target.entries("secret").iter().filter(|s| !s.get("src").is_empty()) {
            let path = secret.get("src");
            if matches!(ctx.client.facts(path).await, Ok(None)) {
                return Err(wrong(&format!("failed to stat {path}: stat {path}: no such file or directory")));
            }
        }
    }
    Ok(())
}

/// As a `docker build` would have them.
pub fn options<W: World>(ctx: &Ctx<W>, call: &Invocation, target: &Target) -> Result<Options> {
    let mut args = Args::default();
    let mut add = |flag: &str, value: String| match args.flags.get_mut(flag) {
        Some(values) => values.push(value),
        None => drop(args.flags.insert(flag.to_string(), vec![value])),
    };
    let context = target.text("context").unwrap_or(".").to_string();
    let file = target.text("dockerfile").unwrap_or("Dockerfile");
    let file = match file.strip_prefix("cwd://") {
        Some(rest) => clean_path(rest),
        None if file.starts_with('/') || super::is_remote(&context) => file.to_string(),
        None => clean_path(&format!("{context}/{file}")),
    };
    add("file", file);
    for (field, flag, sign) in [
        ("args", "build-arg", '='),
        ("labels", "label", '='),
        ("contexts", "build-context", '='),
        ("extra-hosts", "add-host", '='),
    ] {
        for (name, value) in target.pairs(field) {
            let value = if field == "contexts" { value.trim_start_matches("cwd://") } else { value };
            add(flag, format!("{name}{sign}{value}"));
        }
    }
    for (field, flag) in [
        ("tags", "tag"),
        ("no-cache-filter", "no-cache-filter"),
        ("ulimits", "ulimit"),
        ("entitlements", "allow"),
        ("annotations", "annotation"),
    ] {
        target.texts(field).iter().for_each(|value| add(flag, value.clone()));
    }
    for field in ["target", "network", "shm-size", "call"] {
        if let Some(value) = target.text(field) {
            add(field, value.to_string());
        }
    }
    for flag in ["pull", "no-cache"] {
        if target.flag(flag) {
            add(flag, "true".into());
        }
    }
    if !target.texts("platforms").is_empty() {
        add("platform", target.texts("platforms").join(","));
    }
    for (field, kind) in
        [("cache-from", Kind::Cache), ("cache-to", Kind::Cache), ("secret", Kind::Secret), ("ssh", Kind::Ssh)]
    {
        target.entries(field).iter().for_each(|entry| add(field, entry.to_flag(kind)));
    }
    for output in target.entries("output") {
        let mut output = output.clone();
        if output.get("type") == "registry" {
            output.set("type", "image");
            output.set("push", "true");
        }
        match (output.get("type"), output.get("push")) {
            ("image", "true") => add("push", "true".into()),
            // The image is kept in any case.
            ("image", _) => {}
            ("docker", _) if output.get("dest").is_empty() => {}
            _ => add("output", output.to_flag(Kind::Output)),
        }
    }
    add("progress", call.args.value("progress").unwrap_or("auto").to_string());
    args.positionals.push(context);
    let build = Invocation { command: "buildx build", typed: call.typed.clone(), global: call.global.clone(), args };
    let mut options = Options::read(ctx, &build).map_err(plain)?;
    options.inline = target.text("dockerfile-inline").map(str::to_string);
    options.classic = false;
    Ok(options)
}

/// An error of a build's options, as bake tells it.
pub fn plain(error: Error) -> Error {
    match error {
        Error::Client(text) => Error::Client(text.replacen("ERROR: failed to build: ", "ERROR: ", 1)),
        other => other,
    }
}
