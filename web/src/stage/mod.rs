//! The stage: the engine's state, drawn. It only draws; what is there, and where, is decided elsewhere.

pub mod layout;

use cutaway_core::view::stage::{ContainerView, ImageView, NetworkView, RegistryView, Stage, VolumeView};
use cutaway_core::world::Subject;
use gloo::timers::callback::Timeout;
use layout::{Body, Drawing, EDGE, LINE, Lead, Node, SHOWN, STRATUM, THIN, container_parts, layout};
use std::rc::Rc;
use yew::prelude::*;

/// How many colours the layers take turns with; the style sheet has as many.
const COLOURS: usize = 8;
/// How long what has left is still seen, in milliseconds.
const LEAVING: u32 = 500;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stage: Rc<Stage>,
    /// What the step that is looked at touched.
    pub lit: Vec<Subject>,
    pub width: f64,
}

pub enum Msg {
    Gone,
}

/// Draws the stage. What was there a moment ago stays as a ghost until its animation has ended.
pub struct StageView {
    drawing: Drawing,
    ghosts: Vec<Node>,
    timer: Option<Timeout>,
}

impl Component for StageView {
    type Message = Msg;
    type Properties = Props;

    fn create(ctx: &Context<Self>) -> Self {
        StageView { drawing: layout(&ctx.props().stage, ctx.props().width), ghosts: Vec::new(), timer: None }
    }

    fn changed(&mut self, ctx: &Context<Self>, _old: &Props) -> bool {
        let next = layout(&ctx.props().stage, ctx.props().width);
        let left = self.drawing.nodes.iter().filter(|old| !next.nodes.iter().any(|new| new.key == old.key));
        self.ghosts = left.cloned().collect();
        self.drawing = next;
        if !self.ghosts.is_empty() {
            let link = ctx.link().clone();
            self.timer = Some(Timeout::new(LEAVING, move || link.send_message(Msg::Gone)));
        }
        true
    }

    fn update(&mut self, _ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Gone => self.ghosts.clear(),
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let Drawing { width, height, machine: (x, y, w, h), nodes, leads } = &self.drawing;
        let lit = &ctx.props().lit;
        let summary = summary(&ctx.props().stage);
        html! {
            <svg class="stage" role="img" aria-label={summary} width={width.to_string()} height={height.to_string()} viewBox={format!("0 0 {width} {height}")}>
                <defs>
                    <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                        <line x1="0" y1="0" x2="0" y2="6" class="hatch" />
                    </pattern>
                </defs>
                <g class={classes!("machine", lit.contains(&Subject::Host).then_some("lit"))}>
                    <path class="cut" fill-rule="evenodd" d={format!("{}{}", frame(*x, *y, *w, *h), frame(x + EDGE, y + EDGE, w - 2.0 * EDGE, h - 2.0 * EDGE))} />
                    // Which machine it is: there may be several.
                    { text(*x, *y - 5.0, "label", &ctx.props().stage.host, 120.0) }
                </g>
                <g class="leads">{ for leads.iter().map(lead) }</g>
                { for self.ghosts.iter().map(|n| node(n, &[], true)) }
                { for nodes.iter().map(|n| node(n, lit, false)) }
            </svg>
        }
    }
}

/// What a screen reader is told of the picture.
fn summary(stage: &Stage) -> String {
    let running = stage.containers.iter().filter(|c| c.state == "running").count();
    let names: Vec<String> = stage.containers.iter().map(|c| format!("{} ({})", c.name, c.state)).collect();
    format!(
        "The machine {}: {} images, {} containers, {running} running, {} volumes, {} networks. {}",
        stage.host,
        stage.images.len(),
        stage.containers.len(),
        stage.volumes.len(),
        stage.networks.len(),
        names.join(", ")
    )
}

fn frame(x: f64, y: f64, w: f64, h: f64) -> String {
    format!("M{x} {y}h{w}v{h}h{}z", -w)
}

fn lead(lead: &Lead) -> Html {
    let points: Vec<String> = lead.points.iter().map(|(x, y)| format!("{x},{y}")).collect();
    let (x, y) = lead.points[0];
    let label_y = if lead.kind == "mount" { y + 11.0 } else { y - 4.0 };
    html! {
        <g key={lead.key.clone()} class={classes!("lead", lead.kind)}>
            <polyline points={points.join(" ")} />
            { for lead.points.first().into_iter().chain(lead.points.last()).map(|(x, y)| html! { <circle cx={x.to_string()} cy={y.to_string()} r="2.5" /> }) }
            if lead.kind == "port" {
                { text(lead.points[1].0 - 4.0, lead.points[1].1 - 4.0, "label end", &lead.label, 90.0) }
            } else {
                { text(x + 5.0, label_y, "label", &lead.label, 110.0) }
            }
        </g>
    }
}

fn node(node: &Node, lit: &[Subject], ghost: bool) -> Html {
    let (touched, body) = match &node.body {
        Body::Registry(r) => (lit.contains(&Subject::Registry(r.host.clone())), registry(r, node)),
        Body::Network(n) => (lit.contains(&Subject::Network(n.id.clone())), network(n, node)),
        Body::Container(c) => (
            lit.iter().any(|s| matches!(s, Subject::Container(id) | Subject::Cgroup(id) if *id == c.id)),
            container(c, node),
        ),
        Body::Volume(v) => (lit.contains(&Subject::Volume(v.name.clone())), volume(v, node)),
        Body::Image(i) => (lit.contains(&Subject::Image(i.id.clone())), image(i, node, lit)),
        Body::Heading { text: name, empty } => (
            false,
            html! { <>
                { text(0.0, 14.0, "heading", name, node.width) }
                { text(92.0, 14.0, "empty", empty, node.width - 92.0) }
            </> },
        ),
    };
    let class = classes!("node", touched.then_some("lit"), ghost.then_some("ghost"));
    let key = if ghost { format!("ghost-{}", node.key) } else { node.key.clone() };
    html! { <g {key} {class} data-key={node.key.clone()} style={format!("transform:translate({}px,{}px)", node.x, node.y)}>{ body }</g> }
}

fn registry(r: &RegistryView, node: &Node) -> Html {
    let more = r.repositories.len().saturating_sub(8);
    html! { <>
        { outline(node, "registry") }
        { text(10.0, 20.0, "title", &r.host, node.width - 20.0) }
        if r.repositories.is_empty() {
            { text(10.0, 20.0 + LINE, "quiet", "a shelf of images", node.width - 20.0) }
        }
        { for r.repositories.iter().take(8).enumerate().map(|(i, repo)| {
            let name = repo.name.strip_prefix("library/").unwrap_or(&repo.name);
            let line = if i == 7 && more > 0 { format!("and {more} more") } else { format!("{name} {}", repo.tags.join(" ")) };
            text(10.0, 20.0 + LINE * (i + 1) as f64, "mono", &line, node.width - 20.0)
        }) }
    </> }
}

fn network(n: &NetworkView, node: &Node) -> Html {
    let y = (node.height - 8.0).to_string();
    let subnet = if n.driver == "bridge" { n.subnet.clone() } else { format!("{} {}", n.driver, n.subnet) };
    html! { <>
        <line class="bus" x1="0" y1={y.clone()} x2={node.width.to_string()} y2={y} />
        { text(0.0, 14.0, "title", &n.name, 120.0) }
        { text(node.width, 14.0, "quiet end", &subnet, 140.0) }
    </> }
}

fn container(c: &ContainerView, node: &Node) -> Html {
    let width = node.width;
    let (processes, writable, layers, bottom) = container_parts(c);
    let status = if c.health.is_empty() { c.status.clone() } else { format!("{} ({})", c.status, c.health) };
    html! { <>
        <g class={classes!("container", c.state.clone())}>
            { outline(node, "box") }
            <circle class="lamp" cx="14" cy="15" r="4.5" />
            { text(25.0, 20.0, "title", &c.name, width - 33.0) }
            { text(10.0, 20.0 + LINE, "quiet", &format!("{} \u{b7} {}", c.image, status), width - 18.0) }
            if c.processes.is_empty() {
                { text(10.0, processes + 11.0, "mono faint", &c.command.join(" "), width - 18.0) }
            }
            { list(&c.processes, processes, |(pid, command)| format!("{pid} {command}"), width) }
            <rect class="writable" x="1" y={writable.to_string()} width={(width - 2.0).to_string()} height={(layers - writable).to_string()} />
            { text(10.0, writable + 12.0, "quiet", if c.changes.is_empty() { "writable layer, empty" } else { "writable layer" }, width - 18.0) }
            { list(&c.changes, writable + LINE, |(kind, path)| format!("{kind} {path}"), width) }
            { for colours(c.layers.iter()).into_iter().rev().enumerate().map(|(i, colour)| stratum(colour, 1.0, layers + THIN * i as f64, width - 2.0, THIN)) }
            <line class="edge" x1="0" x2={width.to_string()} y1={bottom.to_string()} y2={bottom.to_string()} />
        </g>
    </> }
}

/// Lines of a list, the first few; the rest is counted.
fn list<T>(items: &[T], y: f64, show: impl Fn(&T) -> String, width: f64) -> Html {
    let rest = items.len().saturating_sub(SHOWN);
    html! { <>
        { for items.iter().take(SHOWN).enumerate().map(|(i, item)| text(10.0, y + 11.0 + LINE * i as f64, "mono", &show(item), width - 18.0)) }
        if rest > 0 {
            { text(10.0, y + 11.0 + LINE * SHOWN as f64, "quiet", &format!("and {rest} more"), width - 18.0) }
        }
    </> }
}

fn volume(v: &VolumeView, node: &Node) -> Html {
    let (w, h) = (node.width, node.height);
    let drum = format!("M0 9v{}a{} 7 0 0 0 {w} 0v-{}", h - 16.0, w / 2.0, h - 16.0);
    let name = if v.anonymous { v.name.get(..12).unwrap_or(&v.name) } else { &v.name };
    html! { <g class="volume">
        <path class="box" d={drum} />
        <ellipse class="box" cx={(w / 2.0).to_string()} cy="9" rx={(w / 2.0).to_string()} ry="7" />
        { text(10.0, 33.0, "title", name, w - 20.0) }
        { text(10.0, 33.0 + LINE, "quiet", &bytes(v.size), w - 20.0) }
    </g> }
}

fn image(i: &ImageView, node: &Node, lit: &[Subject]) -> Html {
    let names = if i.names.is_empty() { vec![i.id.get(7..19).unwrap_or(&i.id).to_string()] } else { i.names.clone() };
    let top = 26.0 + LINE * (names.len() - 1) as f64;
    html! { <g class="image">
        { for names.iter().enumerate().map(|(n, name)| text(0.0, 18.0 + LINE * n as f64, "title", name.strip_suffix(":latest").unwrap_or(name), node.width - 62.0)) }
        { text(node.width, 18.0, "quiet end", &bytes(i.size), 60.0) }
        { for i.layers.iter().zip(colours(i.layers.iter().map(|l| &l.chain))).rev().enumerate().map(|(n, (layer, colour))| {
            let y = top + STRATUM * n as f64;
            let touched = lit.iter().any(|s| matches!(s, Subject::Layer(id) if *id == layer.chain || *id == layer.diff_id));
            html! { <g class={classes!("layer", touched.then_some("lit"))}>
                { stratum(colour, 0.0, y, node.width, STRATUM) }
                { text(8.0, y + 13.0, "mono", &layer.created_by, node.width - 16.0) }
                <title>{ format!("{}\n{}\n{}", layer.diff_id, layer.created_by, bytes(layer.size)) }</title>
            </g> }
        }) }
    </g> }
}

fn stratum(colour: usize, x: f64, y: f64, width: f64, height: f64) -> Html {
    html! { <rect class={classes!("stratum", format!("s{colour}"))} x={x.to_string()} y={y.to_string()} width={width.to_string()} height={height.to_string()} /> }
}

/// The colours of a stack of layers, the lowest first: by chainID, so that a layer has the same colour
/// wherever it appears, and never that of the layer below it.
fn colours<'a>(chains: impl Iterator<Item = &'a String>) -> Vec<usize> {
    let mut colours: Vec<usize> = Vec::new();
    for chain in chains {
        let own = chain.bytes().fold(7_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(b))) % COLOURS;
        colours.push(if colours.last() == Some(&own) { (own + 1) % COLOURS } else { own });
    }
    colours
}

fn outline(node: &Node, class: &'static str) -> Html {
    html! { <rect {class} x="0" y="0" width={node.width.to_string()} height={node.height.to_string()} /> }
}

/// A line of text, cut to about `room` pixels.
fn text(x: f64, y: f64, class: &'static str, content: &str, room: f64) -> Html {
    let each = if class.contains("mono") { 6.7 } else { 6.6 };
    let fits = (room / each).floor().max(1.0) as usize;
    let mut shown: String = content.chars().take(fits).collect();
    if content.chars().count() > fits {
        shown.pop();
        shown.push('\u{2026}');
    }
    html! { <text {class} x={x.to_string()} y={y.to_string()}>{ shown }</text> }
}

fn bytes(size: u64) -> String {
    match size {
        0..1_000 => format!("{size} B"),
        1_000..1_000_000 => format!("{:.1} kB", size as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", size as f64 / 1e6),
        _ => format!("{:.1} GB", size as f64 / 1e9),
    }
}
