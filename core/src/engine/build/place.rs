//! Where copied files go: into a folder or under a new name, with the owner and the mode that were asked for.

use super::copy::Loaded;
use super::failure::Failure;
use super::mode::changed_mode;
use super::plan::Build;
use super::stage::Stage;
use crate::build::joined;
use crate::container::users;
use crate::dockerfile::Copying;
use crate::layer::{Entry, EntryKind, TarWriter};
use crate::world::World;
use crate::world::acts::{ImportTree, SnapshotKey};
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

impl<W: World> Build<'_, W> {
    /// Puts the files where the target says.
    pub async fn place(
        &self,
        stage: &Stage,
        snapshot: &SnapshotKey,
        copying: &Copying,
        loaded: Vec<Loaded>,
    ) -> Result<(), Failure> {
        let target = joined(&stage.applying.config.working_dir, &copying.target);
        let target_kind = self.ctx.world().snapshot_file(snapshot, &target).await?;
        let is_folder = copying.target.ends_with('/')
            || copying.target.ends_with("/.")
            || copying.target == "."
            || target_kind == Some(FileKind::Directory)
            || loaded.len() > 1
            || loaded.iter().any(|one| !one.single_file);
        let owner = match &copying.chown {
            Some(text) => Some(self.owner(snapshot, text).await?),
            None => None,
        };
        let inside = target.trim_start_matches('/').to_string();
        let mut files: BTreeMap<String, (Entry, Rc<[u8]>)> = BTreeMap::new();
        let folder =
            if is_folder { inside.clone() } else { inside.rfind('/').map_or("", |i| &inside[..i]).to_string() };
        self.missing_folders(snapshot, &folder, owner, &mut files).await?;
        for one in loaded {
            for (file, bytes) in one.files {
                let path = match (is_folder, inside.is_empty()) {
                    (false, _) => inside.clone(),
                    (true, true) => file.to.clone(),
                    (true, false) => format!("{inside}/{}", file.to),
                };
                let parent = path.rfind('/').map_or("", |i| &path[..i]).to_string();
                if !files.contains_key(&parent) {
                    self.missing_folders(snapshot, &parent, owner, &mut files).await?;
                }
                let mut entry = Entry { path: path.clone(), ..file.entry };
                if let Some((uid, gid)) = owner {
                    (entry.uid, entry.gid) = (uid, gid);
                }
                if let Some(mode) = &copying.chmod
                    && !matches!(entry.kind, EntryKind::Symlink(_))
                {
                    entry.mode = changed_mode(entry.mode, mode, entry.is_directory()).map_err(Failure::solve)?;
                }
                if entry.is_directory()
                    && self.ctx.world().snapshot_file(snapshot, &format!("/{path}")).await? == Some(FileKind::Directory)
                {
                    continue;
                }
                files.insert(path, (entry, bytes));
            }
        }
        let mut tar = TarWriter::new(Vec::new());
        for (entry, bytes) in files.values() {
            tar.add(entry, bytes.as_ref())?;
        }
        let act = ImportTree { key: snapshot.clone(), at: "/".into(), tar: tar.finish()?.into() };
        self.ctx.act("The files go into the new layer", act).await?;
        Ok(())
    }

    /// Adds the folders on the way to a path that are not there yet.
    async fn missing_folders(
        &self,
        snapshot: &SnapshotKey,
        path: &str,
        owner: Option<(u32, u32)>,
        files: &mut BTreeMap<String, (Entry, Rc<[u8]>)>,
    ) -> Result<(), Failure> {
        let mut at = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            at = if at.is_empty() { part.to_string() } else { format!("{at}/{part}") };
            if files.contains_key(&at) || self.ctx.world().snapshot_file(snapshot, &format!("/{at}")).await?.is_some() {
                continue;
            }
            let (uid, gid) = owner.unwrap_or((0, 0));
            let mtime = self.ctx.world().now().as_secs();
            files.insert(at.clone(), (Entry { uid, gid, mtime, ..Entry::directory(&at, 0o755) }, Rc::new([])));
        }
        Ok(())
    }

    /// `--chown`, looked up in the image.
    async fn owner(&self, snapshot: &SnapshotKey, text: &str) -> Result<(u32, u32), Failure> {
        let file = async |path: &str| match self.ctx.world().read_snapshot_file(snapshot, path).await {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        };
        let (passwd, group) = (file("/etc/passwd").await, file("/etc/group").await);
        let identity = users::lookup(text, &[], &passwd, &group).map_err(Failure::solve)?;
        // A number alone is the group's, too.
        let gid = match text.parse::<u32>() {
            Ok(number) => number,
            Err(_) => identity.gid,
        };
        Ok((identity.uid, gid))
    }
}
