//! `docker buildx imagetools create`.

use super::copy::{copy, put};
use super::index::{self, Combined, Resolved};
use super::resolve::{repository, resolve, text};
use super::sources::{Source, annotations, platforms};
use super::{check_builder, failed};
use crate::cli::{Args, Invocation};
use crate::engine::build::{Board, ProgressMode};
use crate::engine::{Ctx, Error, Result};
use crate::name::{Digest, Reference};
use crate::world::{Stream, World};
use serde_json::Value;

pub async fn create<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    if args.positionals.is_empty() && args.values("file").is_empty() {
        return Err(failed("no sources specified"));
    }
    let dry = args.flag("dry-run");
    if !dry && args.values("tag").is_empty() {
        return Err(failed("can't push with no tags specified, please set --tag or --dry-run"));
    }
    let mut words = Vec::new();
    for file in args.values("file") {
        let bytes = ctx.client.read_file(file).await.map_err(failed)?;
        words.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    words.extend(args.positionals.iter().cloned());
    let tags = args.values("tag").iter().map(|tag| Reference::parse(tag).map_err(failed));
    let tags = tags.collect::<Result<Vec<_>>>()?;
    if args.flag("append") {
        words.splice(0..0, args.values("tag").first().cloned());
    }
    let sources = words.iter().map(|word| Source::parse(word)).collect::<Result<Vec<_>>>()?;
    let platforms = platforms(args.values("platform"))?;
    let names = placed(&words, &sources, &tags)?;
    check_builder(args)?;
    let mut resolved = Vec::new();
    for (name, source) in names.into_iter().zip(&sources) {
        resolved.push(look_up(ctx, name, source, &sources).await?);
    }
    let annotations = annotations(args.values("annotation"))?;
    let contents = index::contents(&mut resolved).await?;
    let combined = index::combine(&resolved, &contents, &annotations, args.flag_or("prefer-index", true))?;
    let combined = index::filter(combined, &platforms)?;
    if dry {
        ctx.print([combined.bytes.as_slice(), b"\n"].concat()).await;
        return Ok(0);
    }
    let board = Board::untitled(ctx, progress(ctx, args)?);
    let mut result = Ok(());
    for tag in &tags {
        let vertex = board.begin(&format!("[internal] pushing {tag}")).await;
        let log = async |line: String| board.log(vertex, line.as_bytes()).await;
        match publish(ctx, tag, &resolved, &combined, log).await {
            Ok(()) => board.done(vertex).await,
            Err(error) => {
                let text = error.render("");
                board.failed(vertex, text.strip_prefix("ERROR: ").unwrap_or(&text)).await;
                result = Err(error);
                break;
            }
        }
    }
    board.finish().await;
    ctx.warn(board.failure_block()).await;
    result.map(|()| 0)
}

/// The repository of each source: where one is named only, it is that of those which name none.
fn placed(words: &[String], sources: &[Source], tags: &[Reference]) -> Result<Vec<Reference>> {
    let named = tags.iter().chain(sources.iter().filter_map(|s| s.name.as_ref()));
    let mut repositories: Vec<String> = named.map(Reference::name).collect();
    repositories.sort();
    repositories.dedup();
    if repositories.is_empty() {
        return Err(failed("no repositories specified, please set a reference in tag or source"));
    }
    let place = |(source, word): (&Source, &String)| match (&source.name, repositories.as_slice()) {
        (Some(name), _) => Ok(name.clone()),
        (None, [only]) => {
            let name = Reference::parse(only).map_err(failed)?;
            let digest = source.descriptor["digest"].as_str().and_then(Digest::parse);
            let digest = digest.filter(|_| text(&source.descriptor, "mediaType").is_empty());
            Ok(digest.map_or_else(|| name.clone().with_default_tag(), |digest| name.with_digest(digest)))
        }
        (None, _) => Err(failed(format!("multiple repositories specified, cannot infer repository for {word:?}"))),
    };
    sources.iter().zip(words).map(place).collect()
}

async fn look_up<'a, W: World>(
    ctx: &'a Ctx<W>,
    name: Reference,
    source: &Source,
    all: &[Source],
) -> Result<Resolved<'a, W>> {
    let remote = repository(ctx, &name, "pull");
    // Descriptors alone are taken at their word.
    let by_name = all.iter().any(|s| s.name.is_some() || text(&s.descriptor, "mediaType").is_empty());
    let descriptor = match &source.descriptor {
        Value::Null => resolve(&remote, &name).await?,
        said if by_name => {
            let digest = super::resolve::digest_of(said)?;
            index::merged(resolve(&remote, &name.with_digest(digest)).await?, said)?
        }
        said => said.clone(),
    };
    Ok(Resolved { name, remote, descriptor })
}

/// How progress is shown.
fn progress<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<ProgressMode> {
    Ok(match args.value("progress").unwrap_or("auto") {
        "none" | "quiet" => ProgressMode::Quiet,
        "plain" => ProgressMode::Plain,
        "rawjson" => ProgressMode::RawJson,
        "tty" => ProgressMode::Tty,
        "auto" | "" if ctx.client.is_tty(Stream::Err) => ProgressMode::Tty,
        "auto" | "" => ProgressMode::Plain,
        other => return Err(failed(format!("invalid progress mode {other}"))),
    })
}

/// Brings all that the new image names to a tag's repository, then gives it the tag.
async fn publish<W: World>(
    ctx: &Ctx<W>,
    tag: &Reference,
    sources: &[Resolved<'_, W>],
    combined: &Combined,
    log: impl AsyncFn(String),
) -> Result<()> {
    let to = repository(ctx, tag, "pull,push");
    for (manifest, from) in &combined.manifests {
        let source = &sources[*from];
        log(format!("copying {} from {} to {tag}\n", text(manifest, "digest"), source.name)).await;
        copy(ctx, source, &to, tag, manifest).await?;
    }
    log(format!("pushing {} to {tag}\n", text(&combined.descriptor, "digest"))).await;
    let name = tag.clone().with_default_tag();
    let wanted = name.tag().map_or_else(|| text(&combined.descriptor, "digest").to_string(), str::to_string);
    put(&to, &wanted, text(&combined.descriptor, "mediaType"), combined.bytes.clone()).await.map_err(as_told)
}

/// A registry's refusal as buildx tells it.
fn as_told(error: Error) -> Error {
    match error {
        Error::Daemon(text) => failed(text),
        other => other,
    }
}
