//! The end of a build: an image with its names, or files.

use super::failure::Failure;
use super::options::Options;
use super::plan::Build;
use super::stage::{COMMENT, Stage};
use crate::build::dated;
use crate::engine::image::{archive_of, create_image, image_event, push_quietly, remove_image, tag_image};
use crate::image::ImageRecord;
use crate::layer::{EntryKind, entries};
use crate::name::{Digest, Reference};
use crate::world::World;

/// Makes the result of the target's stage.
pub async fn finish<W: World>(build: &Build<'_, W>, stage: Stage) -> Result<Digest, Failure> {
    let image = image_of(build, &stage);
    let output = build.options.output.as_ref();
    match output.map(|o| (o["type"].as_str(), o.get("dest"))) {
        Some((kind @ ("local" | "tar"), Some(dest))) => {
            write_files(build, &stage, kind, dest).await?;
            return Ok(Digest::of(&crate::image::wire::ConfigFile::of(&image).to_bytes()));
        }
        Some(("cacheonly", _)) => return Ok(Digest::of(&crate::image::wire::ConfigFile::of(&image).to_bytes())),
        Some((kind @ ("oci" | "docker"), Some(dest))) => return write_archive(build, image, kind, dest).await,
        _ => {}
    }
    let board = build.board;
    let vertex = board.begin("exporting to image").await;
    board.note(vertex, "exporting layers").await;
    let image = create_image(build.ctx, image).await?;
    board.note(vertex, &format!("writing image {}", image.id)).await;
    for tag in &build.options.tags {
        let name = tag.clone().with_default_tag();
        tag_image(build.ctx, &name, &image.id)?;
        image_event(build.ctx, "tag", &image.id.to_string(), &name.familiar());
        board.note(vertex, &format!("naming to {tag}")).await;
    }
    board.done(vertex).await;
    if build.options.push {
        for tag in &build.options.tags {
            push_quietly(build.ctx, &tag.clone().with_default_tag()).await?;
        }
    }
    let client = &build.ctx.client;
    if let Some(path) = &build.options.iidfile {
        client.write_file(path, image.id.to_string().as_bytes(), 0o644).await?;
    }
    if let Some(path) = &build.options.metadata_file {
        let text = serde_json::to_string_pretty(&metadata(build.options, &image.id)).unwrap_or_default();
        client.write_file(path, text.as_bytes(), 0o644).await?;
    }
    Ok(image.id)
}

/// What `--metadata-file` tells of an image.
pub fn metadata(options: &Options, id: &Digest) -> serde_json::Value {
    let mut metadata = serde_json::json!({ "containerimage.config.digest": id, "containerimage.digest": id });
    if !options.tags.is_empty() {
        let names: Vec<String> = options.tags.iter().map(|t| t.clone().with_default_tag().to_string()).collect();
        metadata["image.name"] = serde_json::json!(names.join(","));
    }
    metadata
}

/// The image that the target's stage is.
pub fn image_of<W: World>(build: &Build<'_, W>, stage: &Stage) -> ImageRecord {
    let mut config = stage.applying.config.clone();
    if !build.options.labels.is_empty() {
        let labels = build.options.labels.iter().map(|(k, v)| (k.clone(), v.clone()));
        config.labels.get_or_insert_default().extend(labels);
    }
    let history = dated(stage.history.clone(), &stage.times);
    ImageRecord {
        id: Digest::of(b""),
        created: history.last().and_then(|entry| entry.created),
        author: stage.applying.author.clone().unwrap_or_else(|| stage.base_author.clone()),
        architecture: stage.platform.architecture.clone(),
        os: stage.platform.os.clone(),
        variant: stage.platform.variant.clone(),
        config,
        layers: stage.layers.clone(),
        comment: history.last().map_or_else(|| COMMENT.to_string(), |entry| entry.comment.clone()),
        history,
        parent: None,
        last_tagged: None,
    }
}

/// `--output type=docker,dest=file`, and `oci`: the image as an archive, and not in the store.
async fn write_archive<W: World>(
    build: &Build<'_, W>,
    image: ImageRecord,
    kind: &str,
    dest: &str,
) -> Result<Digest, Failure> {
    let (ctx, board) = (build.ctx, build.board);
    let vertex = board.begin(&format!("exporting to {kind} image format")).await;
    board.note(vertex, "exporting layers").await;
    let known = ctx.world().list::<ImageRecord>()?;
    let image = create_image(ctx, image).await?;
    let names: Vec<Reference> = build.options.tags.iter().map(|t| t.clone().with_default_tag()).collect();
    let archive = archive_of(ctx, &image, &names).await;
    // It was in the store only to be packed, unless it has been there before.
    if !known.iter().any(|other| other.id == image.id) {
        remove_image(ctx, &image.id.to_string(), true, false).await?;
    }
    let archive = archive?;
    board.note(vertex, &format!("exporting config {}", image.id)).await;
    match dest {
        "-" => ctx.print(&archive).await,
        path => ctx.client.write_file(path, &archive, 0o644).await?,
    }
    board.note(vertex, "sending tarball").await;
    board.done(vertex).await;
    Ok(image.id)
}

/// `--output`: the files of the last stage, in a folder or as a tar.
async fn write_files<W: World>(build: &Build<'_, W>, stage: &Stage, kind: &str, target: &str) -> Result<(), Failure> {
    let vertex = build
        .board
        .begin(if kind == "tar" { "exporting to client tarball" } else { "exporting to client directory" })
        .await;
    let snapshot = build.prepare_over(stage.chains()).await?;
    let tar = build.ctx.world().export_tree(&snapshot, "/").await;
    build.discard(snapshot).await?;
    let tar = tar?;
    let client = &build.ctx.client;
    let size = crate::view::units::short_size(tar.len() as u64);
    match (kind, target) {
        ("tar", "-") => build.ctx.print(&tar).await,
        ("tar", path) => client.write_file(path, &tar, 0o644).await?,
        (_, folder) => {
            client.make_directory(folder, 0o755).await.ok();
            for (entry, data) in entries("the stage's files", &tar)? {
                let path = format!("{}/{}", folder.trim_end_matches('/'), entry.path);
                match &entry.kind {
                    _ if entry.path.is_empty() => {}
                    EntryKind::Directory => {
                        client.make_directory(&path, entry.mode).await.ok();
                    }
                    EntryKind::Symlink(to) => client.make_symlink(to, &path).await?,
                    EntryKind::File => client.write_file(&path, &data, entry.mode).await?,
                    _ => {}
                }
            }
        }
    }
    build.board.note(vertex, &format!("copying files {size}")).await;
    build.board.done(vertex).await;
    Ok(())
}
