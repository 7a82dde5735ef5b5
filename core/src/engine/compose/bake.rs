//! The bake file that stands for a project's builds, which `docker compose build --print` shows.

use super::App;
use super::app::LABEL;
use crate::bake::pretty;
use crate::cli::Args;
use crate::compose::{Project, clean_path, text, texts};
use crate::engine::Result;
use crate::world::World;
use serde_json::{Map, Value, json};

impl<W: World> App<'_, W> {
    /// The bake file for some services, and for those that these have as contexts.
    pub(super) fn bake(&self, names: &[String], args: &Args) -> Result<String> {
        let mut wanted = with_contexts(&self.project, names.to_vec());
        wanted.retain(|name| self.service(name).is_ok_and(|service| service.contains_key("build")));
        wanted.sort();
        let mut targets = Map::new();
        for name in &wanted {
            targets.insert(target(name), Value::Object(self.bake_target(name, args)?));
        }
        let group: Vec<String> = wanted.iter().map(|name| target(name)).collect();
        Ok(pretty(&json!({ "group": { "default": { "targets": group } }, "target": targets })))
    }

    fn bake_target(&self, name: &str, args: &Args) -> Result<Map<String, Value>> {
        let service = self.service(name)?;
        let nothing = Map::new();
        let build = service.get("build").and_then(Value::as_object).unwrap_or(&nothing);
        let get = |key: &str| build.get(key).filter(|v| !v.is_null()).map(text).filter(|v| !v.is_empty());
        let pairs = |key: &str| -> Vec<(String, String)> {
            let all = build.get(key).and_then(Value::as_object).into_iter().flatten();
            all.filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), text(v))).collect()
        };
        let context = get("context").unwrap_or_else(|| ".".into());
        let mut build_args = pairs("args");
        for given in args.values("build-arg") {
            let own = || given.split_once('=').map(|(k, v)| (k.to_string(), v.to_string()));
            let pair = own().or_else(|| self.ctx.client.env(given).map(|value| (given.clone(), value)));
            build_args.extend(pair);
        }
        let mut labels = pairs("labels");
        for (key, value) in [("project", self.project.name.as_str()), ("service", name), ("version", super::VERSION)] {
            labels.push((format!("{LABEL}.{key}"), value.to_string()));
        }
        let contexts = pairs("additional_contexts").into_iter().map(|(k, v)| {
            let linked = v.strip_prefix("service:").map(|name| format!("target:{}", target(name)));
            (k, linked.unwrap_or(v))
        });
        let dockerfile = get("dockerfile").map(|file| match file.starts_with('/') || context.contains("://") {
            true => file,
            false => clean_path(&format!("{context}/{file}")),
        });
        let mut tags = texts(build.get("tags"));
        tags.push(self.image_of(name)?);
        let on = |key: &str, flag: &str| get(key).as_deref() == Some("true") || args.flag(flag);
        let push = args.flag("push") && service.contains_key("image");
        let platforms = texts(build.get("platforms"));
        let outputs = match (args.flag("check"), platforms.len() > 1, push) {
            (true, ..) => Vec::new(),
            (_, true, push) => vec![format!("type=image,push={push}")],
            (_, _, true) => vec!["type=registry".to_string()],
            _ => vec!["type=docker".to_string()],
        };
        let mut rights = texts(build.get("entitlements"));
        rights.extend((get("privileged").as_deref() == Some("true")).then(|| "security.insecure".to_string()));
        let hosts = texts(build.get("extra_hosts"));
        let hosts = hosts.iter().filter_map(|h| h.split_once(['=', ':'])).map(|(k, v)| (k.to_string(), v.to_string()));
        let all = [
            ("context", json!(context)),
            ("contexts", sorted(contexts.collect())),
            ("dockerfile", json!(dockerfile.unwrap_or_default())),
            ("dockerfile-inline", json!(get("dockerfile_inline").unwrap_or_default().replace("${", "$${"))),
            ("args", sorted(build_args.into_iter().map(|(k, v)| (k, v.replace("${", "$${"))).collect())),
            ("labels", sorted(labels)),
            ("tags", json!(tags)),
            ("cache-from", json!(texts(build.get("cache_from")))),
            ("cache-to", json!(texts(build.get("cache_to")))),
            ("target", json!(get("target").unwrap_or_default())),
            ("secret", json!(self.bake_secrets(build))),
            ("ssh", json!(agents(build, args))),
            ("platforms", json!(platforms)),
            ("pull", json!(on("pull", "pull"))),
            ("no-cache", json!(on("no_cache", "no-cache"))),
            ("network", json!(get("network").unwrap_or_default())),
            ("shm-size", json!(get("shm_size").unwrap_or_default())),
            ("ulimits", json!(ulimits(build))),
            ("call", json!(if args.flag("check") { "lint" } else { "" })),
            ("entitlements", json!(rights)),
            ("extra-hosts", sorted(hosts.collect())),
            ("output", json!(outputs)),
            ("attest", json!(attestations(build))),
        ];
        let empty =
            |value: &Value| *value == json!("") || *value == json!(false) || *value == json!([]) || *value == json!({});
        Ok(all.into_iter().filter(|(_, v)| !empty(v)).map(|(k, v)| (k.to_string(), v)).collect())
    }

    fn bake_secrets(&self, build: &Map<String, Value>) -> Vec<String> {
        let listed = build.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let one = |secret: &Value| {
            let source = secret.get("source").map(text).unwrap_or_default();
            let id = secret.get("target").map_or_else(|| source.clone(), text);
            let definition = self.project.secrets.get(&source)?;
            let of = |key: &str| definition.get(key).map(text).filter(|v| !v.is_empty());
            let variable = of("environment").map(|name| format!("id={id},type=env,env={name}"));
            variable.or_else(|| of("file").map(|file| format!("id={id},type=file,src={file}")))
        };
        listed.filter_map(one).collect()
    }
}

/// Services, and those that they have as contexts.
pub(super) fn with_contexts(project: &Project, mut names: Vec<String>) -> Vec<String> {
    let mut at = 0;
    while at < names.len() {
        let build = project.services.get(&names[at]).and_then(|service| service.get("build"));
        let contexts = build.and_then(|b| b.get("additional_contexts")).and_then(Value::as_object);
        let linked = contexts.into_iter().flatten().map(|(_, v)| text(v));
        let linked = linked.filter_map(|v| v.strip_prefix("service:").map(str::to_string));
        for name in linked.collect::<Vec<_>>() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        at += 1;
    }
    names
}

/// A service's name as a target has it.
fn target(service: &str) -> String {
    service.replace('.', "_")
}

/// The last of a name counts.
fn sorted(pairs: Vec<(String, String)>) -> Value {
    let all: cutaway_userland::sorted::Map<String, String> = pairs.into_iter().collect();
    Value::Object(all.iter().map(|(k, v)| (k.clone(), json!(v))).collect())
}

fn agents(build: &Map<String, Value>, args: &Args) -> Vec<String> {
    let all = texts(build.get("ssh")).into_iter().chain(args.value("ssh").map(str::to_string));
    let all = all.filter(|one| !one.is_empty());
    all.map(|one| if one.contains('=') { one } else { format!("{one}=") }).collect()
}

fn ulimits(build: &Map<String, Value>) -> Vec<String> {
    let all = build.get("ulimits").and_then(Value::as_object).into_iter().flatten();
    let one = |(name, value): (&String, &Value)| match (value.get("soft"), value.get("hard")) {
        (Some(soft), Some(hard)) => format!("{name}={}:{}", text(soft), text(hard)),
        _ => format!("{name}={}", text(value)),
    };
    all.map(one).collect()
}

fn attestations(build: &Map<String, Value>) -> Vec<String> {
    let one = |kind: &str| match build.get(kind).map(text).unwrap_or_default().as_str() {
        "" | "false" => None,
        "true" => Some(format!("type={kind}")),
        more => Some(format!("type={kind},{more}")),
    };
    ["provenance", "sbom"].into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use crate::sim::session::{Config, Session};

    #[test]
    fn a_project_is_a_bake_file() {
        let script = "mkdir p; cd p; cat > compose.yaml <<'X'\nservices:\n  web:\n    build:\n      context: ./web\n      args: {A: '1'}\n      additional_contexts: {o: 'service:api.v1'}\n      no_cache: true\n  api.v1:\n    image: me/api\n    build: ./api\n  db: {image: redis}\nX\ndocker compose build --print web; docker compose build --print | docker buildx bake -f - --print web 2>/dev/null | grep -A3 '\"contexts'";
        let session = Session::new(Config::default());
        let mut seen = Vec::new();
        session.script(&format!("{{ {script}\n}} 2>&1"), |bytes| seen.extend_from_slice(bytes));
        let labels = |service: &str| {
            format!(
                "      \"labels\": {{\n        \"com.docker.compose.project\": \"p\",\n        \"com.docker.compose.service\": \"{service}\",\n        \"com.docker.compose.version\": \"2.40.3\"\n      }},\n"
            )
        };
        let expected = format!(
            "{{\n  \"group\": {{\n    \"default\": {{\n      \"targets\": [\n        \"api_v1\",\n        \"web\"\n      ]\n    }}\n  }},\n  \"target\": {{\n    \"api_v1\": {{\n      \"context\": \"/root/p/api\",\n      \"dockerfile\": \"/root/p/api/Dockerfile\",\n{}      \"tags\": [\n        \"me/api\"\n      ],\n      \"output\": [\n        \"type=docker\"\n      ]\n    }},\n    \"web\": {{\n      \"context\": \"/root/p/web\",\n      \"contexts\": {{\n        \"o\": \"target:api_v1\"\n      }},\n      \"dockerfile\": \"/root/p/web/Dockerfile\",\n      \"args\": {{\n        \"A\": \"1\"\n      }},\n{}      \"tags\": [\n        \"p-web\"\n      ],\n      \"no-cache\": true,\n      \"output\": [\n        \"type=docker\"\n      ]\n    }}\n  }}\n}}\n      \"contexts\": {{\n        \"o\": \"target:api_v1\"\n      }},\n      \"dockerfile\": \"/root/p/web/Dockerfile\",\n",
            labels("api.v1"),
            labels("web")
        );
        assert_eq!(String::from_utf8_lossy(&seen), expected);
    }
}
