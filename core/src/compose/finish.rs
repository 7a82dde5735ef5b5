//! What a project needs beside what its files say: values from the environment, defaults, names, and the checks
//! that look at all of it together.

use super::load::{LoadError, Request, wanted};
use super::{Project, dotenv, order, text, texts};
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use serde_json::{Map, Value, json};

/// Makes a project of the merged files.
pub(super) fn finish(
    project: &mut Project,
    model: Value,
    request: &Request,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), LoadError> {
    let Value::Object(mut model) = model else { return Ok(()) };
    let mut part = |name: &str| match model.remove(name) {
        Some(Value::Object(items)) => items.into_iter().collect::<BTreeMap<String, Value>>(),
        _ => BTreeMap::new(),
    };
    (project.networks, project.volumes) = (part("networks"), part("volumes"));
    (project.secrets, project.configs) = (part("secrets"), part("configs"));
    let active = |profiles: &[String], name: &str| {
        profiles.is_empty()
            || request.named.iter().any(|n| n == name)
            || profiles.iter().any(|p| request.profiles.iter().any(|a| a == p || a == "*"))
    };
    for (name, service) in part("services") {
        let Value::Object(service) = service else { continue };
        if active(&texts(service.get("profiles")), &name) {
            project.services.insert(name, service);
        } else {
            project.disabled.insert(name, service);
        }
    }
    check_parts(project)?;
    project.extensions = model.into_iter().filter(|(key, _)| key.starts_with("x-")).collect();
    for service in project.services.values_mut() {
        if request.resolve_environment {
            environment(service, request, lookup)?;
        }
        defaults(service, request.normalize);
    }
    if request.normalize {
        names(project);
    }
    if request.consistent {
        check(project)?;
        check_secrets(project)?;
        order(project)?;
    }
    if !request.all_resources {
        prune(project);
    }
    Ok(())
}

/// `env_file`, and variables without a value of their own.
fn environment(
    service: &mut Map<String, Value>,
    request: &Request,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(), LoadError> {
    let mut all = Map::new();
    for file in service.remove("env_file").and_then(|f| f.as_array().cloned()).into_iter().flatten() {
        let path = file.get("path").map(text).unwrap_or_default();
        let path = super::load::absolute(&request.directory, &path);
        match wanted(request, &path)? {
            Some(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let lines = match file.get("format").map(super::text).as_deref() {
                    None | Some("") => {
                        dotenv::parse_env_file(&text, lookup).map_err(|e| format!("failed to read {path}: {e}"))
                    }
                    Some("raw") => {
                        dotenv::parse_raw(&text, lookup).map_err(|e| format!("failed to parse env_file {path}: {e}"))
                    }
                    Some(other) => return Err(format!("unsupported env_file format {other:?}").into()),
                };
                all.extend(lines?.into_iter().map(|(k, v)| (k, Value::from(v))));
            }
            None if file.get("required") != Some(&Value::Bool(false)) => {
                return Err(format!("env file {path} not found: stat {path}: no such file or directory").into());
            }
            None => {}
        }
    }
    if let Some(Value::Object(own)) = service.remove("environment") {
        all.extend(own.into_iter().map(|(k, v)| {
            let value = if v.is_null() { lookup(&k).map_or(Value::Null, Value::from) } else { v };
            (k, value)
        }));
    }
    if !all.is_empty() {
        all.sort_keys();
        service.insert("environment".into(), Value::Object(all));
    }
    if let Some(Value::Object(args)) = service.get_mut("build").and_then(|b| b.get_mut("args")) {
        for (name, value) in args.iter_mut().filter(|(_, v)| v.is_null()) {
            *value = lookup(name).map_or(Value::Null, Value::from);
        }
        args.retain(|_, value| !value.is_null());
    }
    label_files(service, request)
}

/// `label_file`: labels below those of the service itself.
fn label_files(service: &mut Map<String, Value>, request: &Request) -> Result<(), LoadError> {
    let mut all = Map::new();
    for path in texts(service.remove("label_file").as_ref()) {
        let path = super::load::absolute(&request.directory, &path);
        let Some(bytes) = wanted(request, &path)? else {
            return Err(format!("label file {path} not found: stat {path}: no such file or directory").into());
        };
        let lines = dotenv::parse_env_file(&String::from_utf8_lossy(bytes), &|_| None)
            .map_err(|e| format!("failed to read {path}: {e}"))?;
        all.extend(lines.into_iter().map(|(k, v)| (k, Value::from(v))));
    }
    if !all.is_empty() {
        if let Some(Value::Object(own)) = service.remove("labels") {
            all.extend(own);
        }
        all.sort_keys();
        service.insert("labels".into(), Value::Object(all));
    }
    Ok(())
}

/// What a service has without saying so.
fn defaults(service: &mut Map<String, Value>, normalize: bool) {
    for key in ["command", "entrypoint"] {
        service.entry(key).or_insert(Value::Null);
    }
    if let Some(Value::Object(build)) = service.get_mut("build") {
        build.entry("context").or_insert(".".into());
        if !build.contains_key("dockerfile_inline") {
            build.entry("dockerfile").or_insert("Dockerfile".into());
        }
    }
    for secret in service.get_mut("secrets").and_then(Value::as_array_mut).into_iter().flatten() {
        let source = secret.get("source").map(text).unwrap_or_default();
        match secret.get("target").map(text) {
            None => secret["target"] = format!("/run/secrets/{source}").into(),
            Some(target) if !target.starts_with('/') => secret["target"] = format!("/run/secrets/{target}").into(),
            Some(_) => {}
        }
    }
    if !normalize {
        return;
    }
    if service.get("pull_policy").is_some_and(|p| p == "if_not_present") {
        service.insert("pull_policy".into(), "missing".into());
    }
    let no_networks = service.get("networks").and_then(Value::as_object).is_none_or(Map::is_empty);
    if no_networks && !service.contains_key("network_mode") && !service.contains_key("provider") {
        service.insert("networks".into(), json!({"default": null}));
    }
    implied(service);
}

/// Using another service's namespaces, links or volumes is depending on it.
fn implied(service: &mut Map<String, Value>) {
    let mut needs: Vec<(String, bool)> = Vec::new();
    for link in texts(service.get("links")) {
        needs.push((link.split(':').next().unwrap_or("").to_string(), true));
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        if let Some(other) = service.get(key).and_then(Value::as_str).and_then(|v| v.strip_prefix("service:")) {
            needs.push((other.to_string(), true));
        }
    }
    for from in texts(service.get("volumes_from")) {
        if !from.starts_with("container:") {
            needs.push((from.split(':').next().unwrap_or("").to_string(), false));
        }
    }
    if needs.is_empty() {
        return;
    }
    let depends = service.entry("depends_on").or_insert(json!({}));
    if let Value::Object(depends) = depends {
        for (other, restart) in needs {
            let mut how = json!({"condition": "service_started", "required": true});
            if restart {
                how["restart"] = true.into();
            }
            depends.entry(other).or_insert(how);
        }
        depends.sort_keys();
    }
}

/// The names that networks, volumes and the rest have in the engine.
fn names(project: &mut Project) {
    let needs_default = project
        .services
        .values()
        .any(|s| s.get("networks").and_then(Value::as_object).is_some_and(|n| n.contains_key("default")));
    if needs_default {
        project.networks.entry("default".into()).or_insert(Value::Null);
    }
    let prefix = project.name.clone();
    let parts = [&mut project.networks, &mut project.volumes, &mut project.secrets, &mut project.configs];
    for (at, part) in parts.into_iter().enumerate() {
        for (key, item) in part {
            if item.is_null() {
                *item = json!({});
            }
            let Value::Object(item) = item else { continue };
            if item.get("external") == Some(&Value::Bool(false)) {
                item.remove("external");
            }
            let external = item.contains_key("external");
            item.entry("name").or_insert(if external { key.clone() } else { format!("{prefix}_{key}") }.into());
            if at == 0 {
                item.entry("ipam").or_insert(json!({}));
            }
        }
    }
}

/// References to what there is not, and what excludes each other.
fn check(project: &Project) -> Result<(), String> {
    for (name, service) in &project.services {
        let invalid = |text: String| Err(format!("service {name:?} {text}: invalid compose project"));
        let has = |key: &str| service.get(key).is_some_and(|v| !v.is_null());
        if !has("build") && !has("image") && !has("provider") {
            return invalid("has neither an image nor a build context specified".into());
        }
        check_build(project, name, service)?;
        let networks = service.get("networks").and_then(Value::as_object);
        if has("network_mode") && networks.is_some_and(|n| !n.is_empty()) {
            return Err(format!(
                "service {name} declares mutually exclusive `network_mode` and `networks`: invalid compose project"
            ));
        }
        for network in networks.into_iter().flatten().map(|(n, _)| n) {
            if !project.networks.contains_key(network) {
                return invalid(format!("refers to undefined network {network}"));
            }
        }
        let test = texts(service.get("healthcheck").and_then(|h| h.get("test")));
        if test.first().is_some_and(|word| !matches!(word.as_str(), "CMD" | "CMD-SHELL" | "NONE")) {
            return Err("healthcheck.test must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\"".into());
        }
        for (other, how) in service.get("depends_on").and_then(Value::as_object).into_iter().flatten() {
            let optional = how.get("required") == Some(&Value::Bool(false)) && project.disabled.contains_key(other);
            if !optional && !project.services.contains_key(other) {
                return invalid(format!("depends on undefined service {other:?}"));
            }
        }
        for volume in service.get("volumes").and_then(Value::as_array).into_iter().flatten() {
            let source = volume.get("source").map(text).unwrap_or_default();
            let named = volume.get("type").is_some_and(|t| t == "volume") && !source.is_empty();
            if named && !project.volumes.contains_key(&source) {
                return invalid(format!("refers to undefined volume {source}"));
            }
        }
        for (key, part, kind) in [("secrets", &project.secrets, "secret"), ("configs", &project.configs, "config")] {
            for item in service.get(key).and_then(Value::as_array).into_iter().flatten() {
                let source = item.get("source").map(text).unwrap_or_default();
                if !part.contains_key(&source) {
                    return invalid(format!("refers to undefined {kind} {source}"));
                }
            }
        }
        check_scale(name, service)?;
        check_twice(name, service)?;
        for rule in service.get("develop").and_then(|d| d.get("watch")).and_then(Value::as_array).into_iter().flatten()
        {
            let action = rule.get("action").map(text).unwrap_or_default();
            if rule.get("target").is_none() && !matches!(action.as_str(), "rebuild" | "restart") {
                return Err(format!(
                    "services.{name}.develop.watch: target is required for non-rebuild actions: invalid compose project"
                ));
            }
        }
    }
    Ok(())
}

fn check_build(project: &Project, name: &str, service: &Map<String, Value>) -> Result<(), String> {
    let Some(build) = service.get("build") else { return Ok(()) };
    if build.get("dockerfile_inline").is_some() && build.get("dockerfile").is_some() {
        return Err(format!(
            "service {name:?} declares mutualy exclusive dockerfile and dockerfile_inline: invalid compose project"
        ));
    }
    let (own, built) = (service.get("platform").map(text), texts(build.get("platforms")));
    if let Some(own) = own.filter(|own| !built.is_empty() && !built.contains(own)) {
        return Err(format!("service.build.platforms MUST include service.platform {own:?}: invalid compose project"));
    }
    for (context, from) in build.get("additional_contexts").and_then(Value::as_object).into_iter().flatten() {
        let Some(other) = text(from).strip_prefix("service:").map(str::to_string) else { continue };
        let what = match project.services.get(&other) {
            None => "unknown",
            Some(other) if !other.contains_key("build") => "non-buildable",
            Some(_) => continue,
        };
        return Err(format!("service {name:?} declares {what} service {other:?} as additional contexts {context}"));
    }
    for secret in build.get("secrets").and_then(Value::as_array).into_iter().flatten() {
        let source = secret.get("source").map(text).unwrap_or_default();
        if !project.secrets.contains_key(&source) {
            return Err(format!("service {name:?} refers to undefined build secret {source}: invalid compose project"));
        }
    }
    Ok(())
}

/// How many there are to be, and limits that are said twice.
fn check_scale(name: &str, service: &Map<String, Value>) -> Result<(), String> {
    let deploy = service.get("deploy");
    let replicas = deploy.and_then(|d| d.get("replicas")).and_then(Value::as_i64);
    let scale = service.get("scale").and_then(Value::as_i64);
    if let (Some(scale), Some(replicas)) = (scale, replicas)
        && scale != replicas
    {
        return Err(format!(
            "services.{name}: can't set distinct values on 'scale' and 'deploy.replicas': invalid compose project"
        ));
    }
    for (key, count) in [("scale", scale), ("deploy.replicas", replicas)] {
        if count.is_some_and(|n| n < 0) {
            return Err(format!("services.{name}.{key}: must be greater than or equal to 0"));
        }
    }
    for (own, part, key) in [
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("mem_reservation", "reservations", "memory"),
        ("pids_limit", "limits", "pids"),
    ] {
        let other = deploy.and_then(|d| d.get("resources")).and_then(|r| r.get(part));
        let (Some(one), Some(other)) = (service.get(own), other) else { continue };
        if other.get(key).and_then(|v| text(v).parse::<f64>().ok()) != text(one).parse::<f64>().ok() {
            return Err(format!(
                "services.{name}: can't set distinct values on '{own}' and 'deploy.resources.{part}.{key}': invalid compose project"
            ));
        }
    }
    if service.contains_key("container_name") && scale.or(replicas).is_some_and(|n| n > 1) {
        // The two names change places in Compose's own words.
        let attribute = if scale.is_some() { "scale" } else { "deploy.replicas" };
        return Err(format!(
            "services.{attribute}: can't set container_name and {name} as container name must be unique: invalid compose project"
        ));
    }
    Ok(())
}

/// One place can't be mounted twice.
fn check_twice(name: &str, service: &Map<String, Value>) -> Result<(), String> {
    let tmpfs = texts(service.get("tmpfs")).into_iter().map(|t| t.split(':').next().unwrap_or("").to_string());
    let mut places: Vec<(String, String)> =
        tmpfs.enumerate().map(|(at, path)| (path, format!("services.{name}.tmpfs[{at}]"))).collect();
    let volumes = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let volumes = volumes.map(|v| v.get("target").map(text).unwrap_or_default());
    places.extend(volumes.enumerate().map(|(at, path)| (path, format!("services.{name}.volumes[{at}]"))));
    for (at, (path, place)) in places.iter().enumerate() {
        if let Some((_, earlier)) = places[..at].iter().find(|(other, _)| other == path) {
            return Err(format!("{place}: target {path} already mounted as {earlier}"));
        }
    }
    Ok(())
}

/// Secrets that nothing fills.
fn check_secrets(project: &Project) -> Result<(), String> {
    let empty = |s: &Value| s.get("external").is_none() && s.get("file").is_none() && s.get("environment").is_none();
    match project.secrets.iter().find(|(_, secret)| empty(secret)) {
        Some((name, _)) => {
            Err(format!("secret {name:?} must declare either `file` or `environment`: invalid compose project"))
        }
        None => Ok(()),
    }
}

/// Names of containers that two services want.
///
/// # Errors
/// In Compose's words, in which the other service's name is missing.
pub fn unique_names(project: &Project) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for (service, attributes) in &project.services {
        let Some(name) = attributes.get("container_name").map(text).filter(|n| !n.is_empty()) else { continue };
        if !names.insert(name.clone()) {
            return Err(format!("services.{service}: container name {name:?} is already in use by service {{}}\""));
        }
    }
    Ok(())
}

/// Requests for devices, and where ports are listened on.
fn check_requests(name: &str, service: &Map<String, Value>) -> Result<(), String> {
    let reserved = service.get("deploy").and_then(|d| d.get("resources")).and_then(|r| r.get("reservations"));
    for (path, devices) in [
        ("deploy.resources.reservations.devices", reserved.and_then(|r| r.get("devices"))),
        ("gpus", service.get("gpus")),
    ] {
        for device in devices.and_then(Value::as_array).into_iter().flatten() {
            if device.get("count").is_some() && device.get("device_ids").is_some() {
                return Err(format!(
                    "services.{name}.{path}.[]: \"count\" and \"device_ids\" attributes are exclusive"
                ));
            }
        }
    }
    for address in
        service.get("ports").and_then(Value::as_array).into_iter().flatten().filter_map(|p| p.get("host_ip")).map(text)
    {
        if address.parse::<std::net::IpAddr>().is_err() {
            return Err(format!("services.{name}.ports.[]: invalid ip address: {address}"));
        }
    }
    for rule in service.get("develop").and_then(|d| d.get("watch")).and_then(Value::as_array).into_iter().flatten() {
        if rule.get("path").is_some_and(|p| p == "") {
            return Err(format!("services.{name}.develop.watch.[].path: value can't be blank"));
        }
    }
    Ok(())
}

/// What excludes each other in networks, volumes, secrets and configs.
fn check_parts(project: &Project) -> Result<(), String> {
    for (name, service) in project.services.iter().chain(&project.disabled) {
        check_requests(name, service)?;
    }
    for (name, volume) in &project.volumes {
        if volume.get("external") == Some(&Value::Bool(true)) {
            let other = volume.as_object().into_iter().flatten().map(|(key, _)| key);
            if let Some(key) =
                other.into_iter().find(|key| !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-"))
            {
                return Err(format!("volumes.{name}: conflicting parameters \"external\" and {key:?} specified"));
            }
        }
    }
    let kinds: [(&str, _, &[&str]); 2] = [
        ("secrets", &project.secrets, &["file", "environment"]),
        ("configs", &project.configs, &["file", "environment", "content"]),
    ];
    for (kind, items, keys) in kinds {
        for (name, item) in items {
            let count = keys.iter().filter(|key| item.get(**key).is_some()).count();
            if count > 1 {
                return Err(format!("{kind}.{name}: {} attributes are mutually exclusive", keys.join("|")));
            }
            if count == 0 && item.get("driver").is_none() && item.get("external").is_none() {
                return Err(format!("{kind}.{name}: one of {} must be set", keys.join("|")));
            }
        }
    }
    Ok(())
}

/// Leaves out what no service uses.
pub(super) fn prune(project: &mut Project) {
    let mut used: [BTreeSet<String>; 4] = Default::default();
    for service in project.services.values() {
        used[0]
            .extend(service.get("networks").and_then(Value::as_object).into_iter().flatten().map(|(n, _)| n.clone()));
        for (at, key) in [(1, "volumes"), (2, "secrets"), (3, "configs")] {
            for item in service.get(key).and_then(Value::as_array).into_iter().flatten() {
                used[at].extend(item.get("source").map(text));
            }
        }
        for item in service.get("build").and_then(|b| b.get("secrets")).and_then(Value::as_array).into_iter().flatten()
        {
            used[2].extend(item.get("source").map(text));
        }
    }
    project.networks.retain(|name, _| used[0].contains(name));
    project.volumes.retain(|name, _| used[1].contains(name));
    project.secrets.retain(|name, _| used[2].contains(name));
    project.configs.retain(|name, _| used[3].contains(name));
}
