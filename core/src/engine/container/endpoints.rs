//! A container's places in networks: an address, a virtual cable, published ports. Also what
//! `docker network connect` and `disconnect` do to a container.

use super::create::{SYSCTLS, endpoint, interface_sysctls};
use super::{change, files, find_by_id};
use crate::container::spec::{NetworkMode, NetworkRequest, parse_port};
use crate::container::{ContainerRecord, Endpoint, PortBinding};
use crate::engine::network::{allocate_addresses, ensure_bridge, find, release_addresses, v4, v6};
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result};
use crate::name::Digest;
use crate::network::{NetworkDriver, NetworkRecord, Pool, Rate, Refusal};
use crate::world::acts::*;
use crate::world::{Fault, World};
use cutaway_userland::Errno;
use cutaway_userland::sorted::Arrange;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Looks up the container's networks and takes addresses in each.
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
        prepare(ctx, record, &network);
        networks.push(network);
    }
    for network in &networks {
        lease(ctx, record, network)?;
    }
    Ok(networks)
}

/// Fills in all of an endpoint that needs nobody else: its ids, its hardware address, its interface's name.
fn prepare<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, network: &NetworkRecord) {
    let used: Vec<String> = record.endpoints.values().map(|e| e.interface.clone()).collect();
    let Some(endpoint) = record.endpoints.get_mut(&network.name) else { return };
    endpoint.network_id = network.id.clone();
    endpoint.endpoint_id = ctx.new_id();
    if !network.connects() {
        return;
    }
    // An interface that shares its parent's hardware address has none of its own.
    if network.driver != NetworkDriver::Ipvlan {
        let mut mac = [0; 6];
        ctx.world().random(&mut mac);
        mac[0] = mac[0] & 0xfc | 0x02;
        endpoint.mac = Some(endpoint.fixed_mac.unwrap_or(mac));
    }
    let given = endpoint.driver_opts.get("com.docker.network.endpoint.ifname").filter(|name| !name.is_empty());
    let prefix = network.options.get("com.docker.network.container_iface_prefix").map_or("eth", String::as_str);
    let free = || (0..).map(|n| format!("{prefix}{n}")).find(|n| !used.contains(n)).unwrap_or_default();
    endpoint.interface = given.cloned().unwrap_or_else(free);
}

fn lease<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, network: &NetworkRecord) -> Result<()> {
    let Some(endpoint) = record.endpoints.get_mut(&network.name) else { return Ok(()) };
    if network.config_only.is_some() {
        return Err(Error::Daemon("cannot create endpoint on configuration-only network".into()));
    }
    if !network.connects() {
        return Ok(());
    }
    let near = |a: &IpAddr| match a {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    };
    if let Some(far) = endpoint.link_local.iter().find(|a| !near(a)) {
        return Err(Error::Daemon(format!("invalid link local IP address: {far}")));
    }
    let wanted = (endpoint.fixed_address, endpoint.fixed_address6);
    (endpoint.address, endpoint.address6) = allocate_addresses(ctx, &network.id, &record.id, wanted)?;
    let gateway = |pool: &Pool| {
        let key = if pool.subnet.is_ipv6() { "DefaultGatewayIPv6" } else { "DefaultGatewayIPv4" };
        let given = pool.aux_addresses.get(key).copied().filter(|_| !network.shares_wire());
        given.or(pool.gateway).filter(|_| !network.shares_wire() || network.leads_out())
    };
    if let Some(pool) = endpoint.address.and_then(|a| network.pool_of(a.into())) {
        endpoint.prefix = pool.subnet.prefix;
        endpoint.gateway = gateway(pool).and_then(v4);
    }
    if let Some(pool) = endpoint.address6.and_then(|a| network.pool_of(a.into())) {
        endpoint.prefix6 = pool.subnet.prefix;
        endpoint.gateway6 = gateway(pool).and_then(v6);
    }
    Ok(())
}

/// The names of a cable's two ends on the host. They follow from the ids of container and network, so that they are
/// known also where whoever laid the cable was killed before it could say so.
fn cable(container: &str, network: &str) -> (LinkName, LinkName) {
    let digits = Digest::of(format!("{container} {network}").as_bytes()).hex();
    (LinkName(format!("veth{}", &digits[..7])), LinkName(format!("veth{}", &digits[7..14])))
}

/// Takes back what somebody who was killed had a network give to a container (by id): its addresses, and the cable,
/// which was laid after they were given.
pub(super) async fn take_back<W: World>(ctx: &Ctx<W>, network: &NetworkRecord, container: &str) -> Result<()> {
    if !network.leases.values().any(|holder| holder == container) {
        return Ok(());
    }
    let (host, inner) = cable(container, &network.id);
    let link = if network.shares_wire() { inner } else { host };
    let act = RemoveLink { link, container: container.to_string(), name: String::new() };
    ctx.act("Whoever laid this cable was killed before it was of use", act).await?;
    release_addresses(ctx, &network.id, container)
}

/// Gives the running container its interface in a network, which is not yet in the container: the end of a virtual cable
/// to a bridge, or one that shares the wire of the host's. Its name, and that of the cable's other end.
async fn interface<W: World>(
    ctx: &Ctx<W>,
    container: &str,
    network: &NetworkRecord,
) -> Result<(LinkName, Option<LinkName>)> {
    let (host, peer) = cable(container, &network.id);
    if let Some(share) = network.share() {
        let (container, parent) = (container.to_string(), network.bridge.clone());
        ctx.act(
            "Without a bridge, the container is on the wire of the host's interface itself",
            AddSubInterface { container, link: peer.clone(), parent, share },
        )
        .await?;
        return Ok((peer, None));
    }
    ctx.act(
        "A network namespace starts without a way out: a cable leads from the container to the host",
        AddVethPair { container: container.to_string(), host: host.clone(), peer: peer.clone(), mtu: network.mtu },
    )
    .await?;
    Ok((peer, Some(host)))
}

/// Connects the running container to a network.
pub(super) async fn plug<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, network: &NetworkRecord) -> Result<()> {
    note(ctx, record, network, "connect");
    let (id, rate) = (record.id.clone(), record.host.resources.network_rate);
    let Some(endpoint) = record.endpoints.get_mut(&network.name) else { return Ok(()) };
    let (addresses, mac) = (endpoint.addresses(), endpoint.mac);
    if addresses.is_empty() {
        return Ok(());
    }
    ensure_bridge(ctx, network).await?;
    let (inner, host) = interface(ctx, &id, network).await?;
    endpoint.host_link = Some(host.clone().unwrap_or_else(|| inner.clone()));
    if let Some(link) = host.clone() {
        let (bridge, isolated) = (network.bridge.clone(), !network.connects_containers());
        ctx.act(
            "One end stays on the host and joins the others of this network at the bridge",
            AttachToBridge { network: network.id.clone(), link, bridge, isolated },
        )
        .await?;
    }
    let name = endpoint.interface.clone();
    let settings = endpoint.driver_opts.get(SYSCTLS).map(|text| interface_sysctls(text, &name));
    let settings = settings.transpose().map_err(Error::Daemon)?.unwrap_or_default();
    ctx.act(
        "The other end becomes the container's own network interface",
        MoveLink { container: id.clone(), link: inner, name: name.clone(), settings },
    )
    .await?;
    let near = endpoint.link_local.iter().map(|a| (*a, if a.is_ipv4() { 16 } else { 64 }));
    for (address, prefix) in addresses.into_iter().chain(near) {
        ctx.act(
            "Nobody can send anything to an interface that has no address",
            AddAddress { container: id.clone(), name: name.clone(), address, prefix, mac },
        )
        .await?;
    }
    if rate.is_some() {
        let act = ShapeTraffic { container: id, link: host, name, rate };
        ctx.act("However much it sends and receives, it leaves the wire to others", act).await?;
    }
    Ok(())
}

/// `docker update --network-rate`: shapes the cables that the container has.
pub(super) async fn shape<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, rate: Option<Rate>) -> Result<()> {
    for endpoint in record.endpoints.values() {
        let Some(link) = endpoint.host_link.clone() else { continue };
        let network = ctx.world().get::<NetworkRecord>(&endpoint.network_id)?;
        let link = Some(link).filter(|_| !network.is_some_and(|n| n.shares_wire()));
        let act = ShapeTraffic { container: record.id.clone(), link, name: endpoint.interface.clone(), rate };
        ctx.act("However much it sends and receives, it leaves the wire to others", act).await?;
    }
    Ok(())
}

/// Puts a step of a build into the default network, as `docker build` does.
pub(super) async fn plug_step<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord) -> Result<()> {
    record.endpoints.insert("bridge".into(), Endpoint::default());
    let networks = reserve(ctx, record).await?;
    for network in &networks {
        plug(ctx, record, network).await?;
    }
    route(ctx, record, &networks, &[], "The step may fetch what it needs from outside").await
}

/// Leads what is not on the container's own networks to its gateways, where they are others than before.
pub(super) async fn route<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    networks: &[NetworkRecord],
    before: &[IpAddr],
    why: &str,
) -> Result<()> {
    for gateway in gateways(record, networks).into_iter().filter(|g| !before.contains(g)) {
        ctx.act(why, AddRoute { container: record.id.clone(), gateway, on: None }).await?;
    }
    let first = ways_out(record, networks).first().copied();
    if let Some((_, endpoint)) = first.filter(|(network, _)| network.is_routed_wire()) {
        for (address, _) in endpoint.addresses() {
            let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let on = Some(endpoint.interface.clone());
            ctx.act(why, AddRoute { container: record.id.clone(), gateway: any, on }).await?;
        }
    }
    Ok(())
}

/// The networks that lead out, the one that is tried first before the others: the highest gateway priority, then the
/// first by name; internal networks lead nowhere.
fn ways_out<'a>(record: &'a ContainerRecord, networks: &'a [NetworkRecord]) -> Vec<(&'a NetworkRecord, &'a Endpoint)> {
    let open = networks.iter().filter(|n| n.leads_out());
    let mut ways: Vec<_> = open.filter_map(|n| Some((n, record.endpoints.get(&n.name)?))).collect();
    ways.retain(|(_, endpoint)| !endpoint.addresses().is_empty());
    ways.arrange_by_key(|(network, endpoint)| (-endpoint.gw_priority, network.name.clone()));
    ways
}

/// The gateways through which the container reaches everything else: one of each version at most.
pub(super) fn gateways(record: &ContainerRecord, networks: &[NetworkRecord]) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = ways_out(record, networks).iter().flat_map(|(_, e)| e.gateways()).collect();
    let of = |ipv6: bool| all.iter().find(|a| a.is_ipv6() == ipv6).copied();
    of(false).into_iter().chain(of(true)).collect()
}

/// The records of the networks that a container is in.
fn networks_of<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<Vec<NetworkRecord>> {
    let mut networks = Vec::new();
    for endpoint in record.endpoints.values() {
        networks.extend(ctx.world().get::<NetworkRecord>(&endpoint.network_id)?);
    }
    Ok(networks)
}

/// Pulls the cable of one endpoint and gives its address back; the record's endpoint is left as it was asked for.
pub(super) async fn unplug<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, name: &str) {
    let Some(endpoint) = record.endpoints.get(name) else { return };
    if let Some(link) = &endpoint.host_link {
        let act = RemoveLink { link: link.clone(), container: record.id.clone(), name: endpoint.interface.clone() };
        let _ = ctx.act("The container leaves the network, so its cable is not needed", act).await;
    }
    if !endpoint.network_id.is_empty() {
        let _ = release_addresses(ctx, &endpoint.network_id, &record.id);
        if let Ok(Some(network)) = crate::engine::network::lookup(ctx, &endpoint.network_id) {
            note(ctx, record, &network, "disconnect");
        }
    }
}

/// Forgets what only a running container has.
pub(in crate::engine) fn rest(record: &mut ContainerRecord) {
    for endpoint in record.endpoints.values_mut() {
        *endpoint = at_rest(endpoint);
    }
    record.ports.clear();
    record.sandbox = None;
    record.exec_ids.clear();
}

/// An endpoint as it is while the container does not run.
fn at_rest(endpoint: &Endpoint) -> Endpoint {
    Endpoint {
        network_id: endpoint.network_id.clone(),
        fixed_address: endpoint.fixed_address,
        fixed_address6: endpoint.fixed_address6,
        fixed_mac: endpoint.fixed_mac,
        link_local: endpoint.link_local.clone(),
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

/// Publishes the container's ports on the network that leads out; those that were are in the record even where a later
/// one fails. A container whose networks are all internal has nothing to publish.
pub(super) async fn publish_ports<W: World>(
    ctx: &Ctx<W>,
    record: &mut ContainerRecord,
    networks: &[NetworkRecord],
) -> Result<()> {
    // Whoever is on a wire of the host's is reached there: nothing leads to it, as in Docker.
    let way = ways_out(record, networks).first().copied().filter(|(network, _)| !network.shares_wire());
    let Some((network, endpoint)) = way else { return Ok(()) };
    let (binding, endpoint) = (network.host_binding(), endpoint.clone());
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
        let addresses: Vec<IpAddr> = match (ip.as_str(), binding) {
            ("", None) => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            ("", Some(address)) => vec![address],
            (ip, _) => ip.parse().into_iter().collect(),
        };
        // A caller of IPv6 is led to the container's address of IPv6, if it has one, and the others likewise.
        let to = |host: &IpAddr| {
            let own = endpoint.addresses();
            own.iter().find(|(a, _)| a.is_ipv6() == host.is_ipv6()).or(own.first()).map(|(a, _)| *a)
        };
        let acts = addresses.iter().filter_map(|host| {
            let (container, host_port) = (record.id.clone(), 0);
            Some(PublishPort { container, host: *host, host_port, protocol, to: to(host)?, port: container_port })
        });
        let acts: Vec<PublishPort> = acts.collect();
        publish_one(ctx, record, &acts, &host_port).await.map_err(|(act, fault)| {
            let why = refusal(ctx, record, &act, &host_port, &fault);
            let (name, id) = (&record.name, &endpoint.endpoint_id);
            Error::Daemon(format!("driver failed programming external connectivity on endpoint {name} ({id}): {why}"))
        })?;
    }
    Ok(())
}

/// Publishes one port on some addresses, the same port on each: the first of a range that is free on all.
async fn publish_one<W: World>(
    ctx: &Ctx<W>,
    record: &mut ContainerRecord,
    acts: &[PublishPort],
    range: &str,
) -> std::result::Result<(), (PublishPort, Fault)> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to): (u16, u16) = (from.parse().unwrap_or(0), to.parse().unwrap_or(0));
    let mut last = None;
    for candidate in from..=to {
        let before = record.ports.len();
        let mut host_port = candidate;
        let mut failed = None;
        for act in acts {
            let (act, host) = (PublishPort { host_port, ..act.clone() }, act.host);
            match ctx.act("From outside, only the host can be reached: it passes this port on", act.clone()).await {
                Ok(port) => {
                    host_port = port;
                    record.ports.push(PortBinding {
                        container_port: act.port,
                        protocol: act.protocol,
                        host,
                        host_port,
                    });
                }
                // A host without version 6 has nothing to publish there.
                Err(fault) if host.is_ipv6() && acts.len() > 1 && no_such_family(&fault) => {}
                Err(fault) => {
                    failed = Some((act, fault));
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

/// Docker's words for a port that can't be had: another container's, or the host's own. Source: moby,
/// libnetwork/portallocator and libnetwork/drivers/bridge/port_mapping_linux.go.
fn refusal<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, act: &PublishPort, range: &str, fault: &Fault) -> String {
    let all = ctx.world().list::<ContainerRecord>().unwrap_or_default();
    let mut known = all.iter().flat_map(|r| &r.ports).chain(&record.ports);
    let ours = known.any(|p| p.host_port == act.host_port && (p.host == act.host || p.host.is_unspecified()));
    let shown = SocketAddr::new(act.host, act.host_port);
    let why = match fault.number() {
        Some(Errno::EADDRINUSE) if ours && range.split_once('-').is_some_and(|(from, to)| from != to) => {
            return "all ports are allocated".into();
        }
        Some(Errno::EADDRINUSE) if ours => return format!("Bind for {shown} failed: port is already allocated"),
        Some(Errno::EADDRINUSE) => "address already in use",
        Some(Errno::EADDRNOTAVAIL) => "cannot assign requested address",
        Some(Errno::EACCES) => "permission denied",
        _ => return fault.to_string(),
    };
    let to = SocketAddr::new(act.to, act.port);
    format!("failed to bind host port for {shown}:{to}/{}: {why}", act.protocol.name())
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
    const SHARED: &str =
        "container sharing network namespace with another container or host cannot be connected to any other network";
    if matches!(mode, NetworkMode::Container(_)) {
        return Err(Error::Daemon(SHARED.into()));
    }
    let request = NetworkRequest { name: network.name.clone(), ..request.clone() };
    let mut place = endpoint(&request, &network.name).map_err(unnamed)?;
    check_place(network, &place).map_err(|why| Error::Daemon(format!("invalid endpoint settings:\n{why}")))?;
    if network.driver == NetworkDriver::Host && mode != NetworkMode::Host {
        return Err(Error::Daemon(
            "container cannot be disconnected from host network or connected to host network".into(),
        ));
    }
    if record.endpoints.contains_key(&network.name) {
        // What is asked for twice of a container that does not run is there already.
        if !record.is_running() {
            return Ok(());
        }
        return Err(Error::Daemon(format!(
            "endpoint with name {} already exists in network {}",
            record.name, network.name
        )));
    }
    if mode == NetworkMode::Host && !record.endpoints.is_empty() {
        return Err(Error::Daemon(SHARED.into()));
    }
    let alone = |name: &str| matches!(NetworkMode::parse(name), NetworkMode::None);
    if !record.endpoints.is_empty() && (alone(&network.name) || record.endpoints.keys().any(|name| alone(name))) {
        let why = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
        return Err(Error::Daemon(why.into()));
    }
    let mut record = find_by_id(ctx, &record.id)?;
    place.network_id = network.id.clone();
    let before = gateways(&record, &networks_of(ctx, &record)?);
    record.endpoints.insert(network.name.clone(), place);
    if record.is_running() {
        let had_names =
            record.endpoints.keys().filter(|n| **n != network.name).any(|n| NetworkMode::parse(n).is_user_defined());
        prepare(ctx, &mut record, network);
        ctx.world().undertake(&record.id)?;
        let plugged = match lease(ctx, &mut record, network) {
            Ok(()) => plug(ctx, &mut record, network).await,
            Err(error) => Err(error),
        };
        if let Err(error) = plugged {
            unplug(ctx, &record, &network.name).await;
            ctx.world().completed(&record.id);
            return Err(error);
        }
        route(ctx, &record, &networks_of(ctx, &record)?, &before, "Another network leads out from now on").await?;
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
    ctx.world().completed(&record.id);
    Ok(())
}

/// `docker network disconnect`: takes a container out of a network, at once if it runs.
///
/// # Errors
/// In Docker's words.
pub async fn disconnect<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, network: &NetworkRecord) -> Result<()> {
    if record.is_running() && network.driver == NetworkDriver::Host && record.host.network_mode == "host" {
        return Err(Error::Daemon(
            "container cannot be disconnected from host network or connected to host network".into(),
        ));
    }
    if !record.endpoints.contains_key(&network.name) {
        let the = if record.is_running() { "" } else { "the " };
        return Err(Error::Daemon(format!(
            "container {} is not connected to {the}network {}",
            record.id, network.name
        )));
    }
    let before = gateways(record, &networks_of(ctx, record)?);
    if record.is_running() {
        unplug(ctx, record, &network.name).await;
    }
    let changed = change(ctx, &record.id, |r| {
        r.endpoints.remove(&network.name);
    })?;
    if let Some(record) = changed.filter(|r| r.is_running()) {
        route(ctx, &record, &networks_of(ctx, &record)?, &before, "Another network leads out from now on").await?;
        rewrite_files(ctx, &record).await?;
    }
    Ok(())
}

/// Puts a container that does not run into a network that is not there: it is looked for when the container starts.
pub fn expect<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, request: &NetworkRequest) -> Result<()> {
    let place = endpoint(request, &request.name).map_err(unnamed)?;
    change(ctx, &record.id, |r| {
        r.endpoints.insert(request.name.clone(), place);
    })?;
    Ok(())
}

/// Takes a container out of a network that is not there (any more).
pub fn forget<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, network: &str) -> Result<()> {
    if !record.endpoints.contains_key(network) {
        return Err(Error::Daemon(format!("container {} is not connected to the network {network}", record.id)));
    }
    change(ctx, &record.id, |r| {
        r.endpoints.remove(network);
    })?;
    Ok(())
}

/// `network connect` says of its settings only that they are wrong, not of which network.
fn unnamed(error: Error) -> Error {
    match error {
        Error::Daemon(text) => {
            let tail = text.find("invalid endpoint settings:").map(|at| text[at..].to_string());
            Error::Daemon(tail.unwrap_or(text))
        }
        other => other,
    }
}

/// Addresses that a network can't give. Source: moby, daemon/container_operations.go, validateEndpointSettings.
pub(super) fn check_place(network: &NetworkRecord, place: &Endpoint) -> std::result::Result<(), String> {
    let four = place.fixed_address.map(IpAddr::V4).into_iter();
    let outside = four.chain(place.fixed_address6.map(IpAddr::V6)).filter(|a| network.pool_of(*a).is_none());
    let wrong: Vec<String> = outside.map(|address| Refusal::Outside(address).to_string()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

async fn rewrite_files<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<()> {
    let files = files::network_files(ctx, record);
    ctx.act("The container's own names and addresses have changed", files).await?;
    Ok(())
}
