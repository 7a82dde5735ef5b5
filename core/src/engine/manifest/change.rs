//! `docker manifest create`, `annotate` and `rm`.

use super::{distribution, local, named, named_as};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use serde_json::{Value, json};

/// What an image may run on. Source: docker/cli, `validOSArches`.
const PLATFORMS: [&str; 26] = [
    "darwin/386",
    "darwin/amd64",
    "darwin/arm",
    "darwin/arm64",
    "dragonfly/amd64",
    "freebsd/386",
    "freebsd/amd64",
    "freebsd/arm",
    "linux/386",
    "linux/amd64",
    "linux/arm",
    "linux/arm64",
    "linux/ppc64le",
    "linux/mips64",
    "linux/mips64le",
    "linux/riscv64",
    "linux/s390x",
    "netbsd/386",
    "netbsd/amd64",
    "netbsd/arm",
    "openbsd/386",
    "openbsd/amd64",
    "openbsd/arm",
    "plan9/386",
    "plan9/amd64",
    "solaris/amd64",
];

fn is_platform(os: &str, architecture: &str) -> bool {
    let name = format!("{os}/{architecture}");
    PLATFORMS.contains(&name.as_str()) || matches!(name.as_str(), "windows/386" | "windows/amd64")
}

pub async fn create<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let list = named_as(call.args.word(0), "error parsing name for manifest list")?;
    let (amend, insecure) = (call.args.flag("amend"), call.args.flag("insecure"));
    if local::list(ctx, &list).await?.is_some() && !amend {
        let text = "refusing to amend an existing manifest list with no --amend flag";
        return Err(Error::Client(text.into()));
    }
    for word in &call.args.positionals[1..] {
        let name = named(word)?;
        let entry = match local::find(ctx, &list, &name).await? {
            Some(entry) => entry,
            None => distribution::manifest(ctx, &name, insecure).await?,
        };
        local::keep(ctx, &list, &name, &entry).await?;
    }
    ctx.print(format!("Created manifest list {list}\n")).await;
    Ok(0)
}

pub async fn annotate<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (list_word, word) = (call.args.word(0), call.args.word(1));
    let list = named_as(list_word, "annotate: error parsing name for manifest list")?;
    let name = named_as(word, "annotate: error parsing name for manifest")?;
    let Some(mut entry) = local::find(ctx, &list, &name).await? else {
        return Err(Error::Client(format!("manifest for image {word} does not exist in {list_word}")));
    };
    let given = |flag: &str| call.args.value(flag).unwrap_or("");
    let mut platform = match entry.platform.take() {
        Value::Null => json!({}),
        known => known,
    };
    for (key, flag) in [("os", "os"), ("architecture", "arch"), ("variant", "variant"), ("os.version", "os-version")] {
        if !given(flag).is_empty() {
            platform[key] = json!(given(flag));
        }
    }
    let features = call.args.values("os-features").iter().flat_map(|value| value.split(','));
    for feature in features.filter(|feature| !feature.is_empty()) {
        let mut all = platform["os.features"].as_array().cloned().unwrap_or_default();
        if !all.iter().any(|one| one == feature) {
            all.push(json!(feature));
        }
        platform["os.features"] = json!(all);
    }
    entry.platform = super::platform_of(&platform);
    if !is_platform(entry.platform("os"), entry.platform("architecture")) {
        return Err(Error::Client(format!(
            "manifest entry for image has unsupported os/arch combination: {}/{}",
            given("os"),
            given("arch")
        )));
    }
    local::keep(ctx, &list, &name, &entry).await?;
    Ok(0)
}

pub async fn remove<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let mut problems = Vec::new();
    for word in &call.args.positionals {
        let removed = async {
            let list = named(word)?;
            local::needed(ctx, &list).await?;
            local::remove(ctx, &list).await
        };
        if let Err(error) = removed.await {
            problems.push(error.render(""));
        }
    }
    if problems.is_empty() { Ok(0) } else { Err(Error::Client(problems.join("\n"))) }
}
