//! The end of a build: an image with its names, or files.

use super::failure::Failure;
use super::options::{Options, failed};
use super::plan::Build;
use super::stage::{COMMENT, Stage};
use crate::build::{Contents, Tree, dated};
use crate::engine::Ctx;
use crate::engine::image::{archive_of, create_image, image_event, push_quietly, remove_image, tag_image};
use crate::image::ImageRecord;
use crate::layer::{EntryKind, entries};
use crate::name::{Digest, Reference};
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Value, json};

/// What a build tells of its result, by name: `--metadata-file` writes it. Files have no digests.
pub type Told = BTreeMap<String, Value>;

/// Under this an image's id is told.
const CONFIG_DIGEST: &str = "containerimage.config.digest";

/// Makes the result of the target's stage; its id, and what is told of it.
pub async fn finish<W: World>(build: &Build<'_, W>, stage: Stage) -> Result<(Digest, Told), Failure> {
    let image = image_of(build, &stage);
    let output = build.options.output.as_ref();
    let kind = output.map(|o| (o["type"].as_str(), o.get("dest")));
    if let Some((kind @ ("local" | "tar"), Some(dest))) = kind {
        write_files(build, &stage, kind, dest).await?;
    }
    match kind {
        Some(("local" | "tar", Some(_)) | ("cacheonly", _)) => {
            return Ok((Digest::of(&crate::image::wire::ConfigFile::of(&image).to_bytes()), Told::new()));
        }
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
    Ok((image.id, told(build.options, &image.id, image.id)))
}

/// What is told of an image: for one in the store its id is its digest, too.
fn told(options: &Options, id: &Digest, digest: Digest) -> Told {
    let mut told = Told::new();
    told.insert(CONFIG_DIGEST.into(), json!(id));
    told.insert("containerimage.digest".into(), json!(digest));
    if !options.tags.is_empty() {
        let names: Vec<String> = options.tags.iter().map(|t| t.clone().with_default_tag().to_string()).collect();
        told.insert("image.name".into(), json!(names.join(",")));
    }
    told
}

/// The image's id, as far as an image came of it.
pub fn id_of(told: &Told) -> &str {
    told.get(CONFIG_DIGEST).and_then(Value::as_str).unwrap_or("")
}

/// What was told, as `--metadata-file` has it.
pub fn metadata(told: Told) -> Value {
    Value::Object(told.into_iter().collect())
}

/// `--iidfile` and `--metadata-file`.
pub async fn write_told<W: World>(ctx: &Ctx<W>, options: &Options, told: Told) -> crate::engine::Result<()> {
    let write =
        async |path: &str, text: &str, lead: &str| match ctx.client.write_file(path, text.as_bytes(), 0o644).await {
            Ok(()) => Ok(()),
            Err(fault) => {
                let reason = fault.number().map_or_else(|| fault.to_string(), |errno| errno.text().to_lowercase());
                Err(failed(&format!("{lead}open {path}: {reason}")))
            }
        };
    if let Some(path) = &options.iidfile {
        write(path, id_of(&told), "writing image ID file: ").await?;
    }
    if let Some(path) = &options.metadata_file {
        let text = serde_json::to_string_pretty(&metadata(told)).unwrap_or_default();
        write(path, &text, "").await?;
    }
    Ok(())
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
) -> Result<(Digest, Told), Failure> {
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
    let mut descriptor = manifest_of(&archive);
    descriptor["annotations"] =
        json!({ "org.opencontainers.image.created": crate::view::units::rfc3339_seconds(ctx.world().now()) });
    let digest = descriptor["digest"].as_str().and_then(Digest::parse).unwrap_or(image.id);
    let mut told = told(build.options, &image.id, digest);
    told.insert("containerimage.descriptor".into(), descriptor);
    Ok((image.id, told))
}

/// The row of an archive's `index.json` for the one image that is in it.
fn manifest_of(archive: &[u8]) -> Value {
    let index =
        entries("archive", archive).unwrap_or_default().into_iter().find(|(entry, _)| entry.path == "index.json");
    let index: Value = index.and_then(|(_, bytes)| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    index["manifests"][0].clone()
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
            for (entry, contents) in Tree::from_entries(entries("the stage's files", &tar)?).files.values() {
                let Contents::Bytes(data) = contents else { continue };
                let path = format!("{}/{}", folder.trim_end_matches('/'), entry.path);
                match &entry.kind {
                    _ if entry.path.is_empty() => {}
                    EntryKind::Directory => {
                        client.make_directory(&path, entry.mode).await.ok();
                    }
                    EntryKind::Symlink(to) => {
                        client.remove_file(&path).await.ok();
                        client.make_symlink(to, &path).await?;
                    }
                    // What an earlier build left there may be a link to somewhere else.
                    EntryKind::File => {
                        client.remove_file(&path).await.ok();
                        client.write_file(&path, data, entry.mode).await?;
                    }
                    _ => {}
                }
            }
        }
    }
    build.board.note(vertex, &format!("copying files {size}")).await;
    build.board.done(vertex).await;
    Ok(())
}
