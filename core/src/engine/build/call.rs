//! `--call`: questions about a Dockerfile instead of a build: its checks, its targets, and what a target takes.

use super::board::Board;
use super::context;
use super::failure::Failure;
use super::lint::{self, Begins};
use super::options::{Call, Options};
use super::plan::{Plan, base_name};
use super::solve::tell_definition;
use crate::build::before;
use crate::dockerfile::{Dockerfile, Instruction, Located, MountKind, expand};
use crate::engine::Ctx;
use crate::engine::image::lookup;
use crate::view::table::align;
use crate::world::World;
use serde_json::{Value, json};

/// Answers; what to print, and the exit status.
pub async fn answer<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    call: Call,
    board: &Board<'_, W>,
) -> Result<(String, i32), Failure> {
    let (_, source) = context::load(ctx, options, board).await?;
    let (_, warnings) = tell_definition(ctx, options, board, &source).await?;
    let plan = Plan::of(ctx, options, &source)?;
    let asked = lint::asked(&plan.file, options.build_args.get("BUILDKIT_DOCKERFILE_CHECK")).map_err(Failure::solve)?;
    let json = options.call_json;
    Ok(match call {
        Call::Check => {
            let begins = |index: usize| begins(ctx, &plan, index);
            let stages = if options.target.is_some() { plan.wanted.iter().copied().collect() } else { all(&plan.file) };
            let undefined = lint::undefined(&plan.file, stages, begins);
            let warnings = asked.keep([warnings, undefined].concat());
            let text = if json { pretty(&findings(&warnings)) } else { lint::report(&warnings, &source) };
            (text, i32::from(!warnings.is_empty()))
        }
        Call::Targets if json => (pretty(&targets_json(&plan.file)), 0),
        Call::Targets => (targets(&plan.file), 0),
        Call::Outline => {
            let outline = Outline::of(&plan, options);
            (if json { pretty(&outline.json(&plan)) } else { outline.text(&plan) }, 0)
        }
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn all(file: &Dockerfile) -> Vec<usize> {
    (0..file.stages.len()).collect()
}

/// What a stage begins with, as far as it is known without fetching anything.
fn begins<W: World>(ctx: &Ctx<W>, plan: &Plan, index: usize) -> Begins {
    let Ok(base) = base_name(&plan.file, index, &plan.globals) else { return Begins::Unknown };
    match before(&plan.file, index, &base) {
        Some(earlier) => Begins::Stage(earlier),
        None if base == "scratch" => Begins::Image(Vec::new()),
        None => match lookup(ctx, &base) {
            Ok(Some(image)) => Begins::Image(image.config.env),
            _ => Begins::Unknown,
        },
    }
}

fn lines(first: usize, last: usize) -> Value {
    json!({ "ranges": [{ "start": { "line": first }, "end": { "line": last } }] })
}

fn findings(warnings: &[lint::Warning]) -> Value {
    let row = |w: &lint::Warning| json!({ "ruleName": w.rule, "url": lint::address(w.rule), "detail": w.text, "location": lines(w.line, w.last) });
    json!({ "warnings": warnings.iter().map(row).collect::<Vec<_>>() })
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
        rows.push(format!("{name}\t{}", stage.comment));
    }
    align(&rows.join("\n"), 0, 1) + "\n"
}

fn targets_json(file: &Dockerfile) -> Value {
    let rows = file.stages.iter().enumerate().map(|(index, stage)| {
        let mut row = json!({ "base": stage.base, "location": lines(stage.first, stage.last) });
        if let Some(name) = &stage.name {
            row["name"] = json!(name);
        }
        if !stage.comment.is_empty() {
            row["description"] = json!(stage.comment);
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
            for mount in &step.mounts {
                let (list, id, required) = match &mount.kind {
                    MountKind::Secret { id, required, .. } => (&mut outline.secrets, id, *required),
                    MountKind::Ssh { id, required } => (&mut outline.ssh, id, *required),
                    _ => continue,
                };
                if !list.iter().any(|(known, _, _)| known == id) {
                    list.push((id.clone(), required, located.first));
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
        if stage.name.is_some() || !stage.comment.is_empty() {
            let name = stage.name.as_deref().unwrap_or("(default)");
            let mut rows = format!("TARGET:\t{name}");
            if !stage.comment.is_empty() {
                rows.push_str(&format!("\nDESCRIPTION:\t{}", stage.comment));
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
            "name": stage.name.as_deref().unwrap_or(""), "description": stage.comment, "args": args.collect::<Vec<_>>(),
            "secrets": needs(&self.secrets), "ssh": needs(&self.ssh),
        })
    }
}

/// Whether a text names the variable.
fn names(text: &str, name: &str) -> bool {
    [format!("${name}"), format!("${{{name}}}"), format!("${{{name}:")].iter().any(|form| text.contains(form.as_str()))
}
