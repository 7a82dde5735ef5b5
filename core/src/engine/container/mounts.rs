//! What is mounted into a container: volumes made and filled, binds checked, mounts of other containers.

use super::find;
use crate::container::spec::{ContainerSpec, MountSpec, clean};
use crate::container::{ContainerConfig, ContainerRecord, MountKind, MountPoint};
use crate::engine::{Ctx, Error, Result, volume};
use crate::world::World;
use crate::world::acts::SeedVolume;
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;

/// The mounts that a container shall have, volumes not made yet: those of `--volumes-from`, of `-v` and
/// `--mount`, and anonymous volumes for the image's `VOLUME` paths that are still free.
pub(super) async fn wanted<W: World>(
    ctx: &Ctx<W>,
    spec: &ContainerSpec,
    config: &ContainerConfig,
) -> Result<Vec<MountPoint>> {
    let own = spec.mount_points()?;
    for target in spec.host.tmpfs.keys() {
        if target == "/" {
            return Err(Error::Daemon("invalid specification: destination can't be '/'".into()));
        }
        if !target.starts_with('/') {
            return Err(Error::Daemon(format!("invalid mount path: '{target}' mount path must be absolute")));
        }
    }
    for mount in &spec.host.mounts {
        check_bind(ctx, mount)?;
    }
    let mut all: Vec<MountPoint> = Vec::new();
    for from in &spec.host.volumes_from {
        let (name, mode) = from.split_once(':').unwrap_or((from, ""));
        if name.is_empty() {
            return Err(Error::Daemon(match from.as_str() {
                "" => "volumes-from specification cannot be an empty string".into(),
                from => format!("invalid volumes-from specification: '{from}'"),
            }));
        }
        if !matches!(mode, "" | "ro" | "rw" | "z" | "Z") {
            return Err(Error::Daemon(format!("invalid mode: {mode}")));
        }
        for mut point in find(ctx, name).await?.mounts {
            point.writable &= mode != "ro";
            point.copy = false;
            all.retain(|p| p.destination != point.destination);
            all.push(point);
        }
    }
    for point in own {
        all.retain(|p| p.destination != point.destination);
        all.push(point);
    }
    for path in &config.image.volumes {
        if !path.starts_with('/') {
            return Err(Error::Daemon(format!("invalid mount path: '{path}' mount path must be absolute")));
        }
        let path = clean(path);
        let tmpfs = spec.host.tmpfs.keys().any(|t| clean(t) == path);
        if !tmpfs && !all.iter().any(|p| p.destination == path) {
            all.push(anonymous(path));
        }
    }
    all.arrange_by(|a, b| a.destination.cmp(&b.destination));
    Ok(all)
}

fn anonymous(destination: String) -> MountPoint {
    MountPoint {
        kind: MountKind::Volume,
        name: String::new(),
        source: String::new(),
        destination,
        mode: String::new(),
        writable: true,
        propagation: String::new(),
        subpath: String::new(),
        anonymous: true,
        copy: true,
        device: None,
        options: String::new(),
    }
}

/// `--mount type=bind` wants its source to be there; `-v` makes it.
fn check_bind<W: World>(ctx: &Ctx<W>, mount: &MountSpec) -> Result<()> {
    let missing = mount.kind == "bind" && !mount.create_host_path && ctx.world().host_file(&mount.source).is_none();
    if missing {
        return Err(Error::Daemon(format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {}",
            mount.source
        )));
    }
    Ok(())
}

/// Makes the volumes, fills new ones from the image, and notes the mounts in the record.
pub(super) async fn provide<W: World>(
    ctx: &Ctx<W>,
    record: &mut ContainerRecord,
    points: Vec<MountPoint>,
    driver: &str,
) -> Result<()> {
    for mut point in points {
        if point.kind == MountKind::Volume {
            let asked = record.host.mounts.iter().find(|m| clean(&m.target) == point.destination);
            let (driver, labels, options) = match asked {
                Some(mount) => (mount.driver.clone(), mount.labels.clone(), mount.driver_opts.clone()),
                None => (driver.to_string(), BTreeMap::new(), BTreeMap::new()),
            };
            let volume = volume::ensure(ctx, &point.name, &driver, labels, options).await?;
            point.device = volume.device();
            point.name = volume.name;
            if point.device.is_some() && !point.subpath.is_empty() {
                let why = "volumes that are mounts themselves have no volume-subpath here";
                return Err(Error::Daemon(format!("invalid mount config for type \"volume\": {why}")));
            }
            if point.mode.is_empty() && !point.anonymous {
                point.mode = "z".into();
            }
            seed(ctx, record, &point).await?;
        }
        record.mounts.push(point);
    }
    Ok(())
}

async fn seed<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, point: &MountPoint) -> Result<()> {
    // What is mounted in a volume's place is filled by whoever filled it.
    if point.device.is_some() {
        return Ok(());
    }
    let there = ctx.world().snapshot_file(&record.snapshot, &point.destination).await?;
    if !point.copy || there != Some(FileKind::Directory) || ctx.world().volume_size(&point.name) > 0 {
        return Ok(());
    }
    ctx.act(
        "An empty volume starts with what the image has at that place",
        SeedVolume { name: point.name.clone(), key: record.snapshot.clone(), path: point.destination.clone() },
    )
    .await?;
    Ok(())
}
