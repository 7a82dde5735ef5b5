//! The predicates of lessons, and grading. They assert only what a lesson teaches, so that any other right
//! answer passes, too.

use super::format::Lesson;
use super::state::{ContainerFacts, ImageFacts, StateView};
use serde::Deserialize;

/// A statement about a world. Fields that are left out are not looked at.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Check {
    /// There is a container like this.
    Container(ContainerCheck),
    /// There is an image like this.
    Image(ImageCheck),
    /// There is a volume of this name, with this file.
    Volume(VolumeCheck),
    /// There is a network like this.
    Network(NetworkCheck),
    /// A container has this file.
    File(FileCheck),
    /// A port of this machine answers over HTTP.
    Answers(AnswerCheck),
    /// The learner entered a line like this.
    Ran(RanCheck),
    All(Vec<Check>),
    Any(Vec<Check>),
    Not(Box<Check>),
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerCheck {
    pub name: Option<String>,
    /// The image's name as typed, with or without `:latest`.
    pub image: Option<String>,
    pub state: Option<String>,
    pub exit_code: Option<i32>,
    /// A part of its command.
    pub command: Option<String>,
    /// A whole `NAME=value`.
    pub env: Option<String>,
    /// A part of what it printed.
    pub printed: Option<String>,
    /// A port of the container that is published.
    pub publishes: Option<u16>,
    /// The port of the host it is published at.
    pub host_port: Option<u16>,
    /// A path where something is mounted.
    pub mounts: Option<String>,
    /// The volume mounted there (or anywhere).
    pub volume: Option<String>,
    pub network: Option<String>,
    /// A path that it added, changed or deleted.
    pub changed: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageCheck {
    pub name: Option<String>,
    /// Shares all layers of the image of this name and has more.
    pub built_on: Option<String>,
    pub command: Option<String>,
    pub env: Option<String>,
    pub exposes: Option<String>,
    pub layers_at_least: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeCheck {
    pub name: String,
    pub file: Option<String>,
    pub contains: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkCheck {
    pub name: Option<String>,
    pub driver: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCheck {
    pub container: String,
    pub path: String,
    pub contains: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerCheck {
    pub port: u16,
    #[serde(default)]
    pub path: String,
    pub contains: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RanCheck {
    /// The words that the line begins with, as `docker ps`.
    pub command: String,
    /// A further word or part of the line.
    pub with: Option<String>,
}

impl Check {
    /// Whether it holds now.
    pub async fn holds(&self, view: &dyn StateView) -> bool {
        match self {
            Check::Container(check) => check.holds(view).await,
            Check::Image(check) => check.holds(view).await,
            Check::Volume(check) => check.holds(view).await,
            Check::Network(check) => view
                .networks()
                .await
                .iter()
                .any(|n| is(&check.name, |name| n.name == name) && is(&check.driver, |driver| n.driver == driver)),
            Check::File(check) => has(view.file(&check.container, &check.path).await, &check.contains),
            Check::Answers(check) => {
                let answer = view.fetch(check.port, check.path.trim_start_matches('/')).await;
                has(answer.map(String::into_bytes), &check.contains)
            }
            Check::Ran(check) => view.lines().iter().any(|line| {
                let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
                let begins = words == check.command || words.starts_with(&format!("{} ", check.command));
                begins && is(&check.with, |part| words.contains(part))
            }),
            Check::All(checks) => {
                for check in checks {
                    if !Box::pin(check.holds(view)).await {
                        return false;
                    }
                }
                true
            }
            Check::Any(checks) => {
                for check in checks {
                    if Box::pin(check.holds(view)).await {
                        return true;
                    }
                }
                false
            }
            Check::Not(check) => !Box::pin(check.holds(view)).await,
        }
    }
}

impl ContainerCheck {
    async fn holds(&self, view: &dyn StateView) -> bool {
        for container in view.containers().await {
            if !self.fits(&container) {
                continue;
            }
            match &self.printed {
                Some(part) if !view.output(&container.id).await.contains(part.as_str()) => {}
                _ => return true,
            }
        }
        false
    }

    fn fits(&self, c: &ContainerFacts) -> bool {
        let port = |inside: u16| c.ports.iter().any(|(_, p)| *p == inside);
        is(&self.name, |name| c.name == name)
            && is(&self.image, |image| same_image(&c.image, image))
            && is(&self.state, |state| c.state == state)
            && self.exit_code.is_none_or(|code| c.exit_code == code)
            && is(&self.command, |part| c.command.join(" ").contains(part))
            && is(&self.env, |pair| c.env.iter().any(|e| e == pair))
            && self.publishes.is_none_or(port)
            && self.host_port.is_none_or(|outside| c.ports.iter().any(|(p, _)| *p == outside))
            && is(&self.mounts, |path| c.mounts.iter().any(|(_, target)| target == path))
            && is(&self.volume, |name| c.mounts.iter().any(|(volume, _)| volume == name))
            && is(&self.network, |name| c.networks.iter().any(|n| n == name))
            && is(&self.changed, |path| c.changed_paths.iter().any(|p| p == path))
    }
}

impl ImageCheck {
    async fn holds(&self, view: &dyn StateView) -> bool {
        let images = view.images().await;
        let named = |image: &ImageFacts, name: &str| image.names.iter().any(|n| same_image(n, name));
        images.iter().any(|image| {
            is(&self.name, |name| named(image, name))
                && is(&self.built_on, |base| {
                    let base = images.iter().find(|i| named(i, base));
                    base.is_some_and(|b| image.layers.len() > b.layers.len() && image.layers.starts_with(&b.layers))
                })
                && is(&self.command, |part| image.command.join(" ").contains(part))
                && is(&self.env, |pair| image.env.iter().any(|e| e == pair))
                && is(&self.exposes, |port| image.exposed.iter().any(|p| p == port))
                && self.layers_at_least.is_none_or(|n| image.layers.len() >= n)
        })
    }
}

impl VolumeCheck {
    async fn holds(&self, view: &dyn StateView) -> bool {
        if !view.volumes().await.iter().any(|v| v.name == self.name) {
            return false;
        }
        match &self.file {
            Some(path) => has(view.volume_file(&self.name, path).await, &self.contains),
            None => true,
        }
    }
}

/// Whether a wanted value, where there is one, passes `test`.
fn is(wanted: &Option<String>, test: impl FnOnce(&str) -> bool) -> bool {
    wanted.as_deref().is_none_or(test)
}

fn has(found: Option<Vec<u8>>, part: &Option<String>) -> bool {
    found.is_some_and(|bytes| is(part, |part| String::from_utf8_lossy(&bytes).contains(part)))
}

/// Names of images are the same where they differ only in a `:latest` that is left out.
fn same_image(a: &str, b: &str) -> bool {
    a.strip_suffix(":latest").unwrap_or(a) == b.strip_suffix(":latest").unwrap_or(b)
}

/// How far a learner is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Per goal, in the lesson's order.
    pub reached: Vec<bool>,
    /// The key of the hint to show, while a goal is open.
    pub hint: Option<String>,
}

impl Progress {
    pub fn done(&self) -> bool {
        self.reached.iter().all(|r| *r)
    }
}

/// Checks every goal, and, where one is open, looks for a known mistake.
pub async fn grade(lesson: &Lesson, view: &dyn StateView) -> Progress {
    let mut progress = Progress { reached: Vec::new(), hint: None };
    for goal in &lesson.goals {
        progress.reached.push(goal.check.holds(view).await);
    }
    if !progress.done() {
        for mistake in &lesson.mistakes {
            if mistake.check.holds(view).await {
                progress.hint = Some(mistake.key.clone());
                break;
            }
        }
    }
    progress
}
