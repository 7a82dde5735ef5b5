//! Making volumes, by name or anonymous, and finding them.

use crate::cli::Invocation;
use crate::engine::network::pairs;
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result};
use crate::volume::{VolumeRecord, invalid_name, invalid_options};
use crate::world::World;
use crate::world::acts::CreateVolume;
use cutaway_userland::sorted::Map as BTreeMap;

/// The label of volumes that nobody gave a name.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

pub(super) async fn command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let driver = args.value("driver").unwrap_or("");
    let record = ensure(ctx, args.word(0), driver, pairs(args.values("label")), pairs(args.values("opt"))).await?;
    ctx.print(format!("{}\n", record.name)).await;
    Ok(0)
}

/// The volume of this name.
///
/// # Errors
/// `get x: no such volume`, in Docker's words.
pub fn find<W: World>(ctx: &Ctx<W>, name: &str) -> Result<VolumeRecord> {
    ctx.world().get::<VolumeRecord>(name)?.ok_or_else(|| Error::Daemon(format!("get {name}: no such volume")))
}

/// The volume of this name, made where it is not there; an empty name makes an anonymous one.
///
/// # Errors
/// Names that can't be a volume's, drivers that are not there, in Docker's words.
pub async fn ensure<W: World>(
    ctx: &Ctx<W>,
    name: &str,
    driver: &str,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
) -> Result<VolumeRecord> {
    let anonymous = name.is_empty();
    let name = if anonymous { ctx.new_id() } else { name.to_string() };
    if let Some(reason) = invalid_name(&name) {
        return Err(Error::Daemon(format!("create {name}: {reason}")));
    }
    if !matches!(driver, "" | "local") {
        return Err(Error::Daemon(format!("error looking up volume plugin {driver}: plugin {driver:?} not found")));
    }
    if let Some(record) = ctx.world().get::<VolumeRecord>(&name)? {
        return Ok(record);
    }
    if let Some(reason) = invalid_options(&options) {
        return Err(Error::Daemon(format!("create {name}: {reason}")));
    }
    let mut labels = labels;
    if anonymous {
        labels.insert(ANONYMOUS.to_string(), String::new());
    }
    let record = VolumeRecord {
        name: name.clone(),
        created: ctx.world().now(),
        driver: "local".into(),
        labels,
        options,
        anonymous,
    };
    ctx.act("A volume is a folder of the host that containers come and go around", CreateVolume { name: name.clone() })
        .await?;
    ctx.world().put(&record)?;
    publish(ctx, "volume", "create", &name, [("driver".to_string(), "local".to_string())]);
    Ok(record)
}
