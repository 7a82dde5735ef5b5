//! The embedded name service: what it says to one container, in both worlds.

use crate::container::ContainerRecord;
use crate::network::dns::{A, AAAA, Answer, Question};
use crate::world::{Fault, Records};
use std::net::IpAddr;

/// What the records say to a container's (by id) question. `None`: others have to be asked, by
/// [`servers`] where there are any.
pub fn answer<R: Records>(records: &R, container: &str, question: &Question) -> Option<Answer> {
    if let Some(address) = question.reversed() {
        return match reverse(records, container, address) {
            Ok(name) => name.map(|name| Answer::Names(vec![name])),
            Err(_) => Some(Answer::Failure),
        };
    }
    match resolve(records, container, &question.name) {
        // A name that is known has no other records than its addresses.
        Ok(found) if !found.is_empty() => Some(Answer::Addresses(found)),
        // A single word is a container's name or nothing: nobody else is asked for it.
        Ok(_) if !question.name.contains('.') && matches!(question.kind, A | AAAA) => Some(Answer::NoSuchName),
        Ok(_) => None,
        Err(_) => Some(Answer::Failure),
    }
}

/// The name servers that `--dns` gave a container; the host's are asked where there are none.
pub fn servers<R: Records>(records: &R, container: &str) -> Vec<IpAddr> {
    let record = records.get::<ContainerRecord>(container).ok().flatten();
    record.map_or(Vec::new(), |r| r.host.dns.iter().filter_map(|s| s.parse().ok()).collect())
}

/// The addresses that `name` has for `container` (by id): those of running containers of that name, alias or id
/// on the user-defined networks that both are in. None where the name has to be asked elsewhere.
///
/// # Errors
/// Where a record can't be read.
pub fn resolve<R: Records>(records: &R, container: &str, name: &str) -> Result<Vec<IpAddr>, Fault> {
    let Some(asking) = records.get::<ContainerRecord>(container)? else { return Ok(Vec::new()) };
    // `network:container` names are typed with a final dot by some resolvers.
    let name = name.trim_end_matches('.');
    let mut found: Vec<IpAddr> = Vec::new();
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
            let answers = |n: &str| n.eq_ignore_ascii_case(wanted);
            let full = wanted.strip_suffix(network.as_str()).and_then(|n| n.strip_suffix('.'));
            let is_named = other.dns_names(endpoint).iter().any(|n| answers(n) || full.is_some_and(|f| f == n));
            if is_named || answers(&other.id) {
                let addresses = endpoint.addresses().into_iter().map(|(address, _)| address);
                found.extend(addresses.filter(|a| !found.contains(a)).collect::<Vec<_>>());
            }
        }
    }
    Ok(found)
}

/// The name of the container with this address on a network that `container` is in, for reverse questions.
///
/// # Errors
/// Where a record can't be read.
pub fn reverse<R: Records>(records: &R, container: &str, address: IpAddr) -> Result<Option<String>, Fault> {
    let Some(asking) = records.get::<ContainerRecord>(container)? else { return Ok(None) };
    for other in records.list::<ContainerRecord>()? {
        for (network, endpoint) in &other.endpoints {
            if endpoint.addresses().iter().any(|(a, _)| *a == address) && asking.endpoints.contains_key(network) {
                return Ok(Some(format!("{}.{network}", other.name)));
            }
        }
    }
    Ok(None)
}
