//! `--allow`: what a definition may ask for beyond the folder it is in. What it has not been given is asked about on a
//! terminal, and refused elsewhere.

use super::{is_remote, wrong};
use crate::bake::{Plan, Target};
use crate::build::joined;
use crate::cli::Invocation;
use crate::engine::system::confirm;
use crate::engine::{Ctx, Result};
use crate::world::{Stream, World};
use cutaway_userland::sorted::Set;

/// The keys of `--set` that name files.
const FILES: [&str; 5] = [".secrets", ".ssh", ".cache-from", ".cache-to", ".output"];

/// What has been granted, or what is missing.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    host_network: bool,
    insecure: bool,
    ssh: bool,
    reads: Vec<String>,
    writes: Vec<String>,
}

impl Rights {
    /// Reads `--allow`.
    pub fn parse(given: &[String]) -> std::result::Result<Rights, String> {
        let mut rights = Rights::default();
        for one in given {
            let (key, value) = one.split_once('=').unwrap_or((one, ""));
            match (one.as_str(), key) {
                ("network.host", _) => rights.host_network = true,
                ("security.insecure", _) => rights.insecure = true,
                ("ssh", _) => rights.ssh = true,
                (_, "fs.read") => rights.reads.push(value.into()),
                (_, "fs.write") => rights.writes.push(value.into()),
                (_, "fs") => {
                    rights.reads.push(value.into());
                    rights.writes.push(value.into());
                }
                (_, "device" | "image" | "image.push" | "image.load") => {}
                _ => return Err(format!("unknown entitlement key {key:?}")),
            }
        }
        Ok(rights)
    }

    /// Asks for what the targets want and have not got; an error where it is not given.
    pub async fn ask<W: World>(&self, ctx: &Ctx<W>, plan: &Plan, call: &Invocation) -> Result<()> {
        let cwd = ctx.client.cwd();
        let missing = self.missing(plan, &cwd, call);
        let mut asked: Vec<(String, String)> = Vec::new();
        if missing.host_network {
            asked.push((" - Running build containers that can access host network".into(), "network.host".into()));
        }
        if missing.insecure {
            asked.push((
                " - Running privileged containers that can make system changes".into(),
                "security.insecure".into(),
            ));
        }
        let of_files = asked.len();
        if missing.ssh {
            asked.push((" - Forwarding default SSH agent socket".into(), "ssh".into()));
        }
        let shown = |path: &String| relative(path, &cwd);
        for path in missing.reads.iter().filter(|path| missing.writes.contains(path)).map(shown) {
            asked.push((format!(" - Read and write access to path {path}"), format!("fs={path}")));
        }
        for path in missing.reads.iter().filter(|path| !missing.writes.contains(path)).map(shown) {
            asked.push((format!(" - Read access to path {path}"), format!("fs.read={path}")));
        }
        for path in missing.writes.iter().filter(|path| !missing.reads.contains(path)).map(shown) {
            asked.push((format!(" - Write access to path {path}"), format!("fs.write={path}")));
        }
        if asked.is_empty() {
            return Ok(());
        }
        let own = ctx.client.env("BUILDX_BAKE_ENTITLEMENTS_FS");
        let files_count = own.as_deref().is_none_or(|v| crate::bake::go_bool(v) != Some(false));
        if of_files == 0 && !files_count {
            return Ok(());
        }
        let term = ctx.client.is_tty(Stream::In);
        let flags: Vec<String> = asked.iter().map(|(_, flag)| format!("--allow={flag}")).collect();
        let flags = flags.join(" ");
        let mut text =
            "Your build is requesting privileges for following possibly insecure capabilities:\n\n".to_string();
        text += &asked.iter().map(|(line, _)| format!("{line}\n")).collect::<String>();
        text += &match term {
            true => format!(
                "\nIn order to not see this message in the future pass {flags:?} to grant requested privileges.\n"
            ),
            false => format!("\nPass {flags:?} to grant requested privileges.\n"),
        };
        text += &format!("\nYour full command with requested privileges:\n\n{}\n\n", command(call, &flags));
        if own.is_none() && asked.len() > of_files {
            text += "To disable filesystem entitlements checks, you can set BUILDX_BAKE_ENTITLEMENTS_FS=0 .\n\n";
        }
        ctx.warn(text).await;
        if term && confirm(ctx, "Do you want to grant requested privileges and continue?").await {
            return Ok(());
        }
        Err(wrong("additional privileges requested"))
    }

    fn missing(&self, plan: &Plan, cwd: &str, call: &Invocation) -> Rights {
        let mut missing = Rights::default();
        let (mut reads, mut writes): (Set<String>, Set<String>) = (Set::new(), Set::new());
        for target in plan.targets.values() {
            let wants = |right: &str| target.texts("entitlements").iter().any(|e| e == right);
            // What `--set` asks for has been asked for by the person.
            let set =
                |right: &str| call.args.values("set").iter().any(|s| s.contains(".entitlements") && s.ends_with(right));
            missing.host_network |= wants("network.host") && !self.host_network && !set("network.host");
            missing.insecure |= wants("security.insecure") && !self.insecure && !set("security.insecure");
            missing.ssh |= target.entries("ssh").iter().any(|e| e.get("paths").is_empty()) && !self.ssh;
            paths(target, &mut reads, &mut writes);
        }
        let given = |list: &[String]| {
            let mut all: Vec<String> = list.iter().map(|path| joined(cwd, path)).collect();
            all.push(cwd.to_string());
            // The files that `--set` names, the person has named.
            let named = call.args.values("set").iter().filter_map(|set| set.split_once('='));
            let named = named.filter(|(key, _)| FILES.iter().any(|of| key.trim_end_matches('+').ends_with(of)));
            let paths = named.flat_map(|(_, value)| value.split(',')).map(|v| v.rsplit('=').next().unwrap_or(v));
            all.extend(paths.map(|path| joined(cwd, path)));
            all
        };
        let outside = |wanted: Set<String>, given: Vec<String>, all: bool| -> Vec<String> {
            let wanted = wanted.into_iter().map(|path| joined(cwd, &path));
            let within = |path: &String| {
                given.iter().any(|g| path == g || path.starts_with(&format!("{}/", g.trim_end_matches('/'))))
            };
            let found: Set<String> = wanted.filter(|path| !all && !within(path)).collect();
            // What is below another of them goes with it.
            let below = |path: &String| {
                found.iter().any(|other| path.starts_with(&format!("{}/", other.trim_end_matches('/'))))
            };
            found.iter().filter(|path| !below(path)).cloned().collect()
        };
        missing.reads = outside(reads, given(&self.reads), self.reads.iter().any(|p| p == "*"));
        missing.writes = outside(writes, given(&self.writes), self.writes.iter().any(|p| p == "*"));
        missing
    }
}

/// The client's files that a target reads and writes.
fn paths(target: &Target, reads: &mut Set<String>, writes: &mut Set<String>) {
    let context = target.text("context").unwrap_or(".");
    if !is_remote(context) {
        reads.insert(context.to_string());
        let file = target.text("dockerfile").unwrap_or("Dockerfile");
        let beside = if file.starts_with('/') { file.to_string() } else { format!("{context}/{file}") };
        reads.insert(crate::compose::clean_path(&beside));
    }
    for (_, place) in target.pairs("contexts") {
        if !is_remote(place) && !place.starts_with("target:") && !place.starts_with("docker-image:") {
            reads.insert(place.trim_start_matches("cwd://").to_string());
        }
    }
    let of = |field: &str, key: &str| -> Vec<String> {
        target.entries(field).iter().map(|e| e.get(key).to_string()).filter(|p| !p.is_empty()).collect()
    };
    reads.extend(of("secret", "src"));
    reads.extend(of("cache-from", "src"));
    reads.extend(of("ssh", "paths").iter().flat_map(|all| all.split(',')).map(str::to_string));
    writes.extend(of("cache-to", "dest"));
    writes.extend(of("output", "dest").into_iter().filter(|path| path != "-"));
}

/// A path as seen from the folder, where that is not far.
fn relative(path: &str, cwd: &str) -> String {
    let own: Vec<&str> = cwd.split('/').filter(|p| !p.is_empty()).collect();
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let common = own.iter().zip(&parts).take_while(|(a, b)| a == b).count();
    let up = own.len() - common;
    match common {
        0 => path.to_string(),
        _ => vec![".."; up].into_iter().chain(parts[common..].iter().copied()).collect::<Vec<_>>().join("/"),
    }
}

/// The command again, with the flags.
fn command(call: &Invocation, flags: &str) -> String {
    let mut words = vec![call.typed.clone(), flags.to_string()];
    for (name, values) in &call.args.flags {
        for value in values {
            words.push(if value == "true" { format!("--{name}") } else { format!("--{name}={value}") });
        }
    }
    words.extend(call.args.positionals.iter().cloned());
    words.join(" ")
}
