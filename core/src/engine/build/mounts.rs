//! `RUN --mount`: what a step sees beside its layers, and what is taken away after it.

use super::failure::Failure;
use super::locks::Locks;
use super::options::Secret;
use super::plan::Build;
use super::record::{new_record, note_use};
use super::stage::Stage;
use crate::build::{BuildCacheRecord, CACHE_MOUNT, Selection, joined};
use crate::dockerfile::{Heredoc, Mount, MountKind, Sharing};
use crate::engine::container::StepMount;
use crate::layer::{Entry, TarWriter};
use crate::name::{ChainId, Digest};
use crate::world::acts::{CreateVolume, ImportTree, SeedVolume, SnapshotKey};
use crate::world::{Fault, World};
use cutaway_userland::os::FileKind;

impl<'a, W: World> Prepared<'a, W> {
    pub fn new(locks: Locks<'a, W>) -> Prepared<'a, W> {
        Prepared { mounts: Vec::new(), env: Vec::new(), volumes: Vec::new(), caches: Vec::new(), locks }
    }

    /// The places that are made only to mount on.
    pub fn targets(&self) -> Vec<String> {
        let target = |mount: &StepMount| match mount {
            StepMount::Volume { target, .. } | StepMount::Bind { target, .. } | StepMount::Tmpfs { target, .. } => {
                target.clone()
            }
        };
        self.mounts.iter().map(target).collect()
    }
}

/// What a step needs beside its snapshot.
pub struct Prepared<'a, W: World> {
    pub mounts: Vec<StepMount>,
    pub env: Vec<String>,
    /// Volumes of this step only.
    pub volumes: Vec<String>,
    /// Caches that it uses, by id, and those of them that no other step may use meanwhile.
    pub caches: Vec<String>,
    locks: Locks<'a, W>,
}

/// What a cache begins with.
struct Beginning<'a> {
    from: Option<&'a str>,
    source: String,
    /// Mode, user and group.
    owner: (u32, u32, u32),
}

/// What a cache's folder is without being told.
const PLAIN_OWNER: (u32, u32, u32) = (0o755, 0, 0);

impl<W: World> Build<'_, W> {
    /// Prepares what the step is to see; `to` has what there is of it where that fails, too.
    pub async fn mounts(&self, stage: &Stage, mounts: &[Mount], to: &mut Prepared<'_, W>) -> Result<(), Failure> {
        let mut locked = Vec::new();
        for mount in mounts {
            if let MountKind::Cache { id, sharing: Sharing::Locked, .. } = &mount.kind {
                locked.push(id.clone());
            }
        }
        to.locks.take(self, &locked).await?;
        for (place, mount) in mounts.iter().enumerate() {
            let target = joined(&stage.applying.config.working_dir, &mount.target);
            let read_only = mount.read_only;
            if target == "/" && !matches!(mount.kind, MountKind::Secret { .. } | MountKind::Ssh { .. }) {
                return Err(Failure::solve(format!("invalid mount target {target:?}")));
            }
            match &mount.kind {
                MountKind::Tmpfs { size } => {
                    let options = size.map_or_else(String::new, |n| format!("size={n}"));
                    to.mounts.push(StepMount::Tmpfs { target, options });
                }
                MountKind::Cache { id, sharing, from, source, owner } => {
                    let id = match sharing {
                        Sharing::Private => to.locks.take_own(id.clone())?,
                        Sharing::Shared | Sharing::Locked => id.clone(),
                    };
                    let begins = Beginning { from: from.as_deref(), source: source.clone(), owner: *owner };
                    let making = [format!("make {id}")];
                    self.shared.hold(&making).await;
                    let made = self.cache_volume(&id, &target, begins).await;
                    self.shared.release(&making);
                    let volume = made?;
                    to.caches.push(id);
                    to.mounts.push(StepMount::Volume { volume, subpath: String::new(), target, read_only });
                }
                MountKind::Bind { from, source } => {
                    let (volume, subpath) = self.shown(from.as_deref(), source, &mut to.volumes).await?;
                    to.mounts.push(StepMount::Volume { volume, subpath, target, read_only });
                }
                MountKind::Secret { id, required, env, owner } => {
                    let Some(secret) = self.secret(id).await? else {
                        if *required {
                            return Err(Failure::solve(format!("secret {id}: not found")));
                        }
                        continue;
                    };
                    if let Some(name) = env {
                        to.env.push(format!("{name}={}", String::from_utf8_lossy(&secret)));
                    }
                    if env.is_none() || !mount.target.is_empty() {
                        self.show_secret(&target, &secret, *owner, to).await?;
                    }
                }
                MountKind::Ssh { id, required } => {
                    let agent = self.options.agents.borrow().get(id).cloned();
                    let Some(agent) = agent else {
                        if *required {
                            return Err(Failure::solve(unforwarded(id, !self.options.ssh.is_empty())));
                        }
                        continue;
                    };
                    let default = format!("/run/buildkit/ssh_agent.{place}");
                    let target = if mount.target.is_empty() { default } else { target };
                    to.env.push(format!("SSH_AUTH_SOCK={target}"));
                    to.mounts.push(StepMount::Bind { host: agent.socket(), target, read_only: false });
                }
            }
        }
        Ok(())
    }

    /// The volume of a cache; a new one gets the files it begins with, and its owner.
    async fn cache_volume(&self, id: &str, target: &str, begins: Beginning<'_>) -> Result<String, Failure> {
        let description = format!("cached mount {target} with id {id:?}");
        let kind = CACHE_MOUNT.to_string();
        let new = BuildCacheRecord { description, kind, ..new_record(self.ctx, cache_key(id), Vec::new()) };
        let volume = new.volume().unwrap_or_default();
        if self.ctx.world().get::<BuildCacheRecord>(&new.key.to_string())?.is_some() {
            return Ok(volume);
        }
        let create = CreateVolume { name: volume.clone() };
        self.ctx.act("This folder is kept from one build to the next", create).await?;
        self.ctx.world().put(&new)?;
        let layers = match begins.from {
            Some(from) if from != "scratch" => self.layers_of(from)?,
            _ if begins.owner == PLAIN_OWNER => return Ok(volume),
            _ => Vec::new(),
        };
        let path = joined("/", if begins.source.is_empty() { "cache" } else { &begins.source });
        let mut archive = None;
        if begins.owner != PLAIN_OWNER {
            let (mode, uid, gid) = begins.owner;
            let mut tar = TarWriter::new(Vec::new());
            let entry = Entry { uid, gid, ..Entry::directory(path.trim_start_matches('/'), mode) };
            tar.add_bytes(&entry, b"")?;
            archive = Some(tar.finish()?);
        }
        let snapshot = self.prepare_over(layers).await?;
        let filled = self.fill(&volume, &snapshot, ("/", &path), archive).await;
        self.discard(snapshot).await?;
        filled?;
        Ok(volume)
    }

    /// Notes how large the step's caches have become.
    pub fn note_caches(&self, caches: &[String]) -> Result<(), Failure> {
        let world = self.ctx.world();
        for id in caches {
            let known = world.get::<BuildCacheRecord>(&cache_key(id).to_string())?;
            let Some((volume, record)) = known.and_then(|r| Some((r.volume()?, r))) else { continue };
            let size = world.volume_size(&volume);
            note_use(self.ctx, BuildCacheRecord { size, last_used: world.now(), ..record })?;
        }
        Ok(())
    }

    async fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.options.secrets.get(id) {
            None => Ok(None),
            Some(Secret::Env(name)) => Ok(self.ctx.client.env(name).map(String::into_bytes)),
            Some(Secret::File(path)) => match self.ctx.client.read_file(path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(fault) => Err(Failure::solve(format!("failed to stat {path}: {fault}"))),
            },
        }
    }

    /// A secret is a file in a folder of its own, which goes with the step.
    async fn show_secret(
        &self,
        target: &str,
        secret: &[u8],
        (mode, uid, gid): (u32, u32, u32),
        to: &mut Prepared<'_, W>,
    ) -> Result<(), Failure> {
        let subpath = "secret".to_string();
        let entry = Entry { uid, gid, ..Entry::file(&subpath, mode, 0) };
        let mut tar = TarWriter::new(Vec::new());
        tar.add_bytes(&entry, secret)?;
        let volume = self.seeded(Vec::new(), "/", Some(tar.finish()?), &mut to.volumes).await?;
        to.mounts.push(StepMount::Volume { volume, subpath, target: target.to_string(), read_only: true });
        Ok(())
    }

    /// A here-document as a file that can be run, in a folder of its own.
    pub async fn show_script(&self, folder: &str, script: &Heredoc, to: &mut Prepared<'_, W>) -> Result<(), Failure> {
        let mut tar = TarWriter::new(Vec::new());
        tar.add_bytes(&Entry::file(&script.name, 0o755, 0), script.content.as_bytes())?;
        let volume = self.seeded(Vec::new(), "/", Some(tar.finish()?), &mut to.volumes).await?;
        to.mounts.push(StepMount::Volume {
            volume,
            subpath: String::new(),
            target: folder.to_string(),
            read_only: true,
        });
        Ok(())
    }

    /// A volume with what `--mount=type=bind` shows: a folder, or a file, of a stage, an image or the context; with the
    /// file's name in it.
    async fn shown(
        &self,
        from: Option<&str>,
        source: &str,
        volumes: &mut Vec<String>,
    ) -> Result<(String, String), Failure> {
        let missing = || Failure::solve(format!("failed to compute cache key: {:?}: not found", joined("/", source)));
        let mut tar = TarWriter::new(Vec::new());
        if let Some(from) = from.filter(|from| *from != "scratch") {
            let (layers, path) = (self.layers_of(from)?, joined("/", source));
            let Some(file) = self.lone_file(&layers, &path).await? else {
                return Ok((self.seeded(layers, &path, None, volumes).await?, String::new()));
            };
            return Ok((self.seeded(Vec::new(), "/", Some(file), volumes).await?, base_name(&path)));
        }
        let selection = match from {
            Some(_) => Selection::default(),
            None => self.tree.select(if source.is_empty() { "." } else { source }, false, &[]).ok_or_else(missing)?,
        };
        let lone = selection.files.first().filter(|_| selection.single_file).map(|file| file.to.clone());
        for file in selection.files {
            let bytes = super::context::read(self.ctx, &file.entry, &file.contents).await?;
            tar.add(&Entry { path: file.to, ..file.entry }, bytes.as_ref())?;
        }
        Ok((self.seeded(Vec::new(), "/", Some(tar.finish()?), volumes).await?, lone.unwrap_or_default()))
    }

    /// The file at a path of some layers as an archive; `None` where there is a folder.
    ///
    /// # Errors
    /// Where there is nothing.
    async fn lone_file(&self, layers: &[ChainId], path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let snapshot = self.prepare_over(layers.to_vec()).await?;
        let world = self.ctx.world();
        let found = match world.snapshot_file(&snapshot, path).await {
            Ok(Some(FileKind::Directory)) => Ok(None),
            Ok(Some(_)) => world.export_tree(&snapshot, path).await.map(Some).map_err(Failure::from),
            Ok(None) => Err(Failure::solve(format!("failed to compute cache key: {path:?}: not found"))),
            Err(fault) => Err(fault.into()),
        };
        self.discard(snapshot).await?;
        found
    }

    /// A new volume with the files at a path of some layers, or of an archive.
    async fn seeded(
        &self,
        layers: Vec<ChainId>,
        path: &str,
        archive: Option<Vec<u8>>,
        volumes: &mut Vec<String>,
    ) -> Result<String, Failure> {
        let name = self.ctx.new_id();
        self.ctx
            .act("The step sees these files, and they are not in its layer", CreateVolume { name: name.clone() })
            .await?;
        volumes.push(name.clone());
        let snapshot = self.prepare_over(layers).await?;
        let filled = self.fill(&name, &snapshot, (path, path), archive).await;
        self.discard(snapshot).await?;
        filled?;
        Ok(name)
    }

    /// Puts an archive at one path of a snapshot, and what stands at another into a volume.
    async fn fill(
        &self,
        volume: &str,
        snapshot: &SnapshotKey,
        (at, path): (&str, &str),
        archive: Option<Vec<u8>>,
    ) -> Result<(), Fault> {
        if let Some(tar) = archive {
            let act = ImportTree { key: snapshot.clone(), at: at.to_string(), tar: tar.into() };
            self.ctx.act("The files are put together", act).await?;
        }
        let act = SeedVolume { name: volume.to_string(), key: snapshot.clone(), path: path.to_string() };
        self.ctx.act("The files are shown as they are", act).await
    }
}

fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_string()
}

fn cache_key(id: &str) -> Digest {
    Digest::of(format!("cache mount {id}").as_bytes())
}

/// BuildKit's words where an agent is required and was not given; they differ where there are others.
fn unforwarded(id: &str, others: bool) -> String {
    if others { format!("unset ssh forward key {id}") } else { format!("no SSH key {id:?} forwarded from the client") }
}
