//! Where everything stands on the stage: from plain data and a width to boxes with coordinates.
//!
//! Pure arithmetic, so that it can be tested without a browser. Units are CSS pixels. The machine is drawn
//! cut open: networks at its top edge, containers below them, then volumes, then the images' layers as
//! strata at the bottom; registries stand outside.

use cutaway_core::view::stage::{ContainerView, ImageView, NetworkView, RegistryView, Stage, VolumeView};
use std::rc::Rc;

/// Below this width the registries stand above the machine instead of beside it.
const NARROW: f64 = 600.0;
const GAP: f64 = 14.0;
/// Width of the machine's hatched cut edge.
pub const EDGE: f64 = 9.0;
const REGISTRY_WIDTH: f64 = 148.0;
const BOX_WIDTH: f64 = 184.0;
/// Height of a line of text.
pub const LINE: f64 = 16.0;
pub const STRATUM: f64 = 18.0;
/// A stratum of an image's layer below a container.
pub const THIN: f64 = 7.0;
const NETWORK: f64 = 30.0;
const HEADING: f64 = 24.0;
/// Lines of processes and changes shown in a box; the rest is counted.
pub const SHOWN: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Registry(Rc<RegistryView>),
    Network(Rc<NetworkView>),
    Container(Rc<ContainerView>),
    Volume(Rc<VolumeView>),
    Image(Rc<ImageView>),
    /// The name of a row, or what to do where it is empty.
    Heading {
        text: &'static str,
        empty: &'static str,
    },
}

/// A thing on the stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The same thing has the same key in every step.
    pub key: String,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub body: Body,
}

/// A line between two things.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    pub key: String,
    pub kind: &'static str,
    pub points: Vec<(f64, f64)>,
    pub label: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    pub width: f64,
    pub height: f64,
    /// The machine's outer edge: x, y, width, height.
    pub machine: (f64, f64, f64, f64),
    pub nodes: Vec<Node>,
    pub leads: Vec<Lead>,
}

/// Lays a stage out in `width` pixels; its height follows.
pub fn layout(stage: &Stage, width: f64) -> Drawing {
    let mut drawing = Drawing { width, ..Drawing::default() };
    let narrow = width < NARROW;
    let below = registries(&mut drawing, stage, narrow);
    let left = if narrow { 0.0 } else { REGISTRY_WIDTH + GAP };
    // Room above the edge for the labels of published ports.
    let top = if narrow { below + GAP + 18.0 } else { 20.0 };
    let inner = Inner { left: left + EDGE + GAP, right: width - EDGE - GAP };

    let networks: Vec<&Rc<NetworkView>> = shown_networks(stage).collect();
    let mut y = top + EDGE + 10.0;
    for network in &networks {
        let body = Body::Network(Rc::clone(network));
        drawing.nodes.push(Node {
            key: format!("n{}", network.id),
            x: inner.left,
            y,
            width: inner.width(),
            height: NETWORK,
            body,
        });
        y += NETWORK;
    }
    y = heading(&mut drawing, &inner, y + 6.0, "containers", if stage.containers.is_empty() { "none yet" } else { "" });
    y = containers(&mut drawing, stage, &inner, y);
    if !stage.volumes.is_empty() {
        y = heading(&mut drawing, &inner, y, "volumes", "");
        y = row(
            &mut drawing,
            &inner,
            y,
            126.0,
            stage.volumes.iter().map(|v| (format!("v{}", v.name), 58.0, Body::Volume(Rc::clone(v)))),
        );
    }
    y = heading(&mut drawing, &inner, y, "images", if stage.images.is_empty() { "none yet: pull one" } else { "" });
    let images = stage.images.iter().map(|i| (format!("i{}", i.id), image_height(i), Body::Image(Rc::clone(i))));
    y = row(&mut drawing, &inner, y, BOX_WIDTH, images);

    let height = (y + EDGE).max(if narrow { 0.0 } else { below + EDGE });
    drawing.machine = (left, top, width - left, height - top);
    drawing.height = height + 2.0;
    drawing.leads = leads(&drawing, stage, top);
    drawing
}

/// The room inside the machine's edge.
struct Inner {
    left: f64,
    right: f64,
}

impl Inner {
    fn width(&self) -> f64 {
        (self.right - self.left).max(60.0)
    }
}

/// `host` and `none` isolate or connect nothing, so they are not drawn.
fn shown_networks(stage: &Stage) -> impl Iterator<Item = &Rc<NetworkView>> {
    stage.networks.iter().filter(|n| !matches!(n.driver.as_str(), "host" | "null"))
}

fn registries(drawing: &mut Drawing, stage: &Stage, narrow: bool) -> f64 {
    let mut y = 20.0;
    for registry in &stage.registries {
        let height = 34.0
            + LINE * registry.repositories.len().min(8) as f64
            + if registry.repositories.is_empty() { LINE } else { 0.0 };
        let width = if narrow { drawing.width } else { REGISTRY_WIDTH };
        let body = Body::Registry(Rc::clone(registry));
        drawing.nodes.push(Node { key: format!("r{}", registry.host), x: 0.0, y, width, height, body });
        y += height + GAP;
    }
    y - GAP
}

fn heading(drawing: &mut Drawing, inner: &Inner, y: f64, text: &'static str, empty: &'static str) -> f64 {
    let body = Body::Heading { text, empty };
    drawing.nodes.push(Node { key: format!("h{text}"), x: inner.left, y, width: inner.width(), height: HEADING, body });
    y + HEADING
}

/// Boxes side by side, wrapped where the row is full; the y below them.
fn row(
    drawing: &mut Drawing,
    inner: &Inner,
    top: f64,
    width: f64,
    boxes: impl Iterator<Item = (String, f64, Body)>,
) -> f64 {
    let columns = ((inner.width() + GAP) / (width + GAP)).floor().max(1.0);
    let width = if columns == 1.0 { inner.width().min(width * 1.6) } else { width };
    let (mut x, mut y, mut tallest, mut any) = (inner.left, top, 0.0_f64, false);
    for (key, height, body) in boxes {
        if any && x + width > inner.right + 0.5 {
            y += tallest + GAP;
            (x, tallest) = (inner.left, 0.0);
        }
        drawing.nodes.push(Node { key, x, y, width, height, body });
        x += width + GAP;
        tallest = tallest.max(height);
        any = true;
    }
    if any { y + tallest + GAP } else { y }
}

fn containers(drawing: &mut Drawing, stage: &Stage, inner: &Inner, y: f64) -> f64 {
    let boxes =
        stage.containers.iter().map(|c| (format!("c{}", c.id), container_height(c), Body::Container(Rc::clone(c))));
    // Room above the boxes for the cables that come down to them.
    row(drawing, inner, y + if stage.containers.is_empty() { 0.0 } else { 12.0 }, BOX_WIDTH, boxes)
}

/// Lines of a list that is cut after [`SHOWN`], the count of the rest included.
pub fn shown(count: usize) -> usize {
    if count > SHOWN { SHOWN + 1 } else { count }
}

/// Where a container's parts begin: processes, writable layer, image layers, bottom.
pub fn container_parts(c: &ContainerView) -> (f64, f64, f64, f64) {
    let processes = 44.0;
    let writable = processes + LINE * shown(c.processes.len()).max(1) as f64 + 8.0;
    let layers = writable + LINE * (1 + shown(c.changes.len())) as f64 + 6.0;
    (processes, writable, layers, layers + THIN * c.layers.len().max(1) as f64)
}

fn container_height(c: &ContainerView) -> f64 {
    container_parts(c).3
}

fn image_height(i: &ImageView) -> f64 {
    26.0 + LINE * (i.names.len().max(1) - 1) as f64 + STRATUM * i.layers.len().max(1) as f64
}

fn leads(drawing: &Drawing, stage: &Stage, top: f64) -> Vec<Lead> {
    let at = |key: String| drawing.nodes.iter().find(|n| n.key == key);
    let mut leads = Vec::new();
    for container in &stage.containers {
        let Some(node) = at(format!("c{}", container.id)) else { continue };
        // A container that does not run is plugged in nowhere.
        let plugged = container.networks.iter().filter(|(_, address)| !address.is_empty());
        for (index, (name, address)) in plugged.enumerate() {
            let network = stage.networks.iter().find(|n| n.name == *name);
            let Some(line) = network.and_then(|n| at(format!("n{}", n.id))) else { continue };
            // Beside the rows' headings, which stand at the left.
            let x = node.x + 92.0 + 34.0 * index as f64;
            let points = vec![(x, node.y), (x, line.y + NETWORK - 8.0)];
            leads.push(Lead { key: format!("l{}{name}", container.id), kind: "cable", points, label: address.clone() });
        }
        // A port is published on IPv4 and IPv6 alike: one line stands for both.
        let mut ports = container.ports.clone();
        ports.dedup();
        for (index, port) in ports.iter().enumerate() {
            let x = node.x + node.width - 10.0 - 52.0 * index as f64;
            let points = vec![(x, node.y), (x, top)];
            let label = format!("{}\u{2192}{}", port.host, port.container);
            leads.push(Lead { key: format!("p{}{}", container.id, port.host), kind: "port", points, label });
        }
        for (index, mount) in container.mounts.iter().filter(|m| m.kind == "volume").enumerate() {
            let Some(volume) = at(format!("v{}", mount.source)) else { continue };
            let x = node.x + 92.0 + 24.0 * index as f64;
            let (to, turn) = (volume.x + volume.width / 2.0, volume.y - 5.0);
            let points = vec![(x, node.y + node.height), (x, turn), (to, turn), (to, volume.y)];
            leads.push(Lead {
                key: format!("m{}{}", container.id, mount.target),
                kind: "mount",
                points,
                label: mount.target.clone(),
            });
        }
    }
    leads
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_core::view::stage::{LayerView, MountView};

    fn stage(containers: usize) -> Stage {
        let image = ImageView {
            id: "i".into(),
            names: vec!["busybox:latest".into()],
            layers: vec![LayerView::default()],
            size: 1,
        };
        let container = |n: usize| {
            Rc::new(ContainerView {
                id: n.to_string(),
                networks: vec![("bridge".into(), "172.17.0.2".into())],
                mounts: vec![MountView {
                    kind: "volume".into(),
                    source: "data".into(),
                    target: "/d".into(),
                    read_only: false,
                }],
                layers: vec!["a".into()],
                ..ContainerView::default()
            })
        };
        Stage {
            host: "cutaway".into(),
            registries: vec![Rc::new(RegistryView { host: "docker.io".into(), repositories: vec![] })],
            images: vec![Rc::new(image)],
            containers: (0..containers).map(container).collect(),
            volumes: vec![Rc::new(VolumeView { name: "data".into(), anonymous: false, size: 0 })],
            networks: vec![Rc::new(NetworkView {
                id: "b".into(),
                name: "bridge".into(),
                driver: "bridge".into(),
                ..NetworkView::default()
            })],
        }
    }

    #[test]
    fn nothing_leaves_the_picture_or_overlaps() {
        for width in [328.0, 700.0, 1100.0] {
            for count in [0, 1, 7] {
                let drawing = layout(&stage(count), width);
                for (index, a) in drawing.nodes.iter().enumerate() {
                    assert!(a.x >= 0.0 && a.x + a.width <= width + 0.5, "{} at {width}", a.key);
                    assert!(a.y + a.height <= drawing.height, "{} at {width}", a.key);
                    for b in &drawing.nodes[index + 1..] {
                        let apart = a.x + a.width <= b.x
                            || b.x + b.width <= a.x
                            || a.y + a.height <= b.y
                            || b.y + b.height <= a.y;
                        assert!(apart, "{} and {} at {width}", a.key, b.key);
                    }
                }
            }
        }
    }

    #[test]
    fn what_shares_the_hosts_wire_is_drawn_and_no_network_is_not() {
        let mut stage = stage(0);
        let network =
            |driver: &str| Rc::new(NetworkView { id: driver.into(), driver: driver.into(), ..NetworkView::default() });
        stage.networks = ["host", "macvlan", "null"].into_iter().map(network).collect();
        let keys: Vec<String> = layout(&stage, 700.0).nodes.into_iter().map(|n| n.key).collect();
        assert!(
            keys.contains(&"nmacvlan".to_string()) && !keys.iter().any(|k| k == "nhost" || k == "nnull"),
            "{keys:?}"
        );
    }

    #[test]
    fn cables_and_mounts_reach_their_ends() {
        let drawing = layout(&stage(1), 900.0);
        let kinds: Vec<&str> = drawing.leads.iter().map(|l| l.kind).collect();
        assert_eq!(kinds, ["cable", "mount"]);
    }
}
