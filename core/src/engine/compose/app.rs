//! A project and the engine it runs on: its containers, found by their labels, and the lines of progress.

use super::open::Settings;
use super::progress::Board;
use crate::compose::Project;
use crate::container::{ContainerRecord, Status};
use crate::engine::container::heal_all;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use serde_json::{Map, Value};
use std::cell::RefCell;

pub(super) const LABEL: &str = "com.docker.compose";

/// What a compose command works with.
pub(super) struct App<'a, W> {
    pub ctx: &'a Ctx<W>,
    pub project: Project,
    /// Known by its name only: what its containers say is all there is.
    pub all: bool,
    pub board: Board,
    pub settings: Settings,
    /// How many images are pulled or pushed at a time.
    pub at_once: usize,
    /// What stands between the parts of a name: `-`, or `_` as in the first Compose (`--compatibility`).
    pub separator: char,
    /// The containers as they would be, in a command that does nothing.
    pub imagined: RefCell<Option<Vec<Member>>>,
}

/// A container of a project.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub service: String,
    /// Those of `run` have none: 0.
    pub number: u32,
    pub one_off: bool,
    pub record: ContainerRecord,
}

impl Member {
    pub fn name(&self) -> &str {
        &self.record.name
    }

    pub fn label(&self, key: &str) -> String {
        self.record.labels().get(&format!("{LABEL}.{key}")).cloned().unwrap_or_default()
    }
}

impl<W: World> App<'_, W> {
    /// All containers of the project, by service and number.
    pub async fn everyone(&self) -> Result<Vec<Member>> {
        if let Some(imagined) = &*self.imagined.borrow() {
            return Ok(imagined.clone());
        }
        let mut members: Vec<Member> = heal_all(self.ctx)
            .await?
            .into_iter()
            .filter_map(|record| {
                let labels = record.labels();
                let label = |key: &str| labels.get(&format!("{LABEL}.{key}")).cloned();
                (label("project").as_deref() == Some(&self.project.name)).then(|| Member {
                    service: label("service").unwrap_or_default(),
                    number: label("container-number").and_then(|n| n.parse().ok()).unwrap_or(0),
                    one_off: label("oneoff").as_deref() == Some("True"),
                    record,
                })
            })
            .collect();
        members.sort_by(|a, b| {
            (&a.service, a.one_off, a.number, a.name()).cmp(&(&b.service, b.one_off, b.number, b.name()))
        });
        Ok(members)
    }

    /// The containers of these services (of all, where none is named), without those of `run`.
    pub async fn members(&self, services: &[String]) -> Result<Vec<Member>> {
        let mut members = self.everyone().await?;
        members.retain(|m| {
            !m.one_off
                && self.project.services.contains_key(&m.service)
                && (services.is_empty() || services.contains(&m.service))
        });
        Ok(members)
    }

    /// The containers of these services (of all, where none is named), also those of `run` and of services that the
    /// files no longer have.
    pub async fn anyone(&self, services: &[String]) -> Result<Vec<Member>> {
        let mut members = self.everyone().await?;
        members.retain(|m| services.is_empty() || services.contains(&m.service));
        Ok(members)
    }

    /// Containers of services that the files no longer have.
    pub async fn orphans(&self) -> Result<Vec<Member>> {
        let mut members = self.everyone().await?;
        let known = |s: &String| self.project.services.contains_key(s) || self.project.disabled.contains_key(s);
        members.retain(|m| match m.one_off {
            true => matches!(m.record.state.status, Status::Exited | Status::Dead),
            false => !self.all && !known(&m.service),
        });
        Ok(members)
    }

    /// One container of a service, the first unless `index` says which.
    ///
    /// # Errors
    /// `service "web" is not running`.
    pub async fn running(&self, service: &str, index: Option<i64>) -> Result<Member> {
        let members = self.anyone(&[service.to_string()]).await?;
        let wanted = index.filter(|i| *i > 0);
        members
            .into_iter()
            .filter(|m| m.record.is_running())
            .find(|m| wanted.is_none_or(|i| i == i64::from(m.number)))
            .ok_or_else(|| match wanted {
                Some(index) => Error::Client(format!("service {service:?} is not running container #{index}")),
                None => Error::Client(format!("service {service:?} is not running")),
            })
    }

    pub fn service(&self, name: &str) -> Result<&Map<String, Value>> {
        self.project.services.get(name).ok_or_else(|| Error::Client(format!("no such service: {name}")))
    }

    /// The services in the order of their dependencies.
    pub fn order(&self) -> Result<Vec<String>> {
        crate::compose::order(&self.project).map_err(Error::Client)
    }

    /// The services that depend on one of these and want to be started anew with it (`restart: true`).
    pub fn restarted_with(&self, names: &[String]) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        loop {
            let more = self.project.services.keys().find(|service| {
                let depends = crate::compose::dependencies(&self.project, service);
                !all.contains(service)
                    && !names.contains(service)
                    && depends.iter().any(|(name, how)| {
                        how.get("restart") == Some(&Value::Bool(true))
                            && (names.iter().any(|n| n == name) || all.iter().any(|n| n == name))
                    })
            });
            match more {
                Some(service) => all.push(service.clone()),
                None => return all,
            }
        }
    }

    /// These services and all that they depend on, in order; all services where none is named.
    pub fn with_dependencies(&self, names: &[String], dependencies: bool) -> Result<Vec<String>> {
        let order = self.order()?;
        if names.is_empty() {
            return Ok(order);
        }
        if let Some(unknown) = names.iter().find(|n| !self.project.services.contains_key(*n)) {
            return Err(Error::Client(format!("no such service: {unknown}")));
        }
        let mut wanted: Vec<String> = names.to_vec();
        let mut at = 0;
        while dependencies && at < wanted.len() {
            for name in crate::compose::dependencies(&self.project, &wanted[at].clone()).keys() {
                if !wanted.iter().any(|w| w == name) {
                    wanted.push((*name).to_string());
                }
            }
            at += 1;
        }
        Ok(order.into_iter().filter(|n| wanted.contains(n)).collect())
    }
}
