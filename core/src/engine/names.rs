//! The embedded name service: which addresses a name has for one container.

use crate::container::ContainerRecord;
use crate::world::{Fault, Records};
use std::net::{IpAddr, Ipv4Addr};

/// The addresses that `name` has for `container` (by id): those of running containers of that name, alias or id
/// on the user-defined networks that both are in. None where the name has to be asked elsewhere.
///
/// # Errors
/// Where a record can't be read.
pub fn resolve<R: Records>(records: &R, container: &str, name: &str) -> Result<Vec<IpAddr>, Fault> {
    let Some(asking) = records.get::<ContainerRecord>(container)? else { return Ok(Vec::new()) };
    // `network:container` names are typed with a final dot by some resolvers.
    let name = name.trim_end_matches('.');
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let all = records.list::<ContainerRecord>()?;
    for (network, mine) in &asking.endpoints {
        if matches!(network.as_str(), "bridge" | "host" | "none") {
            continue;
        }
        let linked =
            mine.links.iter().filter_map(|l| l.split_once(':')).find(|(_, alias)| alias.eq_ignore_ascii_case(name));
        let wanted = linked.map_or(name, |(target, _)| target);
        for other in &all {
            let Some(endpoint) = other.endpoints.get(network).filter(|e| e.network_id == mine.network_id) else {
                continue;
            };
            let Some(address) = endpoint.address else { continue };
            let answers = |n: &str| n.eq_ignore_ascii_case(wanted);
            let full = wanted.strip_suffix(network.as_str()).and_then(|n| n.strip_suffix('.'));
            let is_named = other.dns_names(endpoint).iter().any(|n| answers(n) || full.is_some_and(|f| f == n));
            if (is_named || answers(&other.id)) && !found.contains(&address) {
                found.push(address);
            }
        }
    }
    Ok(found.into_iter().map(IpAddr::V4).collect())
}

/// The name of the container with this address on a network that `container` is in, for reverse questions.
///
/// # Errors
/// Where a record can't be read.
pub fn reverse<R: Records>(records: &R, container: &str, address: Ipv4Addr) -> Result<Option<String>, Fault> {
    let Some(asking) = records.get::<ContainerRecord>(container)? else { return Ok(None) };
    for other in records.list::<ContainerRecord>()? {
        for (network, endpoint) in &other.endpoints {
            if endpoint.address == Some(address) && asking.endpoints.contains_key(network) {
                return Ok(Some(format!("{}.{network}", other.name)));
            }
        }
    }
    Ok(None)
}
