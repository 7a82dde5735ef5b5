//! `docker inspect`: of anything, and the output that every `inspect` has.

use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result, container, image, network, volume};
use crate::image::ImageRecord;
use crate::view::template::{Shape, Template, Zero};
use crate::world::World;
use serde::Serialize;
use serde_json::Value;

/// Fields that may be left out of what is inspected, or be null in it, and what Go has in their place.
const OPTIONAL: &[(&str, Zero)] = &[
    ("Aliases", Zero::Slice),
    ("Annotations", Zero::Map),
    ("Args", Zero::Slice),
    ("Author", Zero::Text),
    ("Binds", Zero::Slice),
    ("CapAdd", Zero::Slice),
    ("CapDrop", Zero::Slice),
    ("Cmd", Zero::Slice),
    ("Comment", Zero::Text),
    ("Config", Zero::Slice),
    ("Containers", Zero::Map),
    ("Created", Zero::Text),
    ("Data", Zero::Map),
    ("DeviceCgroupRules", Zero::Slice),
    ("DeviceRequests", Zero::Slice),
    ("Devices", Zero::Slice),
    ("DriverOpts", Zero::Map),
    ("Entrypoint", Zero::Slice),
    ("Env", Zero::Slice),
    ("ExecIDs", Zero::Slice),
    ("ExposedPorts", Zero::Map),
    ("Gateway", Zero::Text),
    ("GroupAdd", Zero::Slice),
    ("Health", Zero::Pointer),
    ("Healthcheck", Zero::Pointer),
    ("IPAMConfig", Zero::Pointer),
    ("IPRange", Zero::Text),
    ("Init", Zero::Pointer),
    ("Labels", Zero::Map),
    ("Layers", Zero::Slice),
    ("Links", Zero::Slice),
    ("MacAddress", Zero::Text),
    ("MaskedPaths", Zero::Slice),
    ("MemorySwappiness", Zero::Pointer),
    ("Mounts", Zero::Slice),
    ("Name", Zero::Text),
    ("Networks", Zero::Map),
    ("OnBuild", Zero::Slice),
    ("OomKillDisable", Zero::Pointer),
    ("Options", Zero::Map),
    ("PidsLimit", Zero::Pointer),
    ("PortBindings", Zero::Map),
    ("Ports", Zero::Map),
    ("ReadonlyPaths", Zero::Slice),
    ("SecurityOpt", Zero::Slice),
    ("Shell", Zero::Slice),
    ("SizeRootFs", Zero::Pointer),
    ("SizeRw", Zero::Pointer),
    ("Status", Zero::Map),
    ("StopSignal", Zero::Text),
    ("StopTimeout", Zero::Pointer),
    ("StorageOpt", Zero::Map),
    ("Sysctls", Zero::Map),
    ("Tmpfs", Zero::Map),
    ("Ulimits", Zero::Slice),
    ("UsageData", Zero::Pointer),
    ("User", Zero::Text),
    ("Variant", Zero::Text),
    ("Volumes", Zero::Map),
    ("VolumesFrom", Zero::Slice),
    ("WorkingDir", Zero::Text),
];

/// How `inspect` templates see their dot.
const SHAPE: Shape =
    Shape { type_name: None, inner: &[], optional: OPTIONAL, strict: true, heading: false, wire: false };

/// What the format of an `inspect` command is.
enum Format {
    /// The array, indented by four.
    Array,
    /// The array in one line.
    Line,
    Template(Template),
}

/// The output of every `inspect`: values are gathered, then printed as an array or by a template; what could not
/// be found is told after that.
pub struct Inspection {
    format: Format,
    values: Vec<Value>,
    errors: Vec<String>,
}

impl Inspection {
    /// `format` is the value of `--format`, empty where it was not given.
    ///
    /// # Errors
    /// Status 64, the text printed, where it is no template.
    pub async fn new<W: World>(ctx: &Ctx<W>, format: &str) -> Result<Inspection> {
        let format = match format {
            "" => Format::Array,
            "json" => Format::Line,
            source => match Template::parse(source) {
                Ok(template) => Format::Template(template),
                Err(error) => {
                    ctx.warn(format!("template parsing error: {error}\n")).await;
                    return Err(Error::Status(64));
                }
            },
        };
        Ok(Inspection { format, values: Vec::new(), errors: Vec::new() })
    }

    /// Whether values go through a template, where fields that JSON leaves out are there.
    pub fn is_template(&self) -> bool {
        matches!(self.format, Format::Template(_))
    }

    /// Takes what looking one thing up came to.
    pub fn add(&mut self, found: Result<Value>) {
        match found {
            Ok(value) => self.values.push(value),
            Err(error) => self.errors.push(error.render("")),
        }
    }

    /// Prints all; the exit status.
    pub async fn finish<W: World>(mut self, ctx: &Ctx<W>) -> Result<i32> {
        let text = match &self.format {
            Format::Array => pretty(&Value::Array(self.values)) + "\n",
            Format::Line => Value::Array(self.values).to_string() + "\n",
            Format::Template(template) => {
                let mut text = String::new();
                for value in &self.values {
                    match template.execute(value, &SHAPE) {
                        Ok(line) => text += &(line + "\n"),
                        Err(error) => self.errors.push(format!("template parsing error: {error}")),
                    }
                }
                if text.is_empty() { "\n".to_string() } else { text }
            }
        };
        ctx.print(text).await;
        if self.errors.is_empty() {
            return Ok(0);
        }
        ctx.warn(self.errors.join("\n") + "\n").await;
        Err(Error::Status(1))
    }
}

/// JSON as Docker indents it: by four.
pub fn pretty(value: &Value) -> String {
    indented(value, b"    ")
}

/// JSON as Docker's client keeps it in its own files: by tabs.
pub fn pretty_tabs(value: &Value) -> String {
    indented(value, b"\t")
}

/// JSON indented by what is given.
pub fn indented(value: &Value, by: &[u8]) -> String {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(by);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, format);
    // Writing a value to memory has nothing that could fail.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// The kinds that `inspect` looks through, in Docker's order.
const KINDS: [&str; 4] = ["container", "image", "network", "volume"];
/// All that `--type` may be.
const TYPES: [&str; 10] =
    ["config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"];

/// `docker inspect`.
pub(super) async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let kind = call.args.value("type").unwrap_or("");
    if call.args.given("type") && !TYPES.contains(&kind) {
        let names = TYPES.map(|t| format!("{t:?}")).join(", ");
        let problem = if kind.is_empty() {
            format!("type is empty: must be one of {names}")
        } else {
            format!("unknown type: {kind:?}: must be one of {names}")
        };
        return Err(Error::Client(problem));
    }
    let mut inspection = Inspection::new(ctx, call.args.value("format").unwrap_or("")).await?;
    for name in &call.args.positionals {
        let look = Look { template: inspection.is_template(), size: call.args.flag("size") };
        let found = match kind {
            "" => any(ctx, name, &look).await,
            kind => {
                let found = one(ctx, kind, name, &look).await;
                look.ignored(ctx, kind).await;
                found
            }
        };
        inspection.add(found);
    }
    inspection.finish(ctx).await
}

/// `docker container inspect` and `docker image inspect`.
pub(super) async fn inspect_kind<W: World>(ctx: &Ctx<W>, call: &Invocation, kind: &str) -> Result<i32> {
    image::asked_platforms(&call.args, "")?;
    let mut inspection = Inspection::new(ctx, call.args.value("format").unwrap_or("")).await?;
    for name in &call.args.positionals {
        let look = Look { template: inspection.is_template(), size: call.args.flag("size") };
        let found = match kind {
            "image" => image::resolve_for(ctx, name, &call.args, "").await.map(|_| ()),
            _ => Ok(()),
        };
        inspection.add(match found {
            Ok(()) => one(ctx, kind, name, &look).await,
            Err(error) => Err(error),
        });
    }
    inspection.finish(ctx).await
}

/// How to look at things.
struct Look {
    /// For a template, where fields that JSON leaves out are there.
    template: bool,
    /// With the bytes that a container takes.
    size: bool,
}

impl Look {
    /// Says so where a size was asked of what has none.
    async fn ignored<W: World>(&self, ctx: &Ctx<W>, kind: &str) {
        if self.size && kind != "container" {
            ctx.warn(format!("WARNING: --size ignored for {kind}\n")).await;
        }
    }
}

/// The first object of any kind with this name.
async fn any<W: World>(ctx: &Ctx<W>, name: &str, look: &Look) -> Result<Value> {
    if name.is_empty() {
        return Err(Error::Client("invalid container name or ID: value is empty".into()));
    }
    for kind in KINDS {
        if let Ok(value) = one(ctx, kind, name, look).await {
            look.ignored(ctx, kind).await;
            return Ok(value);
        }
    }
    Err(Error::Client(format!("Error: No such object: {name}")))
}

async fn one<W: World>(ctx: &Ctx<W>, kind: &str, name: &str, look: &Look) -> Result<Value> {
    match kind {
        "container" => {
            let record = container::find(ctx, name).await?;
            let mut value = container::inspect_value(ctx, &record);
            if look.size {
                let own = ctx.world().snapshot_size(&record.snapshot);
                let image = ctx.world().get::<ImageRecord>(&record.image.to_string())?.map_or(0, |i| i.size());
                value["SizeRw"] = own.into();
                value["SizeRootFs"] = (own + image).into();
            }
            Ok(value)
        }
        "image" => {
            let record = image::resolve(ctx, name).await?;
            if look.template { image::template_value(ctx, &record) } else { image::inspect_value(ctx, &record) }
        }
        "network" => network::inspect_value(ctx, &network::find(ctx, name)?),
        "volume" => Ok(volume::inspect_value(ctx, &volume::find(ctx, name)?)),
        "plugin" => Err(Error::Daemon(format!("plugin {name:?} not found"))),
        _ => Err(Error::Daemon(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.".into(),
        )),
    }
}
