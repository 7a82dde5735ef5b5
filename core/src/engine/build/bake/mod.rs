//! `docker buildx bake`: several images from one definition. What is to be built is worked out by `crate::bake`; each
//! target is then an ordinary build, after those that it has as contexts, and all of them tell on one board.

mod read;
mod rights;
mod words;

#[cfg(test)]
mod tests;

use super::board::{Board, ProgressMode};
use super::options::{Call, Options};
use super::{call as question, export, solve};
use crate::bake::{List, Plan, pretty};
use crate::cli::Invocation;
use crate::engine::image::empty_image;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::world::{Stream, World};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value, json};

/// Whose command it is that builds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    Person,
    /// It does not say what builds, and tells of a failure itself.
    Compose,
}

/// Runs the command.
pub async fn bake<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    bake_for(ctx, call, Asker::Person).await
}

/// Runs the command as a part of one of Compose's.
///
/// # Errors
/// In the words that Compose has for them.
pub async fn bake_for_compose<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let retold = |error| match error {
        Error::Client(text) if text.starts_with("ERROR: ") => Error::Client(format!("{}\n", &text["ERROR: ".len()..])),
        other => other,
    };
    super::cache::check_builder(ctx, call).map_err(retold)?;
    bake_for(ctx, call, Asker::Compose).await.map_err(retold)
}

async fn bake_for<W: World>(ctx: &Ctx<W>, call: &Invocation, asker: Asker) -> Result<i32> {
    let args = &call.args;
    if args.positionals.first().is_some_and(|word| is_remote(word)) {
        return Err(wrong("bake files at an address are not supported: clone the repository and bake there"));
    }
    let asks = super::options::call_of(asked(call)).map_err(words::plain)?;
    let rights = rights::Rights::parse(args.values("allow")).map_err(|e| wrong(&e))?;
    if args.flag("print") && !args.value("list").unwrap_or("").is_empty() {
        return Err(wrong("--print and --list are mutually exclusive"));
    }
    let list = match args.value("list").filter(|list| !list.is_empty()) {
        Some(list) => Some(List::parse(list)),
        None if args.flag("list-targets") => Some(Ok(List { variables: false, json: false })),
        None if args.flag("list-variables") => Some(Ok(List { variables: true, json: false })),
        None => None,
    };
    let mode = mode(ctx, args.value("progress").unwrap_or("auto"))?;
    let looks = args.flag("print") || list.is_some() || asker == Asker::Compose;
    let board = if looks { Board::untitled(ctx, mode) } else { Board::new(ctx, mode) };
    let files = read::files(ctx, call, &board).await?;
    if files.is_empty() {
        board.finish().await;
        return Err(wrong("couldn't find a bake definition"));
    }
    let (config, variables) = read::load(ctx, &files, &board).await?;
    if let Some(list) = list {
        board.finish().await;
        ctx.print(list.map_err(|e| wrong(&e))?.of(&config, &variables)).await;
        return Ok(0);
    }
    let names = match args.positionals.is_empty() {
        true => vec!["default".to_string()],
        false => args.positionals.clone(),
    };
    let env = |name: &str| ctx.client.env(name);
    let plan = config.plan(&names, &sets(call), &env);
    let mut plan = match plan {
        Ok(plan) => plan,
        Err(error) => {
            board.finish().await;
            return Err(wrong(&error.to_string()));
        }
    };
    words::complete(ctx, &mut plan).await?;
    if args.flag("print") {
        board.finish().await;
        ctx.print(pretty(&plan.to_json())).await;
        return Ok(0);
    }
    rights.ask(ctx, &plan, call).await?;
    build(ctx, call, &plan, &board, asks, asker).await
}

/// An error of the command itself.
fn wrong(text: &str) -> Error {
    Error::Client(format!("ERROR: {text}"))
}

fn is_remote(word: &str) -> bool {
    word.contains("://") && !word.starts_with("cwd://") || word.starts_with("git@") || word.starts_with("github.com/")
}

fn asked(call: &Invocation) -> Option<&str> {
    if call.args.flag("check") { Some("check") } else { call.args.value("call") }
}

/// What the flags say, as `--set` would.
fn sets(call: &Invocation) -> Vec<String> {
    let args = &call.args;
    let mut sets = args.values("set").to_vec();
    for flag in ["push", "load"] {
        sets.extend(args.flag(flag).then(|| format!("*.{flag}=true")));
    }
    if let Some(asked) = asked(call).map(|a| a.split(',').next().unwrap_or(a)).filter(|a| !matches!(*a, "build" | "")) {
        sets.push(format!("*.call={}", if asked == "check" { "lint" } else { asked }));
    }
    for flag in ["no-cache", "pull"] {
        sets.extend(args.given(flag).then(|| format!("*.{flag}={}", args.flag(flag))));
    }
    for flag in ["sbom", "provenance"] {
        if let Some(value) = args.value(flag).filter(|v| !v.is_empty()) {
            let value = match value {
                "true" | "1" => "disabled=false".to_string(),
                "false" | "0" => "disabled=true".to_string(),
                value => value.to_string(),
            };
            sets.push(format!("*.attest=type={flag},{value}"));
        }
    }
    sets
}

fn mode<W: World>(ctx: &Ctx<W>, word: &str) -> Result<ProgressMode> {
    Ok(match word {
        "quiet" => ProgressMode::Quiet,
        "plain" => ProgressMode::Plain,
        "rawjson" => ProgressMode::RawJson,
        "tty" => ProgressMode::Tty,
        "auto" if ctx.client.is_tty(Stream::Err) => ProgressMode::Tty,
        "auto" => ProgressMode::Plain,
        other => return Err(wrong(&format!("invalid progress type: {other}"))),
    })
}

/// Builds, or asks, target by target.
async fn build<W: World>(
    ctx: &Ctx<W>,
    call: &Invocation,
    plan: &Plan,
    board: &Board<'_, W>,
    asks: (Option<Call>, bool, bool),
    asker: Asker,
) -> Result<i32> {
    let mut options: BTreeMap<&str, Options> = BTreeMap::new();
    for (name, target) in &plan.targets {
        options.insert(name, words::options(ctx, call, target)?);
    }
    let mut inputs: BTreeMap<String, ImageRecord> = BTreeMap::new();
    let (mut told, mut answers) = (Map::new(), Vec::new());
    for name in order(plan) {
        let Some(options) = options.get_mut(name) else { continue };
        options.inputs = inputs.clone();
        options.call_json = asks.1;
        let board = if plan.targets.len() > 1 { board.of_target(name) } else { board.of_one() };
        let lead = if plan.targets.len() > 1 { format!("target {name}: ") } else { String::new() };
        options.open_agents(ctx).await.map_err(words::plain)?;
        let failure = match options.call {
            Some(asked) => match question::answer(ctx, options, asked, &board).await {
                Ok(question::Answer { text, error, status }) => {
                    let error = error.map_or_else(String::new, |error| format!("error: {error}\n"));
                    inputs.insert(format!("target:{name}"), empty_image(ctx));
                    answers.push((name, text + &error, if asks.2 { 0 } else { status }));
                    continue;
                }
                Err(failure) => failure,
            },
            None => match solve::solve(ctx, options, &board).await {
                Ok(solved) => {
                    told.insert(name.to_string(), export::metadata(solved.told));
                    inputs.insert(format!("target:{name}"), solved.image);
                    continue;
                }
                Err(failure) => failure,
            },
        };
        board.finish().await;
        if asker == Asker::Compose {
            ctx.warn(board.failure_block()).await;
            return Err(Error::Client(failure.text_in_compose(&lead)));
        }
        ctx.warn(failure.text_after(&board, &lead)).await;
        return Err(Error::Status(failure.status()));
    }
    board.finish().await;
    if asker == Asker::Person {
        ctx.warn(board.warning_summary()).await;
    }
    if let Some(path) = call.args.value("metadata-file").filter(|path| !path.is_empty()) {
        let text = serde_json::to_string_pretty(&Value::Object(told)).unwrap_or_default();
        ctx.client.write_file(path, text.as_bytes(), 0o644).await?;
    }
    answer(ctx, plan, answers, asks.1).await
}

/// The targets, each after those that it has as contexts.
fn order(plan: &Plan) -> Vec<&str> {
    let mut done: Vec<&str> = Vec::new();
    while done.len() < plan.targets.len() {
        let ready = |target: &crate::bake::Target| target.links().all(|link| done.contains(&link));
        let next = plan.targets.iter().find(|(name, target)| !done.contains(&name.as_str()) && ready(target));
        match next {
            Some((name, _)) => done.push(name),
            None => break,
        }
    }
    done
}

/// What `--call` has found out, by target.
async fn answer<W: World>(
    ctx: &Ctx<W>,
    plan: &Plan,
    mut answers: Vec<(&str, String, i32)>,
    as_json: bool,
) -> Result<i32> {
    answers.sort();
    let status = answers.iter().map(|(.., status)| *status).find(|status| *status != 0).unwrap_or(0);
    if as_json {
        let mut made = Map::new();
        if !plan.groups.is_empty() {
            made.insert("group".into(), plan.groups_json());
        }
        let mut targets = Map::new();
        for (name, target) in &plan.targets {
            let mut one = Map::from_iter([("build".to_string(), target.to_json())]);
            if let Some((_, text, _)) = answers.iter().find(|(known, ..)| known == name) {
                let asked = match target.text("call") {
                    Some("lint") | None => "check",
                    Some(other) => other,
                };
                one.insert(asked.to_string(), serde_json::from_str(text).unwrap_or(json!({})));
            }
            targets.insert(name.clone(), Value::Object(one));
        }
        made.insert("target".into(), Value::Object(targets));
        ctx.print(pretty(&Value::Object(made))).await;
        return Ok(status);
    }
    for (index, (name, text, _)) in answers.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        let about = plan.targets[*name].description.as_str();
        let about = if about.is_empty() { String::new() } else { format!("{about}\n") };
        ctx.print(format!("{gap}{name}\n{about}\n{text}")).await;
    }
    Ok(status)
}
