//! Where somebody's credentials are: in `config.json` of their home, or with a program that it names. Docker's own
//! client and other tools find them there, too. Source: docker/cli, config/configfile and config/credentials.

use crate::engine::context::make_folders;
use crate::engine::system::pretty_tabs;
use crate::engine::{Ctx, Error, Result};
use crate::view::go_json;
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Docker's own registry, as `config.json` names it.
pub const HUB: &str = "https://index.docker.io/v1/";

/// Who logs in, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub username: String,
    pub password: String,
}

impl Credential {
    /// For an `Authorization` header.
    pub fn basic(&self) -> String {
        format!("Basic {}", self.encoded())
    }

    fn encoded(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.username, self.password))
    }

    fn decode(text: &str) -> Option<Credential> {
        let bytes = STANDARD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credential { username: username.into(), password: password.trim_end_matches('\0').into() })
    }
}

/// The host of what was typed as a server.
pub fn host_of_server(word: &str) -> &str {
    let bare = word.split_once("://").map_or(word, |(_, rest)| rest);
    bare.split('/').next().unwrap_or("")
}

/// The key of `config.json` for what was typed as a server.
pub fn server_of(word: &str) -> String {
    match host_of_server(word) {
        "" | "index.docker.io" | "docker.io" | "registry-1.docker.io" => HUB.to_string(),
        other => other.to_string(),
    }
}

/// The person's `config.json` as it stands, and what their environment has in its stead.
pub struct Keychain {
    folder: String,
    value: Map<String, Value>,
    environment: Value,
}

impl Keychain {
    pub async fn read<W: World>(ctx: &Ctx<W>) -> Result<Keychain> {
        let folder = ctx.client.config_folder();
        let path = format!("{folder}/config.json");
        let bytes = match ctx.client.facts(&path).await {
            Ok(Some(_)) => ctx.client.read_file(&path).await?,
            _ => b"{}".to_vec(),
        };
        let environment = ctx.client.env("DOCKER_AUTH_CONFIG").unwrap_or_default();
        match serde_json::from_slice::<Map<String, Value>>(&bytes) {
            Ok(value) => {
                Ok(Keychain { folder, value, environment: serde_json::from_str(&environment).unwrap_or_default() })
            }
            Err(error) => {
                let why = go_json::problem(&bytes).unwrap_or_else(|| error.to_string());
                Err(Error::Client(format!("loading config file: {path}: {why}")))
            }
        }
    }

    pub fn path(&self) -> String {
        format!("{}/config.json", self.folder)
    }

    /// The program that keeps a server's credentials; none where the file itself does.
    fn helper(&self, server: &str) -> Option<String> {
        let own = self.value.get("credHelpers").and_then(|all| all[server].as_str());
        let name = own.or_else(|| self.value.get("credsStore")?.as_str())?;
        (!name.is_empty()).then(|| format!("docker-credential-{name}"))
    }

    /// Who somebody is to a server.
    ///
    /// # Errors
    /// Where the program that keeps it fails.
    pub async fn get<W: World>(&self, ctx: &Ctx<W>, server: &str) -> Result<Option<Credential>> {
        if let Some(auth) = self.environment["auths"][server]["auth"].as_str() {
            return Ok(Credential::decode(auth));
        }
        let Some(helper) = self.helper(server) else { return Ok(self.written(server)) };
        let ran = ctx.client.run_program(&helper, &["get"], server.as_bytes()).await;
        let out = String::from_utf8_lossy(&ran.out).trim().to_string();
        if let Some(failure) = ran.failure {
            return match out.as_str() {
                "credentials not found in native keychain" => Ok(None),
                _ => Err(Error::Client(format!("error getting credentials - err: {failure}, out: `{out}`"))),
            };
        }
        let found: Value = serde_json::from_str(&out).map_err(|e| Error::Client(e.to_string()))?;
        let text = |key: &str| found[key].as_str().unwrap_or("").to_string();
        let (username, password) = (text("Username"), text("Secret"));
        Ok((!username.is_empty()).then_some(Credential { username, password }))
    }

    /// What the file itself has.
    fn written(&self, server: &str) -> Option<Credential> {
        let all = self.value.get("auths")?.as_object()?;
        // Some write the address with its scheme and path.
        let key = all.keys().find(|key| server_of(key) == server)?;
        Credential::decode(all[key]["auth"].as_str()?)
    }

    /// Keeps who somebody is to a server; whether it is now newly in the file for everybody to read.
    ///
    /// # Errors
    /// Where the program that keeps it fails, or the file can't be written.
    pub async fn keep<W: World>(&mut self, ctx: &Ctx<W>, server: &str, credential: &Credential) -> Result<bool> {
        let Some(helper) = self.helper(server) else {
            if self.written(server).as_ref() == Some(credential) {
                return Ok(false);
            }
            self.set(server, json!({ "auth": credential.encoded() }));
            self.write(ctx).await?;
            return Ok(true);
        };
        let (user, secret) = (&credential.username, &credential.password);
        let told = json!({ "ServerURL": server, "Username": user, "Secret": secret }).to_string();
        let ran = ctx.client.run_program(&helper, &["store"], told.as_bytes()).await;
        if let Some(failure) = ran.failure {
            let out = String::from_utf8_lossy(&ran.out).trim().to_string();
            return Err(Error::Client(format!(
                "Error saving credentials: error storing credentials - err: {failure}, out: `{out}`"
            )));
        }
        // That there is something is noted in the file.
        if self.value.get("auths").is_none_or(|all| all[server] != json!({})) {
            self.set(server, json!({}));
            self.write(ctx).await?;
        }
        Ok(false)
    }

    /// Forgets who somebody is to a server, by all the keys that it may have.
    ///
    /// # Errors
    /// For each key, why its program failed, if all did.
    pub async fn forget<W: World>(&mut self, ctx: &Ctx<W>, keys: &[String]) -> Result<Vec<String>> {
        let (mut problems, mut changed) = (Vec::new(), false);
        for key in keys {
            if let Some(helper) = self.helper(key) {
                let ran = ctx.client.run_program(&helper, &["erase"], key.as_bytes()).await;
                if let Some(failure) = ran.failure {
                    let out = String::from_utf8_lossy(&ran.out).trim().to_string();
                    let problem = format!("{key}: error erasing credentials - err: {failure}, out: `{out}`");
                    // A key that is there twice has one problem.
                    problems.retain(|known| *known != problem);
                    problems.push(problem);
                    continue;
                }
            }
            if let Some(Value::Object(all)) = self.value.get_mut("auths") {
                changed |= all.remove(key).is_some();
            }
        }
        if changed {
            self.write(ctx).await?;
        }
        Ok(if problems.len() == keys.len() { problems } else { Vec::new() })
    }

    fn set(&mut self, server: &str, value: Value) {
        let before = self.value.get("auths").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut auths: Map<String, Value> = before.into_iter().filter(|(key, _)| server_of(key) != server).collect();
        auths.insert(server.to_string(), value);
        // They are what the file begins with.
        let rest = std::mem::take(&mut self.value).into_iter().filter(|(key, _)| key != "auths");
        self.value = Map::from_iter([("auths".to_string(), Value::Object(auths))].into_iter().chain(rest));
    }

    async fn write<W: World>(&self, ctx: &Ctx<W>) -> Result<()> {
        make_folders(&*ctx.client, &self.folder, 0o700).await?;
        let text = pretty_tabs(&Value::Object(self.value.clone()));
        ctx.client.write_file(&self.path(), text.as_bytes(), 0o600).await?;
        Ok(())
    }
}

/// Who the person is to the registry at `host`, where they have logged in to it.
pub async fn stored<W: World>(ctx: &Ctx<W>, host: &str) -> Option<Credential> {
    Keychain::read(ctx).await.ok()?.get(ctx, &server_of(host)).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (word, server, host) in [
            ("", HUB, ""),
            ("docker.io", HUB, "docker.io"),
            ("https://index.docker.io/v1/", HUB, "index.docker.io"),
            ("localhost:5000", "localhost:5000", "localhost:5000"),
            ("https://localhost:5000/v1/", "localhost:5000", "localhost:5000"),
        ] {
            assert_eq!((server_of(word).as_str(), host_of_server(word)), (server, host), "{word}");
        }
    }

    #[test]
    fn a_file_keeps_what_else_is_in_it() {
        let value = json!({"auths": {"https://a.example/v2/": {"auth": "dTpw"}}, "currentContext": "x"});
        let value = value.as_object().cloned().unwrap_or_default();
        let mut chain = Keychain { folder: "/root/.docker".into(), value, environment: Value::Null };
        assert!(chain.written("a.example") == Some(Credential { username: "u".into(), password: "p".into() }));
        chain.set("a.example", json!({"auth": "djpw"}));
        chain.set(HUB, json!({"auth": "dzpw"}));
        assert_eq!(
            pretty_tabs(&Value::Object(chain.value.clone())),
            "{\n\t\"auths\": {\n\t\t\"a.example\": {\n\t\t\t\"auth\": \"djpw\"\n\t\t},\n\t\t\"https://index.docker.io/v1/\": \
             {\n\t\t\t\"auth\": \"dzpw\"\n\t\t}\n\t},\n\t\"currentContext\": \"x\"\n}"
        );
    }

    #[test]
    fn programs_that_keep_credentials() {
        let value = json!({"credsStore": "pass", "credHelpers": {"a.example": "ecr", "b.example": ""}});
        let value = value.as_object().cloned().unwrap_or_default();
        let chain = Keychain { folder: String::new(), value, environment: Value::Null };
        assert_eq!(chain.helper("a.example").as_deref(), Some("docker-credential-ecr"));
        assert_eq!(chain.helper("b.example"), None);
        assert_eq!(chain.helper(HUB).as_deref(), Some("docker-credential-pass"));
    }
}
