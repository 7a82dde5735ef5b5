//! `docker buildx imagetools inspect`.

use super::load::{self, shown_platform};
use super::resolve::{fetch, is_index, parsed, repository, resolve, text};
use super::{check_builder, failed};
use crate::cli::Invocation;
use crate::engine::manifest::descriptor_of;
use crate::engine::{Ctx, Result};
use crate::name::Reference;
use crate::view::table::align;
use crate::view::template::{Shape, Template};
use crate::world::World;
use serde_json::{Map, Value, json};

pub async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (format, raw) = (call.args.value("format").unwrap_or(""), call.args.flag("raw"));
    if !format.is_empty() && raw {
        return Err(failed("format and raw cannot be used together"));
    }
    check_builder(&call.args)?;
    let name = Reference::parse(call.args.word(0)).map_err(failed)?.with_default_tag();
    let remote = repository(ctx, &name, "pull");
    let descriptor = resolve(&remote, &name).await?;
    let bytes = fetch(&remote, &descriptor).await?;
    if raw {
        ctx.print(bytes).await;
        return Ok(0);
    }
    let index = parsed(&bytes)?;
    if format.is_empty() {
        ctx.print(summary(&name, &descriptor, &index)).await;
        return Ok(0);
    }
    let parts = load::load(&remote, &descriptor).await?;
    let template = Template::parse(format).map_err(failed)?;
    if format.trim_start().starts_with("{{.Manifest") || is_whole_manifest(format) {
        ctx.print(summary(&name, &descriptor, &index)).await;
        return Ok(0);
    }
    let manifest = if is_index(text(&descriptor, "mediaType")) { shown_index(&descriptor, &index) } else { descriptor };
    let mut dot = json!({ "name": call.args.word(0), "manifest": manifest });
    let several = parts.len() > 1;
    let by_platform = |pick: fn(&load::Part) -> &Value| {
        let pairs = parts.iter().map(|(platform, part)| (platform.clone(), pick(part).clone()));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let of_all: [(&str, fn(&load::Part) -> &Value); 3] =
        [("image", |part| &part.config), ("@SBOM", |part| &part.sbom), ("@Provenance", |part| &part.provenance)];
    for (key, pick) in of_all {
        dot[key] =
            if several { by_platform(pick) } else { parts.values().next().map_or(Value::Null, |p| pick(p).clone()) };
    }
    let type_name = if several { "imagetools.tplInputs" } else { "imagetools.tplInput" };
    let shape = Shape { type_name: Some(type_name), wire: true, ..Shape::default() };
    ctx.print(template.execute(&dot, &shape).map_err(failed)?).await;
    Ok(0)
}

/// Whether a template asks for no more than the manifest as a whole.
fn is_whole_manifest(format: &str) -> bool {
    let inner = format.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| inner.trim() == ".Manifest")
}

/// A list as templates see it.
fn shown_index(descriptor: &Value, index: &Value) -> Value {
    let mut all = Map::new();
    all.insert("schemaVersion".into(), index["schemaVersion"].clone());
    if index["mediaType"].is_string() {
        all.insert("mediaType".into(), index["mediaType"].clone());
    }
    all.insert("digest".into(), descriptor["digest"].clone());
    all.insert("size".into(), descriptor["size"].clone());
    let manifests = index["manifests"].as_array().into_iter().flatten();
    all.insert("manifests".into(), manifests.map(descriptor_of).collect());
    if index["annotations"].as_object().is_some_and(|map| !map.is_empty()) {
        all.insert("annotations".into(), index["annotations"].clone());
    }
    Value::Object(all)
}

fn summary(name: &Reference, descriptor: &Value, index: &Value) -> String {
    let media_type = text(descriptor, "mediaType");
    let head = format!("Name:\t{name}\nMediaType:\t{media_type}\nDigest:\t{}\n", text(descriptor, "digest"));
    let mut shown = align(&head, 0, 1);
    if !is_index(media_type) {
        return shown;
    }
    shown += &align("\t\nManifests:\t\n", 0, 1);
    let mut block = String::new();
    for (i, part) in index["manifests"].as_array().into_iter().flatten().enumerate() {
        if i > 0 {
            block += "\t\n";
        }
        let full = name.to_string();
        let bare = full.split('@').next().unwrap_or("");
        block += &format!("  Name:\t{bare}@{}\n  MediaType:\t{}\n", text(part, "digest"), text(part, "mediaType"));
        let platform = &part["platform"];
        if !platform.is_object() {
            continue;
        }
        block += &format!("  Platform:\t{}\n", shown_platform(platform));
        if !text(platform, "os.version").is_empty() {
            block += &format!("  OSVersion:\t{}\n", text(platform, "os.version"));
        }
        for (key, list) in [("OSFeatures", &platform["os.features"]), ("URLs", &part["urls"])] {
            let texts: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if !texts.is_empty() {
                block += &format!("  {key}:\t{}\n", texts.join(", "));
            }
        }
        if let Some(annotations) = part["annotations"].as_object().filter(|map| !map.is_empty()) {
            block += "  Annotations:\t\n";
            shown += &align(&std::mem::take(&mut block), 0, 1);
            let lines =
                annotations.iter().map(|(key, value)| format!("    {key}:\t{}\n", value.as_str().unwrap_or("")));
            shown += &align(&lines.collect::<String>(), 0, 1);
        }
    }
    shown + &align(&block, 0, 1)
}
