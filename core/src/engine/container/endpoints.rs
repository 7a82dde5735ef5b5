//! A container's places in networks: an address, a virtual cable, published ports. Also what
//! `docker network connect` and `disconnect` do to a container.

use super::create::endpoint;
use super::{change, files, find_by_id};
use crate::container::spec::{NetworkMode, NetworkRequest, parse_port};
use crate::container::{ContainerRecord, Endpoint, PortBinding};
use crate::engine::network::{allocate_address, ensure_bridge, find, release_address};
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkDriver, NetworkRecord};
use crate::world::acts::*;
use crate::world::{Fault, World};
use cutaway_userland::Errno;
use cutaway_userland::sorted::Arrange;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn hex<const N: usize, W: World>(ctx: &Ctx<W>) -> String {
    let mut bytes = [0; N];
    ctx.world().random(&mut bytes);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Looks up the container's networks and takes an address in each.
pub(super) async fn reserve<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord) -> Result<Vec<NetworkRecord>> {
    let mut networks = Vec::new();
    let first = NetworkMode::parse(&record.host.network_mode);
    let mut names: Vec<String> = record.endpoints.keys().cloned().collect();
    // The network of `--network` comes first and so is eth0.
    names.arrange_by_key(|name| NetworkMode::parse(name) != first);
    for name in names {
        let network = find(ctx, &name)?;
        if name != network.name
            && let Some(endpoint) = record.endpoints.remove(&name)
        {
            record.endpoints.insert(network.name.clone(), endpoint);
        }
        lease(ctx, record, &network)?;
        networks.push(network);
    }
    Ok(networks)
}

fn lease<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, network: &NetworkRecord) -> Result<()> {
    let used: Vec<String> = record.endpoints.values().map(|e| e.interface.clone()).collect();
    let Some(endpoint) = record.endpoints.get_mut(&network.name) else { return Ok(()) };
    endpoint.network_id = network.id.clone();
    endpoint.endpoint_id = ctx.new_id();
    if network.driver != NetworkDriver::Bridge {
        return Ok(());
    }
    endpoint.address = allocate_address(ctx, &network.id, &record.id, endpoint.fixed_address)?;
    endpoint.prefix = network.subnet.map_or(0, |s| s.prefix);
    endpoint.gateway = network.gateway;
    let mut mac = [0; 6];
    ctx.world().random(&mut mac);
    mac[0] = mac[0] & 0xfc | 0x02;
    endpoint.mac = Some(endpoint.fixed_mac.unwrap_or(mac));
    endpoint.interface = (0..).map(|n| format!("eth{n}")).find(|n| !used.contains(n)).unwrap_or_default();
    Ok(())
}

/// Connects the running container to a bridge by a virtual cable.
pub(super) async fn plug<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, network: &NetworkRecord) -> Result<()> {
    note(ctx, record, network, "connect");
    let id = record.id.clone();
    let Some(endpoint) = record.endpoints.get_mut(&network.name) else { return Ok(()) };
    let (Some(address), Some(mac)) = (endpoint.address, endpoint.mac) else { return Ok(()) };
    ensure_bridge(ctx, network).await?;
    let host = LinkName(format!("veth{}", &hex::<4, W>(ctx)[..7]));
    let peer = LinkName(format!("veth{}", &hex::<4, W>(ctx)[..7]));
    ctx.act(
        "A network namespace starts without a way out: a cable leads from the container to the host",
        AddVethPair { container: id.clone(), host: host.clone(), peer: peer.clone() },
    )
    .await?;
    endpoint.host_link = Some(host.clone());
    ctx.act(
        "One end stays on the host and joins the others of this network at the bridge",
        AttachToBridge { network: network.id.clone(), link: host, bridge: network.bridge.clone() },
    )
    .await?;
    let name = endpoint.interface.clone();
    ctx.act(
        "The other end becomes the container's own network interface",
        MoveLink { container: id.clone(), link: peer, name: name.clone() },
    )
    .await?;
    ctx.act(
        "Nobody can send anything to an interface that has no address",
        AddAddress { container: id, name, address, prefix: endpoint.prefix, mac },
    )
    .await?;
    Ok(())
}

/// Puts a step of a build into the default network, as `docker build` does.
pub(super) async fn plug_step<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord) -> Result<()> {
    record.endpoints.insert("bridge".into(), Endpoint::default());
    let networks = reserve(ctx, record).await?;
    for network in &networks {
        plug(ctx, record, network).await?;
    }
    if let Some(gateway) = gateway(record, &networks) {
        let act = AddRoute { container: record.id.clone(), gateway };
        ctx.act("The step may fetch what it needs from outside", act).await?;
    }
    Ok(())
}

/// The endpoint through which the container reaches everything else: the highest gateway priority, then the
/// first by name, internal networks left out.
pub(super) fn gateway(record: &ContainerRecord, networks: &[NetworkRecord]) -> Option<Ipv4Addr> {
    let mut ways: Vec<(i64, &str, Ipv4Addr)> = networks
        .iter()
        .filter(|n| !n.internal)
        .filter_map(|n| {
            let endpoint = record.endpoints.get(&n.name)?;
            endpoint.address?;
            Some((-endpoint.gw_priority, n.name.as_str(), endpoint.gateway?))
        })
        .collect();
    ways.arrange();
    ways.first().map(|(_, _, gateway)| *gateway)
}

/// Pulls the cable of one endpoint and gives its address back; the record's endpoint is left as it was asked for.
pub(super) async fn unplug<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, name: &str) {
    let Some(endpoint) = record.endpoints.get(name) else { return };
    if let Some(link) = &endpoint.host_link {
        let act = RemoveLink { link: link.clone(), container: record.id.clone(), name: endpoint.interface.clone() };
        let _ = ctx.act("The container leaves the network, so its cable is not needed", act).await;
    }
    if !endpoint.network_id.is_empty() {
        let _ = release_address(ctx, &endpoint.network_id, &record.id);
        if let Ok(Some(network)) = crate::engine::network::lookup(ctx, &endpoint.network_id) {
            note(ctx, record, &network, "disconnect");
        }
    }
}

/// An endpoint as it is while the container does not run.
pub(in crate::engine) fn at_rest(endpoint: &Endpoint) -> Endpoint {
    Endpoint {
        network_id: endpoint.network_id.clone(),
        fixed_address: endpoint.fixed_address,
        fixed_mac: endpoint.fixed_mac,
        aliases: endpoint.aliases.clone(),
        links: endpoint.links.clone(),
        driver_opts: endpoint.driver_opts.clone(),
        gw_priority: endpoint.gw_priority,
        ..Endpoint::default()
    }
}

fn note<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, network: &NetworkRecord, action: &str) {
    let attributes = [
        ("container".to_string(), record.id.clone()),
        ("name".to_string(), network.name.clone()),
        ("type".to_string(), network.driver.name().to_string()),
    ];
    publish(ctx, "network", action, &network.id, attributes);
}

/// Publishes the container's ports; those that were are in the record even where a later one fails.
pub(super) async fn publish_ports<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord) -> Result<()> {
    let way_in = record.endpoints.iter().find_map(|(_, e)| Some((e.address?, e.endpoint_id.clone())));
    let Some((to, endpoint)) = way_in else { return Ok(()) };
    let mut wanted: Vec<(String, String, String)> = Vec::new();
    for (port, bindings) in &record.host.port_bindings {
        wanted.extend(bindings.iter().map(|(ip, host)| (port.clone(), ip.clone(), host.clone())));
    }
    if record.host.publish_all {
        let open = record.config.image.exposed_ports.iter().filter(|p| !record.host.port_bindings.contains_key(*p));
        wanted.extend(open.map(|port| (port.clone(), String::new(), String::new())));
    }
    for (port, ip, host_port) in wanted {
        let Some((container_port, protocol)) = parse_port(&port) else { continue };
        let addresses: Vec<IpAddr> = match ip.as_str() {
            "" => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            ip => ip.parse().into_iter().collect(),
        };
        let act = PublishPort {
            container: record.id.clone(),
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            host_port: 0,
            protocol,
            to,
            port: container_port,
        };
        publish_one(ctx, record, &act, &addresses, &host_port)
            .await
            .map_err(|(host, port, fault)| Error::Daemon(refusal(ctx, record, &endpoint, host, port, &fault)))?;
    }
    Ok(())
}

/// Publishes one port on some addresses, the same port on each: the first of a range that is free on all.
async fn publish_one<W: World>(
    ctx: &Ctx<W>,
    record: &mut ContainerRecord,
    act: &PublishPort,
    addresses: &[IpAddr],
    range: &str,
) -> std::result::Result<(), (IpAddr, u16, Fault)> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to): (u16, u16) = (from.parse().unwrap_or(0), to.parse().unwrap_or(0));
    let mut last = None;
    for candidate in from..=to {
        let before = record.ports.len();
        let mut host_port = candidate;
        let mut failed = None;
        for host in addresses {
            let act = PublishPort { host: *host, host_port, ..act.clone() };
            match ctx.act("From outside, only the host can be reached: it passes this port on", act.clone()).await {
                Ok(port) => {
                    host_port = port;
                    record.ports.push(PortBinding {
                        container_port: act.port,
                        protocol: act.protocol,
                        host: *host,
                        host_port,
                    });
                }
                // A host without version 6 has nothing to publish there.
                Err(fault) if host.is_ipv6() && addresses.len() > 1 && no_such_family(&fault) => {}
                Err(fault) => {
                    failed = Some((*host, host_port, fault));
                    break;
                }
            }
        }
        let Some(failure) = failed else { return Ok(()) };
        for binding in record.ports.split_off(before) {
            let _ =
                ctx.act("This port is taken elsewhere, so another one is tried", unpublish(&record.id, &binding)).await;
        }
        last = Some(failure);
    }
    last.map_or(Ok(()), Err)
}

fn no_such_family(fault: &Fault) -> bool {
    matches!(fault.number(), Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

pub(super) fn unpublish(container: &str, binding: &PortBinding) -> UnpublishPort {
    UnpublishPort {
        container: container.to_string(),
        host: binding.host,
        host_port: binding.host_port,
        protocol: binding.protocol,
    }
}

/// Docker's words for a port that can't be had: another container's, or the host's own.
fn refusal<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    endpoint: &str,
    host: IpAddr,
    port: u16,
    fault: &Fault,
) -> String {
    let all = ctx.world().list::<ContainerRecord>().unwrap_or_default();
    let ours =
        all.iter().flat_map(|r| &r.ports).any(|p| p.host_port == port && (p.host == host || p.host.is_unspecified()));
    let shown = if host.is_ipv6() { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let why = if fault.number() != Some(Errno::EADDRINUSE) {
        fault.to_string()
    } else if ours {
        format!("Bind for {shown} failed: port is already allocated")
    } else {
        format!("failed to bind host port for {shown}: address already in use")
    };
    format!("driver failed programming external connectivity on endpoint {} ({endpoint}): {why}", record.name)
}

/// `docker network connect`: puts a container into one more network, at once if it runs.
///
/// # Errors
/// In Docker's words.
pub async fn connect<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    network: &NetworkRecord,
    request: &NetworkRequest,
) -> Result<()> {
    let mode = NetworkMode::parse(&record.host.network_mode);
    if network.driver == NetworkDriver::Host || mode == NetworkMode::Host {
        return Err(Error::Daemon(
            "container cannot be disconnected from host network or connected to host network".into(),
        ));
    }
    if network.driver == NetworkDriver::Null || mode == NetworkMode::None || matches!(mode, NetworkMode::Container(_)) {
        let text = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
        if network.driver == NetworkDriver::Null || mode == NetworkMode::None {
            return Err(Error::Daemon(text.into()));
        }
        return Err(Error::Daemon("container sharing network namespace with another container or host cannot be connected to any other network".into()));
    }
    if record.endpoints.contains_key(&network.name) {
        return Err(Error::Daemon(format!(
            "endpoint with name {} already exists in network {}",
            record.name, network.name
        )));
    }
    let mut record = find_by_id(ctx, &record.id)?;
    let mut place = endpoint(request, &network.name)?;
    place.network_id = network.id.clone();
    record.endpoints.insert(network.name.clone(), place);
    if record.is_running() {
        let had_names =
            record.endpoints.keys().filter(|n| **n != network.name).any(|n| NetworkMode::parse(n).is_user_defined());
        lease(ctx, &mut record, network)?;
        if let Err(error) = plug(ctx, &mut record, network).await {
            unplug(ctx, &record, &network.name).await;
            return Err(error);
        }
        if !had_names && files::has_names(&record) {
            ctx.act(
                "On networks of one's own, containers find each other by name",
                ServeNames { container: record.id.clone() },
            )
            .await?;
        }
        rewrite_files(ctx, &record).await?;
    }
    let added = record.endpoints.remove(&network.name);
    change(ctx, &record.id, |r| r.endpoints.extend(added.map(|e| (network.name.clone(), e))))?;
    Ok(())
}

/// `docker network disconnect`: takes a container out of a network, at once if it runs.
///
/// # Errors
/// In Docker's words.
pub async fn disconnect<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, network: &NetworkRecord) -> Result<()> {
    if network.driver == NetworkDriver::Host {
        return Err(Error::Daemon(
            "container cannot be disconnected from host network or connected to host network".into(),
        ));
    }
    if !record.endpoints.contains_key(&network.name) {
        return Err(Error::Daemon(format!("container {} is not connected to network {}", record.id, network.name)));
    }
    if record.is_running() {
        unplug(ctx, record, &network.name).await;
    }
    let changed = change(ctx, &record.id, |r| {
        r.endpoints.remove(&network.name);
    })?;
    if let Some(record) = changed.filter(|r| r.is_running()) {
        rewrite_files(ctx, &record).await?;
    }
    Ok(())
}

async fn rewrite_files<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<()> {
    let files = files::network_files(ctx, record);
    ctx.act("The container's own names and addresses have changed", files).await?;
    Ok(())
}
