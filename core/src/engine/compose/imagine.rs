//! `--dry-run`: the containers of a project as they would be, on which the commands work in place of the real ones.

use super::App;
use super::app::Member;
use crate::container::{ContainerConfig, ContainerRecord, HostConfig, State, Status};
use crate::engine::container::{self as engine, Removal, find_by_id};
use crate::engine::{Error, Result};
use crate::image::ImageRecord;
use crate::name::Digest;
use crate::world::World;
use crate::world::acts::SnapshotKey;
use cutaway_userland::sorted::Map as BTreeMap;

impl<W: World> App<'_, W> {
    /// Takes the containers as they are as the beginning of what is imagined.
    pub(super) async fn imagine(&self) -> Result<()> {
        if self.board.dry {
            let now = self.everyone().await?;
            *self.imagined.borrow_mut() = Some(now);
        }
        Ok(())
    }

    /// A container that would be made.
    pub(super) fn imagined(&self, service: &str, name: &str, number: u32, one_off: bool) -> ContainerRecord {
        let record = ContainerRecord {
            id: name.to_string(),
            name: name.to_string(),
            created: self.ctx.world().now(),
            path: String::new(),
            args: Vec::new(),
            image: Digest::of(b""),
            image_name: String::new(),
            config: ContainerConfig::default(),
            host: HostConfig::default(),
            state: State::default(),
            snapshot: SnapshotKey(String::new()),
            endpoints: BTreeMap::new(),
            sandbox: None,
            ports: Vec::new(),
            mounts: Vec::new(),
            restart_count: 0,
            manually_stopped: false,
            exec_ids: Vec::new(),
        };
        let member = Member { service: service.to_string(), number, one_off, record: record.clone() };
        self.imagined.borrow_mut().get_or_insert_default().push(member);
        record
    }

    fn imagine_state(&self, id: &str, status: Status) {
        for member in self.imagined.borrow_mut().iter_mut().flatten() {
            if member.record.id == id {
                member.record.state.status = status;
            }
        }
    }

    /// The record of a container as it is now.
    pub(super) fn current(&self, id: &str) -> Result<ContainerRecord> {
        if !self.board.dry {
            return find_by_id(self.ctx, id);
        }
        let found = self.imagined.borrow().iter().flatten().find(|m| m.record.id == id).map(|m| m.record.clone());
        found.ok_or_else(|| Error::Daemon(format!("No such container: {id}")))
    }

    pub(super) async fn start_one(&self, id: &str) -> Result<()> {
        if self.board.dry {
            self.imagine_state(id, Status::Running);
            return Ok(());
        }
        Box::pin(engine::start(self.ctx, id, false)).await.map(drop)
    }

    pub(super) async fn stop_one(&self, record: &ContainerRecord, timeout: Option<i64>) -> Result<()> {
        if self.board.dry {
            self.imagine_state(&record.id, Status::Exited);
            return Ok(());
        }
        Box::pin(engine::stop(self.ctx, record, timeout, None)).await
    }

    pub(super) async fn remove_one(&self, id: &str, volumes: bool) -> Result<()> {
        if self.board.dry {
            self.imagined.borrow_mut().iter_mut().for_each(|all| all.retain(|m| m.record.id != id));
            return Ok(());
        }
        match find_by_id(self.ctx, id) {
            Ok(record) => Box::pin(engine::remove(self.ctx, &record, &Removal { force: true, volumes })).await,
            Err(_) => Ok(()),
        }
    }

    /// The image that a container would be made of, where it is there.
    pub(super) fn known_image(&self, name: &str) -> Result<Option<ImageRecord>> {
        crate::engine::image::lookup(self.ctx, name)
    }
}
