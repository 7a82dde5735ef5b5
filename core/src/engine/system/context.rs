//! `docker context`: there is one, the engine of this machine.

use super::{Inspection, pretty};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::view::rows;
use crate::view::table::Formatter;
use crate::world::World;
use serde_json::{Value, json};

const NAME: &str = "default";

/// Runs the command if it is one of this group's; its exit status.
pub(super) async fn dispatch<W: World>(ctx: &Ctx<W>, command: &str, call: &Invocation) -> Option<Result<i32>> {
    Some(match command {
        "context ls" => list(ctx, call).await,
        "context show" => {
            ctx.print(format!("{NAME}\n")).await;
            Ok(0)
        }
        "context use" => choose(ctx, call.args.word(0)).await,
        "context rm" => Err(match call.args.positionals.iter().find(|name| *name != NAME) {
            Some(name) => unknown(name),
            None => Error::Client(format!("context {NAME:?} cannot be removed")),
        }),
        "context inspect" => inspect(ctx, call).await,
        _ => return None,
    })
}

fn unknown(name: &str) -> Error {
    Error::Client(format!("context {name:?}: context not found"))
}

fn endpoint<W: World>(ctx: &Ctx<W>) -> String {
    ctx.client.env("DOCKER_HOST").filter(|host| !host.is_empty()).unwrap_or("unix:///var/run/docker.sock".into())
}

async fn list<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let formatter = Formatter::new(&rows::CONTEXTS, call.args.value("format").unwrap_or(""), call.args.flag("quiet"))
        .map_err(Error::Client)?;
    let row = json!({
        "Current": true,
        "Description": "Current DOCKER_HOST based configuration",
        "DockerEndpoint": endpoint(ctx),
        "Error": "",
        "Name": NAME,
    });
    let text = formatter.render(&[row]).map_err(Error::Client)?;
    ctx.print(text).await;
    Ok(0)
}

async fn choose<W: World>(ctx: &Ctx<W>, name: &str) -> Result<i32> {
    if name != NAME {
        return Err(unknown(name));
    }
    ctx.print(format!("{NAME}\n")).await;
    ctx.warn(format!("Current context is now {NAME:?}\n")).await;
    Ok(0)
}

async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let value = json!({
        "Name": NAME,
        "Metadata": {},
        "Endpoints": {"docker": {"Host": endpoint(ctx), "SkipTLSVerify": false}},
        "TLSMaterial": {},
        "Storage": {"MetadataPath": "<IN MEMORY>", "TLSPath": "<IN MEMORY>"},
    });
    let names = &call.args.positionals;
    if names.is_empty() && call.args.value("format").is_none() {
        // Go's encoder escapes the angle brackets here.
        let text = pretty(&Value::Array(vec![value])).replace('<', "\\u003c").replace('>', "\\u003e");
        ctx.print(text + "\n").await;
        return Ok(0);
    }
    let mut inspection = Inspection::new(ctx, call.args.value("format").unwrap_or("")).await?;
    if names.is_empty() {
        inspection.add(Ok(value.clone()));
    }
    for name in names {
        inspection.add(if name == NAME { Ok(value.clone()) } else { Err(unknown(name)) });
    }
    inspection.finish(ctx).await
}
