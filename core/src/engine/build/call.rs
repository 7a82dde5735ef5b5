//! `--call`: questions about a Dockerfile instead of a build: its checks, its targets, and what a target takes.

use super::board::Board;
use super::context::{self, Context, Source};
use super::failure::Failure;
use super::lint;
use super::options::{Call, Options};
use super::plan::{Build, Plan};
use super::solve::{tell_definition, text_warnings};
use crate::dockerfile::{Dockerfile, Instruction, Located, MountKind, excerpt, expand};
use crate::engine::Ctx;
use crate::view::table::align;
use crate::world::World;
use base64::Engine;
use serde_json::{Value, json};

/// An answer: what to print, what is wrong with the Dockerfile, and the exit status.
pub struct Answer {
    pub text: String,
    pub error: Option<String>,
    pub status: i32,
}

/// Answers a question about the Dockerfile.
pub async fn answer<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    call: Call,
    board: &Board<'_, W>,
) -> Result<Answer, Failure> {
    let (context, source) = context::load(ctx, options, board).await?;
    if let Some(vertex) = tell_definition(ctx, board, &source).await? {
        board.done(vertex).await;
    }
    let json = options.call_json;
    let text = match call {
        Call::Check => return check(ctx, options, board, (context, source)).await,
        Call::Targets => {
            let file = Dockerfile::parse(&source.text).map_err(|error| Failure::parse(&error, &source))?;
            if json { pretty(&targets_json(&file)) } else { targets(&file) }
        }
        Call::Outline => {
            let plan = Plan::of(ctx, options, &source)?;
            let outline = Outline::of(&plan, options);
            if json { pretty(&outline.json(&plan)) } else { outline.text(&plan) }
        }
    };
    Ok(Answer { text, error: None, status: 0 })
}

/// `--check`: what is questionable, and the first thing that is wrong, as far as that shows without building.
async fn check<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    board: &Board<'_, W>,
    (context, source): (Context, Source),
) -> Result<Answer, Failure> {
    let mut warnings = text_warnings(ctx, options, &source).unwrap_or_default();
    let shown = Source { text: source.text.clone(), name: name_of(options), local: source.local };
    let wrong = match Build::plan(ctx, options, board, source).await {
        Err(failure) => Some(failure),
        Ok(mut build) => {
            build.take_ignore(&context).await?;
            let asked = build.asked()?;
            let (found, wrong) = build.rehearse();
            warnings = asked.keep([warnings, found].concat());
            wrong.map(|error| Failure::parse(&error, &build.source))
        }
    };
    if let Some(failure) = wrong.as_ref().filter(|failure| !failure.is_solving()) {
        return Err(failure.clone());
    }
    let text = match (options.call_json, warnings.is_empty()) {
        (true, _) => pretty(&findings(&warnings, wrong.as_ref(), &shown)),
        (false, true) if wrong.is_none() => "Check complete, no warnings found.\n".to_string(),
        (false, true) => String::new(),
        (false, false) => lint::report(&warnings, &shown, &shown.name) + if wrong.is_some() { "\n" } else { "" },
    };
    let status = i32::from(!warnings.is_empty() || wrong.is_some());
    let error = wrong.map(|failure| {
        let (first, last) = failure.lines().unwrap_or((0, 0));
        format!("{}\n{}", failure.message(), excerpt(&shown.name, &shown.text, first, last))
    });
    let status = if options.call_ignores_status && error.is_none() { 0 } else { status };
    Ok(Answer { text, error, status })
}

/// The Dockerfile as the command line names it.
fn name_of(options: &Options) -> String {
    match options.file.as_deref() {
        Some("-") => "stdin".to_string(),
        Some(file) => file.to_string(),
        None => match options.context.as_str() {
            "." | "" => "Dockerfile".to_string(),
            context => format!("{}/Dockerfile", context.trim_start_matches("./").trim_end_matches('/')),
        },
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn lines(first: usize, last: usize) -> Value {
    json!({ "ranges": [{ "start": { "line": first }, "end": { "line": last } }] })
}

fn findings(warnings: &[lint::Warning], wrong: Option<&Failure>, source: &Source) -> Value {
    let row = |w: &lint::Warning| {
        let mut row = json!({ "ruleName": w.rule, "description": lint::description(w.rule) });
        if let Some(address) = lint::address(w.rule) {
            row["url"] = json!(address);
        }
        (row["detail"], row["location"]) = (json!(w.text), lines(w.line, w.last));
        row
    };
    let data = base64::engine::general_purpose::STANDARD.encode(&source.text);
    let mut told = json!({
        "warnings": (!warnings.is_empty()).then(|| warnings.iter().map(row).collect::<Vec<_>>()),
        "sources": [{ "filename": source.name.rsplit('/').next(), "data": data, "language": "Dockerfile" }],
    });
    if let Some(failure) = wrong {
        let at = failure.lines().map_or_else(|| json!({}), |(first, last)| lines(first, last));
        told["buildError"] = json!({ "message": failure.message(), "location": at });
    }
    told
}

fn targets(file: &Dockerfile) -> String {
    let mut rows = vec!["TARGET\tDESCRIPTION".to_string()];
    for (index, stage) in file.stages.iter().enumerate() {
        let default = index + 1 == file.stages.len();
        let name = match (&stage.name, default) {
            (Some(name), true) => format!("{name} (default)"),
            (Some(name), false) => name.clone(),
            (None, true) => "(default)".into(),
            (None, false) => String::new(),
        };
        rows.push(format!("{name}\t{}", stage.comment()));
    }
    align(&rows.join("\n"), 0, 1) + "\n"
}

fn targets_json(file: &Dockerfile) -> Value {
    let rows = file.stages.iter().enumerate().map(|(index, stage)| {
        let mut row = json!({ "base": stage.base, "location": lines(stage.first, stage.last) });
        if let Some(name) = &stage.name {
            row["name"] = json!(name);
        }
        if !stage.comment().is_empty() {
            row["description"] = json!(stage.comment());
        }
        if index + 1 == file.stages.len() {
            row["default"] = json!(true);
        }
        row
    });
    json!({ "targets": rows.collect::<Vec<_>>() })
}

/// What a target takes from the command line.
#[derive(Default)]
struct Outline {
    /// Name, value, description and line.
    args: Vec<(String, String, String, usize)>,
    /// Name, whether it is required, and line.
    secrets: Vec<(String, bool, usize)>,
    ssh: Vec<(String, bool, usize)>,
}

impl Outline {
    fn of(plan: &Plan, options: &Options) -> Outline {
        let mut outline = Outline::default();
        for located in &plan.file.args {
            let used = |name: &str| plan.wanted.iter().any(|i| names(&plan.file.stages[*i].base, name));
            outline.declare(located, plan, options, used);
        }
        for located in plan.wanted.iter().flat_map(|i| &plan.file.stages[*i].instructions) {
            outline.declare(located, plan, options, |_| true);
            let Instruction::Run(step) = &located.instruction else { continue };
            for mount in step.mounts.iter().filter_map(|mount| mount.unexpanded()) {
                let (list, id, required) = match mount.kind {
                    MountKind::Secret { id, required, .. } => (&mut outline.secrets, id, required),
                    MountKind::Ssh { id, required } => (&mut outline.ssh, id, required),
                    _ => continue,
                };
                if !list.iter().any(|(known, _, _)| *known == id) {
                    list.push((id, required, located.first));
                }
            }
        }
        outline
    }

    fn declare(&mut self, located: &Located, plan: &Plan, options: &Options, used: impl Fn(&str) -> bool) {
        let Instruction::Arg(args) = &located.instruction else { return };
        for (name, default) in args {
            if !used(name) || self.args.iter().any(|(known, ..)| known == name) {
                continue;
            }
            let expanded = default.as_ref().map(|text| expand(text, &plan.globals, plan.file.escape));
            let value = options.build_args.get(name).cloned().or(expanded.and_then(Result::ok));
            let value = value.or_else(|| plan.globals.get(name).cloned()).unwrap_or_default();
            let comment = crate::dockerfile::comment_of(&located.comments, name);
            self.args.push((name.clone(), value, comment, located.first));
        }
    }

    fn text(&self, plan: &Plan) -> String {
        let stage = &plan.file.stages[plan.target];
        let mut text = String::new();
        if stage.name.is_some() || !stage.comment().is_empty() {
            let name = stage.name.as_deref().unwrap_or("(default)");
            let mut rows = format!("TARGET:\t{name}");
            if !stage.comment().is_empty() {
                rows.push_str(&format!("\nDESCRIPTION:\t{}", stage.comment()));
            }
            text.push_str(&format!("{}\n\n", align(&rows, 0, 1)));
        }
        let table = |head: &str, rows: Vec<String>| match rows.is_empty() {
            true => String::new(),
            false => format!("{}\n\n", align(&format!("{head}\n{}", rows.join("\n")), 0, 3)),
        };
        let args = self.args.iter().map(|(name, value, comment, _)| format!("{name}\t{value}\t{comment}"));
        text.push_str(&table("BUILD ARG\tVALUE\tDESCRIPTION", args.collect()));
        for (head, list) in [("SECRET\tREQUIRED", &self.secrets), ("SSH\tREQUIRED", &self.ssh)] {
            let rows =
                list.iter().map(|(name, required, _)| format!("{name}\t{}", if *required { "true" } else { "" }));
            text.push_str(&table(head, rows.collect()));
        }
        text
    }

    fn json(&self, plan: &Plan) -> Value {
        let stage = &plan.file.stages[plan.target];
        let args = self.args.iter().map(|(name, value, comment, line)| {
            json!({ "name": name, "value": value, "description": comment, "location": lines(*line, *line) })
        });
        let needs = |list: &[(String, bool, usize)]| {
            let row = |(name, required, line): &(String, bool, usize)| json!({ "name": name, "required": required, "location": lines(*line, *line) });
            list.iter().map(row).collect::<Vec<_>>()
        };
        json!({
            "name": stage.name.as_deref().unwrap_or(""), "description": stage.comment(), "args": args.collect::<Vec<_>>(),
            "secrets": needs(&self.secrets), "ssh": needs(&self.ssh),
        })
    }
}

/// Whether a text names the variable.
fn names(text: &str, name: &str) -> bool {
    [format!("${name}"), format!("${{{name}}}"), format!("${{{name}:")].iter().any(|form| text.contains(form.as_str()))
}
