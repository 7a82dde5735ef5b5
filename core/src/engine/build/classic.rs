//! The builder of before BuildKit, `DOCKER_BUILDKIT=0`: every instruction makes an image upon the last one.

use super::board::{Board, ProgressMode};
use super::context;
use super::failure::Failure;
use super::options::Options;
use super::plan::{Build, Plan, base_name};
use super::stage::Stage;
use crate::build::before;
use crate::dockerfile::{Copying, Dockerfile, Instruction, Located, Source};
use crate::engine::image::{PullPolicy, create_image, ensure_quietly, tag_image};
use crate::engine::{Ctx, Error, Result};
use crate::image::{HistoryEntry, ImageRecord};
use crate::name::Digest;
use crate::view::units;
use crate::world::{Fault, World};
use cutaway_userland::sorted::Map as BTreeMap;

const DEPRECATED: &str = "DEPRECATED: The legacy builder is deprecated and will be removed in a future release.
            BuildKit is currently disabled; enable it by removing the DOCKER_BUILDKIT=0
            environment-variable.

";

pub async fn build<W: World>(ctx: &Ctx<W>, options: &Options) -> Result<i32> {
    ctx.warn(DEPRECATED).await;
    let board = Board::new(ctx, ProgressMode::Quiet);
    match go(ctx, options, &board).await {
        Ok(()) => Ok(0),
        Err(Refused { message, code: None }) => Err(Error::Client(message)),
        Err(Refused { message, code: Some(code) }) => {
            ctx.warn(format!("{message}\n")).await;
            Err(Error::Status(code))
        }
    }
}

/// Why a build ended early; the code of the command that failed is that of the build.
struct Refused {
    message: String,
    code: Option<i32>,
}

impl Refused {
    fn because(message: impl Into<String>) -> Refused {
        Refused { message: message.into(), code: None }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::because(failure.message())
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Failure::from(error).into()
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Failure::from(fault).into()
    }
}

/// What is wrong with the Dockerfile is found before the first step, and told as the engine's refusal.
fn planned<W: World>(ctx: &Ctx<W>, options: &Options, source: &context::Source) -> std::result::Result<Plan, Refused> {
    if source.text.is_empty() {
        let text = format!("the Dockerfile ({}) cannot be empty", source.name);
        return Err(Refused::because(format!("Error response from daemon: {text}")));
    }
    Plan::of(ctx, options, source).map_err(|failure| {
        let message = match (&options.target, failure.message().starts_with("target stage ")) {
            (Some(target), true) => format!("failed to reach build target {target} in Dockerfile"),
            _ => failure.message().to_string(),
        };
        Refused::because(format!("Error response from daemon: {message}"))
    })
}

/// The labels of the command line are the last steps.
fn labels(options: &Options) -> impl Iterator<Item = Located> {
    options.labels.iter().map(|(name, value)| Located {
        instruction: Instruction::Label(vec![(name.clone(), format!("'{}'", value.replace('\'', "'\"'\"'")))]),
        text: format!("LABEL {name}={value}"),
        comments: Vec::new(),
        first: 0,
        last: 0,
    })
}

/// The build arguments that no `ARG` asks for.
fn unused(options: &Options, file: &Dockerfile) -> Vec<String> {
    let all = file.stages.iter().flat_map(|stage| &stage.instructions).chain(&file.args);
    let asked: Vec<&str> = all
        .filter_map(|located| match &located.instruction {
            Instruction::Arg(pairs) => Some(pairs),
            _ => None,
        })
        .flat_map(|pairs| pairs.iter().map(|(name, _)| name.as_str()))
        .collect();
    let proxy = |name: &str| {
        let lower = name.to_lowercase();
        (name == lower || name == name.to_uppercase())
            && matches!(lower.as_str(), "http_proxy" | "https_proxy" | "ftp_proxy" | "no_proxy" | "all_proxy")
    };
    options.build_args.keys().filter(|name| !asked.contains(&name.as_str()) && !proxy(name)).cloned().collect()
}

async fn go<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> std::result::Result<(), Refused> {
    let (context, source) = context::load(ctx, options, board).await?;
    let (ignore, _) = context.ignore(ctx, &source.name).await?;
    let tree = context.tree(ctx, &ignore).await?;
    let bytes: u64 = tree.files.values().map(|(entry, _)| 512 + entry.size.next_multiple_of(512)).sum();
    let told = |text: String| async move {
        if !options.quiet {
            ctx.print(text).await;
        }
    };
    let sent = units::size(bytes + source.text.len() as u64 + 1024);
    told(format!("Sending build context to Docker daemon  {sent}\n")).await;
    let Plan { mut file, globals, target, .. } = planned(ctx, options, &source)?;
    file.stages[target].instructions.extend(labels(options));
    let total = file.args.len() + (0..=target).map(|i| 1 + file.stages[i].instructions.len()).sum::<usize>();
    let mut number = file.args.len();
    for (i, arg) in file.args.iter().enumerate() {
        told(format!("Step {}/{total} : {}\n", i + 1, arg.text)).await;
    }
    let mut build = match Build::plan(ctx, options, board, source).await {
        Ok(build) => build,
        Err(failure) => {
            told(format!("Step {}/{total} : {}\n", number + 1, file.stages[0].text)).await;
            // What could not be got is told in the words of a pull.
            if let Ok(base) = base_name(&file, 0, &globals) {
                ensure_quietly(ctx, &base, PullPolicy::Missing, options.platform.as_deref()).await?;
            }
            return Err(failure.into());
        }
    };
    build.tree = tree;
    build.file = file;
    let build = build;
    let file = &build.file;
    let mut images: BTreeMap<usize, Option<ImageRecord>> = BTreeMap::new();
    for index in build.wanted.iter().copied() {
        number += 1;
        told(format!("Step {number}/{total} : {}\n", file.stages[index].text)).await;
        let mut stage = build.begin(index).await?;
        let base = base_name(file, index, &build.globals).map_err(|e| Failure::parse(&e, &build.source))?;
        let mut image = match before(file, index, &base) {
            Some(earlier) => images.get(&earlier).cloned().flatten(),
            None => build.bases.get(&base).cloned(),
        };
        told(format!(" ---> {}\n", image.as_ref().map_or(String::new(), |i| i.id.short()))).await;
        for instruction in &file.stages[index].instructions {
            number += 1;
            told(format!("Step {number}/{total} : {}\n", instruction.text)).await;
            let id = &ctx.new_id()[..12];
            let (made, cached) = match step(&build, &mut stage, instruction, image.as_ref()).await {
                Ok(made) => made,
                Err(refused) => {
                    if refused.code.is_some() {
                        told(format!(" ---> Running in {id}\n{}", board.take_log())).await;
                    }
                    return Err(refused);
                }
            };
            let lone = matches!(instruction.instruction, Instruction::Copy(_) | Instruction::Add(_));
            if cached {
                told(" ---> Using cache\n".into()).await;
            } else if !lone {
                told(format!(" ---> Running in {id}\n{} ---> Removed intermediate container {id}\n", board.take_log()))
                    .await;
            }
            told(format!(" ---> {}\n", made.id.short())).await;
            image = Some(made);
        }
        build.shared.finish(index, stage);
        images.insert(index, image);
    }
    let Some(image) = images.get(&target).cloned().flatten() else {
        return Err(Refused::because("No image was generated. Is your Dockerfile empty?"));
    };
    let unused = unused(options, file);
    if !unused.is_empty() {
        told(format!("[Warning] One or more build-args [{}] were not consumed\n", unused.join(" "))).await;
    }
    if options.quiet {
        ctx.print(format!("{}\n", image.id)).await;
    }
    told(format!("Successfully built {}\n", image.id.short())).await;
    for tag in &options.tags {
        let name = tag.clone().with_default_tag();
        tag_image(ctx, &name, &image.id)?;
        told(format!("Successfully tagged {}\n", name.familiar())).await;
    }
    if let Some(path) = &options.iidfile {
        ctx.client.write_file(path, image.id.to_string().as_bytes(), 0o644).await?;
    }
    Ok(())
}

/// What this builder does not do, or what a copy has wrong.
fn check<W: World>(build: &Build<'_, W>, located: &Located) -> std::result::Result<(), Refused> {
    let flag = match &located.instruction {
        Instruction::Run(_) => {
            let word = located.text.split_whitespace().nth(1).and_then(|word| word.strip_prefix("--"));
            word.map(|word| word.split('=').next().unwrap_or(word))
        }
        Instruction::Copy(copying) | Instruction::Add(copying) if copying.chmod.is_some() => Some("chmod"),
        _ => None,
    };
    if let Some(flag) = flag {
        return Err(Refused::because(format!(
            "the --{flag} option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build \
             images with BuildKit enabled"
        )));
    }
    let (Instruction::Copy(copying) | Instruction::Add(copying)) = &located.instruction else { return Ok(()) };
    let name = located.instruction.keyword();
    let found = |source: &Source| match source {
        Source::Path(path) if copying.from.is_none() && !path.contains('$') => {
            build.tree.select(path, false, &[]).is_none_or(|selection| !selection.files.is_empty())
        }
        _ => true,
    };
    if !copying.sources.iter().any(found) {
        return Err(Refused::because(format!("{name} failed: no source files were specified")));
    }
    if copying.sources.len() > 1 && !copying.target.ends_with('/') && !copying.target.contains('$') {
        return Err(Refused::because(format!(
            "When using {name} with more than one source file, the destination must be a directory and end with a /"
        )));
    }
    Ok(())
}

/// A step's failure in the words of this builder.
fn refusal(failure: &Failure, located: &Located, argv: Option<&[String]>) -> Refused {
    let message = failure.message();
    let exit = message.rsplit_once("exit code: ").and_then(|(_, code)| Some((code, code.parse::<i32>().ok()?)));
    if let (Some(argv), Some((code, status))) = (argv, exit) {
        let message = format!("The command '{}' returned a non-zero code: {code}", argv.join(" "));
        return Refused { message, code: Some(status) };
    }
    let missing = message.strip_suffix("\": not found").and_then(|text| text.rsplit_once(": \"/"));
    match (&located.instruction, missing) {
        (Instruction::Copy(copying) | Instruction::Add(copying), Some((_, path))) => {
            let place = if copying.from.is_none() {
                "file not found in build context or excluded by .dockerignore: "
            } else {
                ""
            };
            Refused::because(format!(
                "{} failed: {place}stat {path}: file does not exist",
                located.instruction.keyword()
            ))
        }
        _ => Refused::because(message),
    }
}

/// Does one instruction; the image that it makes, and whether that was there already.
async fn step<W: World>(
    build: &Build<'_, W>,
    stage: &mut Stage,
    located: &Located,
    parent: Option<&ImageRecord>,
) -> std::result::Result<(ImageRecord, bool), Refused> {
    let layers = stage.layers.len();
    let argv = match &located.instruction {
        Instruction::Run(step) => Some(stage.applying.words(&step.command)),
        _ => None,
    };
    check(build, located)?;
    let done = build.instruction(stage, located).await;
    done.map_err(|failure| refusal(&failure, located, argv.as_deref()))?;
    let created_by = created_by(stage, located);
    let now = build.ctx.world().now();
    let mut history = parent.map_or_else(Vec::new, |p| p.history.clone());
    history.push(HistoryEntry {
        created: Some(now),
        created_by: created_by.clone(),
        empty_layer: stage.layers.len() == layers,
        ..HistoryEntry::default()
    });
    let parent_id = parent.map(|p| p.id);
    let image = ImageRecord {
        id: Digest::of(b""),
        created: Some(now),
        author: stage.applying.author.clone().unwrap_or_default(),
        architecture: stage.platform.architecture.clone(),
        os: stage.platform.os.clone(),
        variant: stage.platform.variant.clone(),
        config: stage.applying.config.clone(),
        layers: stage.layers.clone(),
        history,
        parent: parent_id,
        comment: String::new(),
        last_tagged: None,
    };
    let same = |other: &ImageRecord| {
        other.parent == parent_id
            && other.config == image.config
            && other.layers == image.layers
            && other.history.last().is_some_and(|h| h.created_by == created_by)
    };
    let known = build.ctx.world().list::<ImageRecord>()?.into_iter().find(same).filter(|_| !build.options.no_cache);
    match known {
        Some(known) => Ok((known, true)),
        None => Ok((create_image(build.ctx, image).await?, false)),
    }
}

/// As the old builder wrote its history.
fn created_by(stage: &Stage, located: &Located) -> String {
    let copied = |name: &str, copying: &Copying| {
        let sources = copying.sources.iter().map(|source| match source {
            Source::Path(path) => path.as_str(),
            Source::Inline(heredoc) => heredoc.name.as_str(),
        });
        let digest = stage.layers.last().map_or_else(String::new, |l| l.diff_id.hex());
        let kind = if sources.clone().count() == 1 { "file" } else { "multi" };
        format!("/bin/sh -c #(nop) {name} {kind}:{digest} in {} ", copying.target)
    };
    let told = stage.history.last().map_or("", |h| h.created_by.as_str());
    match &located.instruction {
        Instruction::Run(_) => {
            let told = told.strip_prefix("RUN ").unwrap_or(told);
            told.strip_suffix(" # buildkit").unwrap_or(told).to_string()
        }
        Instruction::Workdir(_) => format!("/bin/sh -c #(nop) {told}"),
        Instruction::Healthcheck(_) => format!("/bin/sh -c #(nop)  {}", told.replacen("&{", "{", 1)),
        Instruction::Copy(copying) => copied("COPY", copying),
        Instruction::Add(copying) => copied("ADD", copying),
        _ => format!("/bin/sh -c #(nop)  {told}"),
    }
}
