//! What `docker image inspect` tells, as JSON.

use super::find::references;
use crate::engine::{Ctx, Result};
use crate::image::wire::{RunConfig, rfc3339};
use crate::image::{ImageConfig, ImageRecord};
use crate::world::World;
use serde_json::{Map, Value, json};

/// The zero of Go's time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// An image as `docker image inspect` prints it.
pub fn inspect_value<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Result<Value> {
    let mut value = head(ctx, image)?;
    value.insert("Config".into(), sorted_config(&image.config));
    Ok(Value::Object(value))
}

/// The same for templates: in the order of Docker's types, with what is empty left out.
pub fn template_value<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Result<Value> {
    let mut value = Map::new();
    for (key, field) in head(ctx, image)? {
        let is_author = key == "Author";
        value.insert(key, field);
        if is_author {
            value.insert("Config".into(), json!(RunConfig::of(&image.config)));
        }
    }
    Ok(Value::Object(value))
}

fn head<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Result<Map<String, Value>> {
    let names = references(ctx, &image.id)?;
    let (digests, tags): (Vec<_>, Vec<_>) = names.iter().partition(|r| r.digest().is_some());
    let familiar = |all: &[&crate::name::Reference]| all.iter().map(|r| r.familiar()).collect::<Vec<_>>();
    let mut value = json!({
        "Id": image.id,
        "RepoTags": familiar(&tags),
        "RepoDigests": familiar(&digests),
        "Parent": image.parent.map(|p| p.to_string()).unwrap_or_default(),
        "Comment": image.comment,
        "Created": image.created.map_or_else(|| NEVER.to_string(), rfc3339),
        "DockerVersion": "",
        "Author": image.author,
        "Architecture": image.architecture,
    });
    if !image.variant.is_empty() {
        value["Variant"] = json!(image.variant);
    }
    value["Os"] = json!(image.os);
    value["Size"] = json!(image.size());
    value["GraphDriver"] = graph_driver(ctx, image);
    value["RootFS"] = json!({ "Type": "layers" });
    if !image.layers.is_empty() {
        value["RootFS"]["Layers"] = image.layers.iter().map(|l| json!(l.diff_id)).collect();
    }
    value["Metadata"] = json!({ "LastTagTime": image.last_tagged.map_or_else(|| NEVER.to_string(), rfc3339) });
    match value {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// Where the layers are on the host, as overlay would mount them.
fn graph_driver<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Value {
    let root = ctx.world().host().root;
    let folder = |chain: &crate::name::ChainId| format!("{root}/layers/{}", chain.hex());
    let mut data = Map::new();
    if let Some((top, below)) = image.layers.split_last() {
        if !below.is_empty() {
            let lower: Vec<String> = below.iter().rev().map(|l| format!("{}/diff", folder(&l.chain))).collect();
            data.insert("LowerDir".into(), json!(lower.join(":")));
        }
        let top = folder(&top.chain);
        data.insert("MergedDir".into(), json!(format!("{top}/merged")));
        data.insert("UpperDir".into(), json!(format!("{top}/diff")));
        data.insert("WorkDir".into(), json!(format!("{top}/work")));
    }
    json!({ "Data": data, "Name": "overlay2" })
}

/// Sorted keys; the old fields are there even where they are empty.
fn sorted_config(config: &ImageConfig) -> Value {
    let mut all = match serde_json::to_value(RunConfig::of(config)) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    };
    for (key, empty) in [
        ("Cmd", Value::Null),
        ("Entrypoint", Value::Null),
        ("Env", Value::Null),
        ("Labels", Value::Null),
        ("OnBuild", Value::Null),
        ("User", json!("")),
        ("Volumes", Value::Null),
        ("WorkingDir", json!("")),
    ] {
        all.entry(key).or_insert(empty);
    }
    if let Some(Value::Object(health)) = all.get_mut("Healthcheck") {
        health.sort_keys();
    }
    all.sort_keys();
    Value::Object(all)
}
