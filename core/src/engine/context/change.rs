//! Making and changing contexts: `create`, `update`, `export`, `import`.

use super::config::{Config, told};
use super::store::{self, Context, PEMS};
use super::{DEFAULT, Said, current, endpoint, find};
use crate::cli::Invocation;
use crate::engine::{Error, Result};
use crate::world::Client;

/// What `--docker` may set.
const KEYS: [&str; 6] = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];

/// The endpoint that the pairs of `--docker` describe.
async fn described(client: &dyn Client, call: &Invocation, config: &Config, name: &str) -> Result<Context> {
    let failed = |why: String| Error::Client(format!("unable to create docker endpoint config: {why}"));
    let pairs = call.args.values("docker").iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let pairs: Vec<(&str, &str)> = pairs.collect();
    if let Some((key, _)) = pairs.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(failed(format!("unrecognized config key: {key}")));
    }
    let value = |key: &str| pairs.iter().rev().find(|(k, _)| *k == key).map(|(_, v)| *v).filter(|v| !v.is_empty());
    if let Some(from) = value("from") {
        let other = find(client, &call.global, config, from).await.map_err(|e| failed(e.render("")))?;
        return Ok(Context { name: name.to_string(), metadata: Default::default(), ..other });
    }
    let mut pems = Vec::new();
    for file in PEMS {
        if let Some(path) = value(file.trim_end_matches(".pem")) {
            let bytes = client.read_file(path).await.map_err(|fault| failed(fault.to_string()))?;
            pems.push((file, bytes));
        }
    }
    let skip = match value("skip-tls-verify") {
        None => false,
        Some("1" | "t" | "T" | "TRUE" | "true" | "True") => true,
        Some("0" | "f" | "F" | "FALSE" | "false" | "False") => false,
        Some(other) => return Err(failed(format!("skip-tls-verify: parsing {other:?}: invalid syntax"))),
    };
    let host = value("host").unwrap_or("");
    endpoint::check(host).map_err(|e| failed(e.render("")))?;
    let mut context = Context::at(name, host, skip);
    context.set_pems(pems);
    Ok(context)
}

async fn refuse_existing(client: &dyn Client, config: &Config, name: &str) -> Result<()> {
    store::check_name(name)?;
    match store::exists(client, config, name).await? {
        true => Err(Error::Client(format!("context {name:?} already exists"))),
        false => Ok(()),
    }
}

pub(super) async fn create(client: &dyn Client, call: &Invocation) -> Result<Said> {
    let name = call.args.word(0);
    let config = Config::find(client, &call.global);
    refuse_existing(client, &config, name).await?;
    let description = call.args.value("description").unwrap_or("");
    let mut context = match (call.args.value("from"), call.args.given("docker")) {
        (Some(from), true) if !from.is_empty() => {
            return Err(Error::Client("cannot use --docker flag when --from is set".into()));
        }
        (_, true) => described(client, call, &config, name).await?,
        (from, false) => {
            let from = match from.filter(|from| !from.is_empty()) {
                Some(from) => from.to_string(),
                None => current(client, &call.global).await?,
            };
            let mut context = find(client, &call.global, &config, &from).await?;
            if from == DEFAULT {
                context.describe("Current DOCKER_HOST based configuration");
            }
            Context { name: name.to_string(), ..context }
        }
    };
    if !description.is_empty() {
        context.describe(description);
    }
    store::write(client, &config, &context).await?;
    Ok(Said::done(name, format!("Successfully created context {name:?}")))
}

pub(super) async fn update(client: &dyn Client, call: &Invocation) -> Result<Said> {
    let name = call.args.word(0);
    let config = Config::find(client, &call.global);
    store::check_name(name)?;
    let mut context = store::read(client, &config, name).await?;
    if let Some(text) = call.args.value("description").filter(|text| !text.is_empty()) {
        context.describe(text);
    }
    if call.args.given("docker") {
        let new = described(client, call, &config, name).await?;
        context.tls = new.tls;
        context.endpoints.extend(new.endpoints);
    }
    store::write(client, &config, &context).await?;
    Ok(Said::done(name, format!("Successfully updated context {name:?}")))
}

pub(super) async fn export(client: &dyn Client, call: &Invocation) -> Result<Said> {
    let name = call.args.word(0);
    let config = Config::find(client, &call.global);
    if name != DEFAULT {
        store::check_name(name)?;
    }
    let context = find(client, &call.global, &config, name).await?;
    let bytes = store::pack(&context)?;
    let path = match call.args.word(1) {
        "-" => return Ok(Said { out: bytes, ..Said::default() }),
        "" => format!("{name}.dockercontext"),
        path => path.to_string(),
    };
    if client.facts(&path).await.map_err(told)?.is_some() {
        return Err(Error::Client(format!("open {path}: file exists")));
    }
    client.write_file(&path, &bytes, 0o600).await.map_err(told)?;
    Ok(Said { err: format!("Written file {path:?}\n"), ..Said::default() })
}

pub(super) async fn import(client: &dyn Client, call: &Invocation) -> Result<Said> {
    let (name, path) = (call.args.word(0), call.args.word(1));
    let config = Config::find(client, &call.global);
    refuse_existing(client, &config, name).await?;
    let bytes = match path {
        "-" => {
            let mut all = Vec::new();
            loop {
                let more = client.read(65536).await.map_err(told)?;
                if more.is_empty() || all.len() > 16 << 20 {
                    break all;
                }
                all.extend(more);
            }
        }
        path => client.read_file(path).await.map_err(told)?,
    };
    store::write(client, &config, &store::unpack(name, &bytes)?).await?;
    Ok(Said::done(name, format!("Successfully imported context {name:?}")))
}
