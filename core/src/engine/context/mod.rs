//! `docker context`: which engine the commands go to. All of this is the client's side: contexts lie in files
//! below its configuration folder, as Docker's client keeps them, and no engine is asked.

mod change;
mod config;
mod endpoint;
mod store;
mod target;
mod unreachable;

pub(super) use config::{make_folders, told};
pub use endpoint::Endpoint;
pub use target::{DEFAULT, LOCAL, Target, Tls, current, needs_engine, target};
pub use unreachable::{Unreachable, report};

use super::system::{Inspection, pretty};
use crate::cli::{Args, Invocation};
use crate::engine::{Ctx, Error, Result};
use crate::view::rows;
use crate::view::table::Formatter;
use crate::world::{Client, World};
use config::Config;
use cutaway_userland::sorted::Arrange;
use serde_json::{Value, json};
use store::Context;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let name = call.command.strip_prefix("context ")?;
    let client = &*ctx.client;
    let said = match name {
        "inspect" => return Some(inspect(ctx, call).await),
        "create" => change::create(client, call).await,
        "export" => change::export(client, call).await,
        "import" => change::import(client, call).await,
        "ls" => list(client, call).await,
        "rm" => remove(client, call).await,
        "show" => current(client, &call.global).await.map(|name| Said::out(format!("{name}\n"))),
        "update" => change::update(client, call).await,
        "use" => choose(client, call).await,
        _ => return None,
    };
    Some(match said {
        Ok(said) => {
            ctx.print(said.out).await;
            ctx.warn(said.err).await;
            Ok(0)
        }
        Err(error) => Err(error),
    })
}

/// What a command prints, on standard output and after that on standard error.
#[derive(Default)]
struct Said {
    out: Vec<u8>,
    err: String,
}

impl Said {
    fn out(text: String) -> Said {
        Said { out: text.into_bytes(), err: String::new() }
    }

    /// The context's name, and what has been done with it.
    fn done(name: &str, text: String) -> Said {
        Said { out: format!("{name}\n").into_bytes(), err: text + "\n" }
    }
}

/// What hinders the choice of a context, where the environment has a host.
fn overridden(client: &dyn Client, wanted: &str) -> Option<String> {
    client.env("DOCKER_HOST").filter(|host| !host.is_empty())?;
    Some(format!(
        "Warning: DOCKER_HOST environment variable overrides the active context. To use {wanted}, either set the \
         global --context flag, or unset DOCKER_HOST environment variable.\n"
    ))
}

fn row(context: &Context, name: &str) -> Value {
    let description = match context.name.as_str() {
        DEFAULT => "Current DOCKER_HOST based configuration",
        _ => context.description(),
    };
    json!({
        "Current": context.name == name,
        "Description": description,
        "DockerEndpoint": context.host(),
        "Error": "",
        "Name": context.name,
    })
}

async fn list(client: &dyn Client, call: &Invocation) -> Result<Said> {
    /// The most that is shown of an error.
    const ERROR: usize = 45;
    let formatter = Formatter::new(&rows::CONTEXTS, call.args.value("format").unwrap_or(""), call.args.flag("quiet"))
        .map_err(Error::Client)?;
    let name = current(client, &call.global).await?;
    let config = Config::find(client, &call.global);
    let mut all = vec![target::default_context(client, &call.global, &config).await?];
    all.extend(store::list(client, &config).await?);
    let mut rows: Vec<(String, Value)> = all.iter().map(|c| (c.name.clone(), row(c, &name))).collect();
    if !all.iter().any(|c| c.name == name) {
        let error = store::missing(&config, &name).render("");
        let error: String = error.chars().take(ERROR - 1).chain(['…']).collect();
        let row = json!({"Current": true, "Description": "", "DockerEndpoint": "", "Error": error, "Name": name});
        rows.push((name.clone(), row));
    }
    rows.arrange_by_key(|(name, _)| name.clone());
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    let text = formatter.render(&rows).map_err(Error::Client)?;
    let chosen = call.global.given("context");
    let err = if chosen || call.args.flag("quiet") { None } else { overridden(client, "a context") };
    Ok(Said { out: text.into_bytes(), err: err.unwrap_or_default() })
}

async fn choose(client: &dyn Client, call: &Invocation) -> Result<Said> {
    let name = call.args.word(0);
    let config = Config::find(client, &call.global);
    if name != DEFAULT {
        store::check_name(name)?;
        store::read(client, &config, name).await?;
    }
    config.set_current(client, if name == DEFAULT { "" } else { name }).await?;
    let mut said = Said::done(name, format!("Current context is now {name:?}"));
    if name != DEFAULT {
        said.err += &overridden(client, &format!("{name:?}")).unwrap_or_default();
    }
    Ok(said)
}

async fn remove(client: &dyn Client, call: &Invocation) -> Result<Said> {
    let force = call.args.flag("force");
    let config = Config::find(client, &call.global);
    let in_use = current(client, &call.global).await?;
    let (mut out, mut errors) = (String::new(), Vec::new());
    for name in &call.args.positionals {
        match remove_one(client, &config, name, *name == in_use, force).await {
            Ok(()) => out += &format!("{name}\n"),
            Err(error) => errors.push(error.render("")),
        }
    }
    if errors.is_empty() {
        return Ok(Said::out(out));
    }
    client.write(crate::world::Stream::Out, out.as_bytes()).await;
    Err(Error::Client(errors.join("\n")))
}

async fn remove_one(client: &dyn Client, config: &Config, name: &str, in_use: bool, force: bool) -> Result<()> {
    if name == DEFAULT {
        return Err(Error::Client(format!("context {name:?} cannot be removed")));
    }
    if in_use {
        if !force {
            return Err(Error::Client(format!("context {name:?} is in use, set -f flag to force remove")));
        }
        config.set_current(client, "").await?;
    }
    if !force && !store::exists(client, config, name).await? {
        return Err(Error::Client(format!("context {name:?} does not exist")));
    }
    store::remove(client, config, name).await
}

/// As `inspect` shows a context.
fn facts(config: &Config, context: &Context) -> Value {
    let (meta, tls) = match context.name.as_str() {
        DEFAULT => ("<IN MEMORY>".to_string(), "<IN MEMORY>".to_string()),
        name => (config.meta(name), config.tls(name)),
    };
    json!({
        "Name": context.name,
        "Metadata": context.metadata,
        "Endpoints": context.endpoints,
        "TLSMaterial": context.tls_names(),
        "Storage": {"MetadataPath": meta, "TLSPath": tls},
    })
}

async fn find(client: &dyn Client, global: &Args, config: &Config, name: &str) -> Result<Context> {
    match name {
        DEFAULT => target::default_context(client, global, config).await,
        name => store::read(client, config, name).await,
    }
}

async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let client = &*ctx.client;
    let config = Config::find(client, &call.global);
    let mut names = call.args.positionals.clone();
    if names.is_empty() {
        names.push(current(client, &call.global).await?);
    }
    let format = call.args.value("format").unwrap_or("");
    if format.is_empty() && names == [DEFAULT] {
        // Go's encoder escapes the angle brackets here.
        let value = facts(&config, &find(client, &call.global, &config, DEFAULT).await?);
        let text = pretty(&Value::Array(vec![value])).replace('<', "\\u003c").replace('>', "\\u003e");
        ctx.print(text + "\n").await;
        return Ok(0);
    }
    let mut inspection = Inspection::new(ctx, format).await?;
    for name in &names {
        let found = find(client, &call.global, &config, name).await;
        inspection.add(found.map(|context| facts(&config, &context)));
    }
    inspection.finish(ctx).await
}
