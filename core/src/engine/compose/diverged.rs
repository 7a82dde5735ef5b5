//! Networks and volumes whose definition in the files is no longer that which they were made by: they are made anew,
//! a volume only where the person agrees, because its data goes.

use super::App;
use super::app::Member;
use super::run::docker;
use crate::compose::{text, texts};
use crate::engine::system::ask;
use crate::engine::{Error, Result, network, volume};
use crate::network::NetworkRecord;
use crate::volume::VolumeRecord;
use crate::world::{Stream, World};
use serde_json::Value;

impl<W: World> App<'_, W> {
    /// Stops the containers of the services that `uses` picks; all containers that these services have.
    async fn stop_users(&self, uses: impl Fn(&Value) -> bool) -> Result<Vec<Member>> {
        let services = self.project.services.iter().filter(|(_, service)| uses(&Value::Object((*service).clone())));
        let names: Vec<String> = services.map(|(name, _)| name.clone()).collect();
        let members = if names.is_empty() { Vec::new() } else { self.members(&names).await? };
        for group in self.last_first(members.clone())? {
            Box::pin(self.stop_all(&group, None)).await?;
        }
        Ok(members)
    }

    /// Takes a network away from under its containers; those that are to be put into the new one.
    pub(super) async fn remove_diverged_network(&self, key: &str, record: &NetworkRecord) -> Result<Vec<Member>> {
        let members = self.stop_users(|service| service["networks"].get(key).is_some()).await?;
        if !self.board.dry {
            for member in members.iter().filter(|m| m.record.endpoints.contains_key(&record.name)) {
                Box::pin(docker(self, &["network", "disconnect", "-f", &record.name, &member.record.id], false))
                    .await?;
            }
            Box::pin(network::remove(self.ctx, record)).await?;
        }
        self.progress("Network", &record.name, "Removed").await;
        Ok(members)
    }

    /// Puts containers into the network that has been made anew, with the names that their service has there.
    pub(super) async fn reconnect(&self, key: &str, name: &str, members: &[Member]) -> Result<()> {
        for member in members.iter().filter(|_| !self.board.dry) {
            let mut words = vec!["network".to_string(), "connect".into(), format!("--alias={}", member.service)];
            let how = self.service(&member.service)?.get("networks").and_then(|n| n.get(key));
            if let Some(how) = how {
                words.extend(texts(how.get("aliases")).iter().map(|a| format!("--alias={a}")));
                for (key, flag) in [("ipv4_address", "ip"), ("ipv6_address", "ip6")] {
                    words.extend(how.get(key).filter(|v| !v.is_null()).map(|v| format!("--{flag}={}", text(v))));
                }
            }
            words.extend([name.to_string(), member.record.id.clone()]);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Box::pin(docker(self, &words, false)).await?;
        }
        Ok(())
    }

    /// Asks whether a volume may go, and takes it away with the containers that have it; whether it is gone.
    pub(super) async fn remove_diverged_volume(&self, key: &str, record: &VolumeRecord, agreed: bool) -> Result<bool> {
        let question = format!(
            "Volume {:?} exists but doesn't match configuration in compose file. Recreate (data will be lost)?",
            record.name
        );
        if !agreed && !self.confirm(&question).await? {
            return Ok(false);
        }
        let has = |service: &Value| {
            let volumes = service["volumes"].as_array().into_iter().flatten();
            volumes.into_iter().any(|v| v.get("source").map(text).as_deref() == Some(key))
        };
        let members = self.stop_users(has).await?;
        Box::pin(self.remove_all(&members, false)).await?;
        if !self.board.dry {
            Box::pin(volume::remove(self.ctx, record)).await?;
        }
        Ok(true)
    }

    /// A question that is answered by `y` or not at all.
    pub(super) async fn confirm(&self, question: &str) -> Result<bool> {
        let asked = match self.ctx.client.is_tty(Stream::In) {
            true => format!("? {question} (y/N) "),
            false => question.to_string(),
        };
        let answer = ask(self.ctx, &asked).await.map_err(|_| Error::Client("EOF".into()))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "1" | "t" | "true"))
    }
}
