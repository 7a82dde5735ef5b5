//! `docker network inspect` and `docker network ls`.

use super::find::{ensure_defaults, find};
use crate::cli::Invocation;
use crate::container::ContainerRecord;
use crate::engine::system::Inspection;
use crate::engine::{Ctx, Error, Result, settings};
use crate::name::short_id;
use crate::network::{NetworkRecord, Pool};
use crate::view::filter::Filters;
use crate::view::table::Formatter;
use crate::view::{rows, units};
use crate::world::World;
use cutaway_userland::sorted::Arrange;
use serde_json::{Map, Value, json};

pub(super) async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let mut inspection = Inspection::new(ctx, call.args.value("format").unwrap_or("")).await?;
    for name in &call.args.positionals {
        inspection.add(find(ctx, name).and_then(|record| inspect_value(ctx, &record)));
    }
    inspection.finish(ctx).await
}

/// What `docker network inspect` shows of one.
///
/// # Errors
/// Where records can't be read.
pub fn inspect_value<W: World>(ctx: &Ctx<W>, network: &NetworkRecord) -> Result<Value> {
    let mut containers = Map::new();
    for (record, endpoint) in members(ctx, network)? {
        let address = endpoint.address.map_or(String::new(), |a| format!("{a}/{}", endpoint.prefix));
        let address6 = endpoint.address6.map_or(String::new(), |a| format!("{a}/{}", endpoint.prefix6));
        containers.insert(
            record.id.clone(),
            json!({
                "Name": record.name,
                "EndpointID": endpoint.endpoint_id,
                "MacAddress": endpoint.mac.map(mac).unwrap_or_default(),
                "IPv4Address": address,
                "IPv6Address": address6,
            }),
        );
    }
    let predefined = !network.is_user_defined();
    let ipam_options = if predefined { Value::Null } else { json!(network.ipam_options) };
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": units::rfc3339(network.created),
        "Scope": network.scope(),
        "Driver": network.driver.name(),
        "EnableIPv4": has_ipv4(network),
        "EnableIPv6": has_ipv6(network),
        "IPAM": {"Driver": "default", "Options": ipam_options, "Config": pools(network)},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": false,
        "ConfigFrom": {"Network": network.config_from},
        "ConfigOnly": network.config_only.is_some(),
        "Containers": containers,
        "Options": network.options,
        "Labels": network.labels,
    }))
}

/// Networks without addresses of their own count as having IPv4.
fn has_ipv4(network: &NetworkRecord) -> bool {
    network.config_only.map_or_else(|| network.pools.is_empty() || network.ipv4().is_some(), |versions| versions.ipv4)
}

fn has_ipv6(network: &NetworkRecord) -> bool {
    network.config_only.map_or_else(|| network.ipv6().is_some(), |versions| versions.ipv6)
}

/// The entries of `IPAM.Config`: a gateway that Docker chose for a subnet that a person gave is not in them.
fn pools(network: &NetworkRecord) -> Value {
    if network.pools.is_empty() {
        return Value::Null;
    }
    let entry = |pool: &Pool| {
        let mut entry = Map::from_iter([("Subnet".to_string(), Value::from(pool.subnet.to_string()))]);
        if let Some(range) = pool.range {
            entry.insert("IPRange".into(), range.to_string().into());
        }
        if let Some(gateway) = pool.gateway.filter(|_| pool.gateway_given || !pool.subnet_given) {
            entry.insert("Gateway".into(), gateway.to_string().into());
        }
        if !pool.aux_addresses.is_empty() {
            entry.insert("AuxiliaryAddresses".into(), json!(pool.aux_addresses));
        }
        Value::Object(entry)
    };
    network.pools.iter().map(entry).collect()
}

/// `02:42:ac:11:00:02`.
fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|b| format!("{b:02x}")).join(":")
}

type Member = (ContainerRecord, crate::container::Endpoint);

/// The running containers of a network, with their places in it.
pub(super) fn members<W: World>(ctx: &Ctx<W>, network: &NetworkRecord) -> Result<Vec<Member>> {
    let all = ctx.world().list::<ContainerRecord>()?;
    let running = all.into_iter().filter(ContainerRecord::is_running);
    Ok(running
        .filter_map(|record| {
            let endpoint = record.endpoints.get(&network.name).cloned()?;
            Some((record, endpoint))
        })
        .collect())
}

const FILTERS: [&str; 8] = ["dangling", "driver", "id", "label", "label!", "name", "scope", "type"];

pub(super) async fn list<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    ensure_defaults(ctx)?;
    let args = &call.args;
    let filters = Filters::parse(args.values("filter"));
    filters.allow(&FILTERS).map_err(Error::Daemon)?;
    let dangling = filters.flag("dangling").map_err(Error::Daemon)?;
    if let Some(kind) = filters.values("type").iter().find(|kind| !matches!(kind.as_str(), "custom" | "builtin")) {
        return Err(Error::Daemon(format!("invalid filter: 'type'='{kind}'")));
    }
    let quiet = args.flag("quiet");
    let format = settings::list_format(ctx, args.value("format"), quiet, "networksFormat").await;
    let formatter = Formatter::new(&rows::NETWORKS, &format, quiet).map_err(Error::Client)?;
    let mut networks = ctx.world().list::<NetworkRecord>()?;
    networks.arrange_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    let mut shown = Vec::new();
    for network in networks {
        let user = network.is_user_defined();
        let kind = |wanted: &String| (wanted == "custom" && user) || (wanted == "builtin" && !user);
        if !(filters.exact("driver", network.driver.name())
            && filters.matches("id", &network.id)
            && filters.matches("name", &network.name)
            && filters.exact("scope", network.scope())
            && filters.labels(&network.labels)
            && (!filters.has("type") || filters.values("type").iter().any(kind)))
        {
            continue;
        }
        if let Some(wanted) = dangling
            && wanted != (user && members(ctx, &network)?.is_empty())
        {
            continue;
        }
        shown.push(row(&network, args.flag("no-trunc")));
    }
    let text = formatter.render(&shown).map_err(Error::Client)?;
    ctx.print(text).await;
    Ok(0)
}

fn row(network: &NetworkRecord, whole: bool) -> Value {
    json!({
        "CreatedAt": units::go_time_nanos(network.created),
        "Driver": network.driver.name(),
        "ID": if whole { &network.id } else { short_id(&network.id) },
        "IPv4": has_ipv4(network).to_string(),
        "IPv6": has_ipv6(network).to_string(),
        "Internal": network.internal.to_string(),
        "Labels": units::labels(&network.labels),
        "Name": network.name,
        "Scope": network.scope(),
        "@labels": network.labels,
    })
}
