//! Paths of a file, made absolute.

use super::absolute;
use crate::compose::text;
use serde_json::{Map, Value};

/// Makes the paths of a file absolute, as seen from its folder; `~` is `home`.
pub(super) fn resolve_paths(home: &str, top: &mut Map<String, Value>, folder: &str) {
    let resolve = |value: &mut Value| {
        let Some(path) = value.as_str() else { return };
        let path = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
            _ => path.to_string(),
        };
        *value = absolute(folder, &path).into();
    };
    if let Some(Value::Object(services)) = top.get_mut("services") {
        for service in services.values_mut() {
            for volume in service.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
                if volume.get("type").is_some_and(|t| t == "bind")
                    && let Some(source) = volume.get_mut("source")
                {
                    resolve(source);
                }
            }
            let rules = service.get_mut("develop").and_then(|d| d.get_mut("watch")).and_then(Value::as_array_mut);
            for path in rules.into_iter().flatten().filter_map(|rule| rule.get_mut("path")) {
                resolve(path);
            }
            for path in service.get_mut("label_file").and_then(Value::as_array_mut).into_iter().flatten() {
                resolve(path);
            }
            for file in service.get_mut("env_file").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(path) = file.get_mut("path") {
                    resolve(path);
                }
            }
            if let Some(context) = service.get_mut("build").and_then(|b| b.get_mut("context"))
                && !context.as_str().is_some_and(|c| c.contains("://") || c.starts_with("git@"))
            {
                resolve(context);
            }
        }
    }
    for item in top.get_mut("volumes").and_then(Value::as_object_mut).into_iter().flatten().map(|(_, v)| v) {
        let Some(options) = item.get_mut("driver_opts") else { continue };
        if options.get("o").map(text).is_some_and(|o| o.split(',').any(|o| o == "bind"))
            && let Some(device) = options.get_mut("device")
        {
            resolve(device);
        }
    }
    for part in ["secrets", "configs"] {
        for item in top.get_mut(part).and_then(Value::as_object_mut).into_iter().flatten().map(|(_, v)| v) {
            if let Some(file) = item.get_mut("file") {
                resolve(file);
            }
        }
    }
}
