//! `post_start` and `pre_stop`: commands that are run in a service's container when it has started, and before it is
//! stopped.

use super::App;
use super::app::Member;
use super::logs::Prefixes;
use super::run::docker_captured;
use crate::compose::{text, texts};
use crate::engine::{Error, Result};
use crate::world::World;
use serde_json::Value;

impl<W: World> App<'_, W> {
    /// Runs a service's hooks of one kind; their output is shown where the output of its containers is.
    pub(super) async fn hooks(&self, member: &Member, kind: &str, shown: Option<&Prefixes>) -> Result<()> {
        let service = self.project.services.get(&member.service);
        for hook in service.and_then(|s| s.get(kind)).and_then(Value::as_array).into_iter().flatten() {
            if self.board.dry {
                continue;
            }
            let (status, output) = Box::pin(self.run_in(member, hook)).await?;
            if let Some(prefixes) = shown {
                prefixes.show(self, &format!("{} ->", prefixes.name(member)), &output).await;
            }
            if status != 0 {
                return Err(Error::Client(format!("{} hook exited with status {status}", member.service)));
            }
        }
        Ok(())
    }

    /// Runs a command with its attributes in a container; its exit status and what it printed.
    pub(super) async fn run_in(&self, member: &Member, hook: &Value) -> Result<(i32, Vec<u8>)> {
        let mut words: Vec<String> = vec!["exec".into()];
        if hook.get("privileged") == Some(&Value::Bool(true)) {
            words.push("--privileged".into());
        }
        for (key, flag) in [("user", "user"), ("working_dir", "workdir")] {
            words.extend(hook.get(key).map(|v| format!("--{flag}={}", text(v))));
        }
        for (name, value) in hook.get("environment").and_then(Value::as_object).into_iter().flatten() {
            words.push(format!("--env={name}={}", text(value)));
        }
        words.push(member.record.id.clone());
        words.extend(texts(hook.get("command")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (result, output) = Box::pin(docker_captured(self, &words)).await;
        match result {
            Err(Error::Status(status)) => Ok((status, output)),
            other => Ok((other?, output)),
        }
    }
}
