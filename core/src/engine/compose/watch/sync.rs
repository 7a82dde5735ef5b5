//! Files of the host that are put into the containers of a service.

use crate::engine::compose::App;
use crate::engine::compose::run::docker_with;
use crate::engine::{Error, Result};
use crate::world::World;
use cutaway_userland::os::FileKind;
use serde_json::{Map, Value};

/// Puts files of the host into the containers of a service; what is no more on the host goes there, too.
pub(super) async fn sync<W: World>(app: &App<'_, W>, service: &str, files: &[(String, String)]) -> Result<()> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut gone: Vec<Value> = Vec::new();
    let mut any = false;
    for (path, place) in files {
        let client = &app.ctx.client;
        let Ok(Some(facts)) = client.facts(path).await else {
            gone.push(place.clone().into());
            continue;
        };
        let bytes = match facts.kind {
            FileKind::Regular => client.read_file(path).await?,
            FileKind::Symlink => Vec::new(),
            _ => continue,
        };
        let mut header = tar::Header::new_gnu();
        header.set_mode(facts.mode & 0o7777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(facts.mtime);
        header.set_size(bytes.len() as u64);
        let place = place.trim_start_matches('/');
        let added = match &facts.target {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, place, target)
            }
            None => archive.append_data(&mut header, place, bytes.as_slice()),
        };
        added.map_err(|e| Error::Client(format!("{path}: {e}")))?;
        any = true;
    }
    let bytes = archive.into_inner().map_err(|e| Error::Client(e.to_string()))?;
    for member in app.members(&[service.to_string()]).await? {
        if !gone.is_empty() && member.record.is_running() {
            let mut command: Vec<Value> = vec!["rm".into(), "-rf".into()];
            command.extend(gone.iter().cloned());
            let mut hook = Map::new();
            hook.insert("command".into(), Value::Array(command));
            Box::pin(app.run_in(&member, &Value::Object(hook))).await?;
        }
        if any {
            Box::pin(docker_with(app, &["cp", "-", &format!("{}:/", member.record.id)], bytes.clone())).await?;
        }
    }
    Ok(())
}
