//! The builder of before BuildKit, `DOCKER_BUILDKIT=0`: every instruction makes an image upon the last one.

use super::board::{Board, ProgressMode};
use super::context;
use super::failure::Failure;
use super::options::Options;
use super::plan::{Build, base_name};
use super::stage::Stage;
use crate::build::before;
use crate::dockerfile::{Copying, Instruction, Located, Source};
use crate::engine::image::{create_image, tag_image};
use crate::engine::{Ctx, Error, Result};
use crate::image::{HistoryEntry, ImageRecord};
use crate::name::Digest;
use crate::view::units;
use crate::world::World;
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
        Err(failure) => Err(Error::Client(failure.message().to_string())),
    }
}

async fn go<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> std::result::Result<(), Failure> {
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
    let daemon = |failure: Failure| Failure::plain(format!("Error response from daemon: {}", failure.message()));
    let mut build = Build::plan(ctx, options, board, source).await.map_err(daemon)?;
    build.tree = tree;
    let build = build;
    let (file, target) = (&build.file, build.target);
    let total = file.args.len() + (0..=target).map(|i| 1 + file.stages[i].instructions.len()).sum::<usize>();
    let mut number = file.args.len();
    for (i, arg) in file.args.iter().enumerate() {
        told(format!("Step {}/{total} : {}\n", i + 1, arg.text)).await;
    }
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
            let (made, cached) = step(&build, &mut stage, instruction, image.as_ref()).await?;
            let lone = matches!(instruction.instruction, Instruction::Copy(_) | Instruction::Add(_));
            if cached {
                told(" ---> Using cache\n".into()).await;
            } else if !lone {
                let id = &ctx.new_id()[..12];
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
        return Err(daemon(Failure::plain("No image was generated. Is your Dockerfile empty?")));
    };
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

/// Does one instruction; the image that it makes, and whether that was there already.
async fn step<W: World>(
    build: &Build<'_, W>,
    stage: &mut Stage,
    located: &Located,
    parent: Option<&ImageRecord>,
) -> std::result::Result<(ImageRecord, bool), Failure> {
    let layers = stage.layers.len();
    let argv = match &located.instruction {
        Instruction::Run(step) => Some(stage.applying.words(&step.command)),
        _ => None,
    };
    build.instruction(stage, located).await.map_err(|failure| {
        match (&argv, failure.message().rsplit_once("exit code: ")) {
            (Some(argv), Some((_, code))) => {
                Failure::plain(format!("The command '{}' returned a non-zero code: {code}", argv.join(" ")))
            }
            _ => failure,
        }
    })?;
    let created_by = created_by(stage, located, argv);
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
fn created_by(stage: &Stage, located: &Located, argv: Option<Vec<String>>) -> String {
    let copied = |name: &str, copying: &Copying| {
        let sources = copying.sources.iter().map(|source| match source {
            Source::Path(path) => path.as_str(),
            Source::Inline(heredoc) => heredoc.name.as_str(),
        });
        let digest = stage.layers.last().map_or_else(String::new, |l| l.diff_id.hex());
        let kind = if sources.clone().count() == 1 { "file" } else { "multi" };
        format!("/bin/sh -c #(nop) {name} {kind}:{digest} in {} ", copying.target)
    };
    match &located.instruction {
        Instruction::Run(_) => argv.unwrap_or_default().join(" "),
        Instruction::Copy(copying) => copied("COPY", copying),
        Instruction::Add(copying) => copied("ADD", copying),
        _ => {
            let told = stage.history.last().map_or("", |h| h.created_by.as_str());
            format!("/bin/sh -c #(nop)  {told}")
        }
    }
}
