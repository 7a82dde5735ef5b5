//! What people have set for their command line in `config.json`: formats of lists, and the keys that detach. Source:
//! docker/cli, cli/config/configfile.

use super::Ctx;
use crate::world::World;
use serde_json::Value;

/// A text of the person's `config.json`, as `psFormat`; `None` where it is not set. A file that can't be read as JSON
/// is as good as none: it has been told of where the engine was looked for.
pub async fn setting<W: World>(ctx: &Ctx<W>, name: &str) -> Option<String> {
    let path = format!("{}/config.json", ctx.client.config_folder());
    ctx.client.facts(&path).await.ok()??;
    let bytes = ctx.client.read_file(&path).await.ok()?;
    let value = serde_json::from_slice::<Value>(&bytes).ok()?;
    value[name].as_str().filter(|text| !text.is_empty()).map(str::to_string)
}

/// The format of a list: what was asked for, else (unless only ids are wanted) what the person has set as `name`.
pub async fn list_format<W: World>(ctx: &Ctx<W>, asked: Option<&str>, quiet: bool, name: &str) -> String {
    match asked.unwrap_or("") {
        "" if !quiet => setting(ctx, name).await.unwrap_or_default(),
        asked => asked.to_string(),
    }
}
