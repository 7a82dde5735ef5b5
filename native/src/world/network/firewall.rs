//! Rules of the kernel's packet filter, all in a table `cutaway` of nftables: letting a bridge's network out, keeping
//! networks apart, and leading published ports to containers.
//!
//! Each bridge has two chains of its own there, and each container with published ports two more, so that taking them
//! away needs no search. Where another engine has left a FORWARD policy of DROP in iptables, our accepting cannot
//! override it, so the bridge is let through there as well. Without nft there is one notice: networks have no way out
//! then, and ports are published by the proxy alone.

use cutaway_core::network::Subnet;
use cutaway_core::world::Fault;
use cutaway_core::world::acts::PublishPort;
use std::cell::Cell;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

/// A bridge as its rules need it.
pub struct Bridge<'a> {
    pub name: &'a str,
    pub subnets: Vec<Subnet>,
    pub internal: bool,
    pub masquerade: bool,
}

/// What became of a set of rules.
enum Written {
    Done,
    /// There is no nft, or the kernel knows nothing of its tables.
    Missing(String),
    /// The rule that was refused, and why.
    Refused(String, String),
}

/// The first rule of each set: where the kernel refuses this one, it has no nftables.
const TABLE: &str = "add table inet cutaway";
const SET: &str = "add set inet cutaway bridges { type ifname; }";

/// Hands rules to nft, which takes all of them or none.
fn write(rules: &[String]) -> Written {
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match nft.spawn() {
        Ok(child) => child,
        Err(e) => return Written::Missing(format!("nft can't be run: {e}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all((rules.join("\n") + "\n").as_bytes());
    }
    match child.wait_with_output() {
        Ok(output) if output.status.success() => Written::Done,
        Ok(output) => told(rules, &String::from_utf8_lossy(&output.stderr)),
        Err(e) => Written::Missing(format!("nft can't be run: {e}")),
    }
}

/// What nft's complaint means: it begins with the place of the rule, as `/dev/stdin:3:1-40: Error: why`.
fn told(rules: &[String], complaint: &str) -> Written {
    let first = complaint.lines().next().unwrap_or("");
    let line = first.split(':').nth(1).and_then(|n| n.parse::<usize>().ok());
    let why = first.split_once("Error: ").map_or(first, |(_, why)| why).trim().to_string();
    match line.and_then(|n| rules.get(n.saturating_sub(1))) {
        Some(rule) if rule == TABLE => Written::Missing(format!("the kernel has no nftables: {why}")),
        Some(rule) => Written::Refused(rule.clone(), why),
        None => Written::Refused(rules.last().cloned().unwrap_or_default(), why),
    }
}

/// Writes rules, or says why not: a refused rule is an error, a machine without nftables gets a notice.
fn apply(rules: &[String], told: &Cell<bool>) -> Result<(), Fault> {
    match write(rules) {
        Written::Done => Ok(()),
        Written::Missing(why) => {
            if !told.replace(true) {
                eprintln!(
                    "cutaway: {why}; containers have no way out of their networks, and ports are published by a proxy only"
                );
            }
            Ok(())
        }
        Written::Refused(rule, why) => {
            Err(Fault::Malformed { what: format!("nft refused the rule {rule:?}"), reason: why })
        }
    }
}

/// The word of nft for a version of addresses.
fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

/// The rules of a bridge.
fn bridge_rules(bridge: &Bridge) -> Vec<String> {
    let name = bridge.name;
    let mut rules = vec![TABLE.to_string(), SET.to_string()];
    rules.push(format!("add element inet cutaway bridges {{ \"{name}\" }}"));
    rules.push(format!("add chain inet cutaway forward-{name} {{ type filter hook forward priority -1; }}"));
    rules.push(format!("flush chain inet cutaway forward-{name}"));
    let mut forward = |rule: String| rules.push(format!("add rule inet cutaway forward-{name} {rule}"));
    forward(format!("iifname \"{name}\" oifname != \"{name}\" oifname @bridges drop"));
    if bridge.internal {
        forward(format!("iifname \"{name}\" oifname != \"{name}\" drop"));
    } else {
        // From outside, only what is published is reached.
        forward(format!("oifname \"{name}\" iifname != \"{name}\" ct state established,related accept"));
        forward(format!("oifname \"{name}\" iifname != \"{name}\" ct status dnat accept"));
    }
    forward(format!("oifname \"{name}\" iifname != \"{name}\" drop"));
    if bridge.masquerade && !bridge.internal {
        rules.push(format!("add chain inet cutaway nat-{name} {{ type nat hook postrouting priority 100; }}"));
        rules.push(format!("flush chain inet cutaway nat-{name}"));
        for subnet in &bridge.subnets {
            let family = family(subnet.address);
            rules.push(format!(
                "add rule inet cutaway nat-{name} {family} saddr {subnet} oifname != \"{name}\" masquerade"
            ));
        }
    }
    rules
}

/// Writes the rules of a new bridge.
///
/// # Errors
/// Names the rule that was refused.
pub fn open(bridge: &Bridge, told: &Cell<bool>) -> Result<(), Fault> {
    apply(&bridge_rules(bridge), told)?;
    if bridge.internal {
        return Ok(());
    }
    for subnet in &bridge.subnets {
        let path = match subnet.is_ipv6() {
            false => "/proc/sys/net/ipv4/ip_forward",
            true => "/proc/sys/net/ipv6/conf/all/forwarding",
        };
        let on = std::fs::read_to_string(path).is_ok_and(|v| v.trim() == "1");
        if !on && let Err(e) = std::fs::write(path, "1") {
            eprintln!("cutaway: containers of {} have no way out: writing 1 into {path}: {e}", bridge.name);
        }
    }
    if forward_is_dropped() {
        for rule in accepting(bridge.name) {
            iptables("-I", &rule);
        }
    }
    Ok(())
}

/// Takes the rules of a bridge away.
pub fn close(bridge: &str) {
    // One by one: the chain for address translation is not there for an internal network.
    for kind in ["nat", "forward"] {
        remove_chain(&format!("{kind}-{bridge}"));
    }
    let _ = write(&[format!("delete element inet cutaway bridges {{ \"{bridge}\" }}")]);
    if forward_is_dropped() {
        for rule in accepting(bridge) {
            iptables("-D", &rule);
        }
    }
}

fn remove_chain(chain: &str) {
    let _ = write(&[format!("flush chain inet cutaway {chain}"), format!("delete chain inet cutaway {chain}")]);
}

/// The chains of a container: for what comes from outside, and for what the host itself sends.
fn chains(container: &str) -> [String; 2] {
    let short = container.get(..12).unwrap_or(container);
    [format!("in-{short}"), format!("out-{short}")]
}

/// The rules of a container's published ports, in place of those that it has. Containers' own calls are left to the
/// proxy, which stands in both networks; so is a caller of one version of addresses where the container has only the
/// other, and the host's loopback.
fn port_rules(container: &str, ports: &[PublishPort]) -> Vec<String> {
    let [inward, outward] = chains(container);
    let mut rules = vec![
        TABLE.to_string(),
        SET.to_string(),
        format!("add chain inet cutaway {inward} {{ type nat hook prerouting priority -100; }}"),
        format!("flush chain inet cutaway {inward}"),
        format!("add chain inet cutaway {outward} {{ type nat hook output priority -100; }}"),
        format!("flush chain inet cutaway {outward}"),
    ];
    for port in ports {
        let family = family(port.to);
        let host = match port.host.is_unspecified() {
            true => format!("meta nfproto {} fib daddr type local", if port.host.is_ipv4() { "ipv4" } else { "ipv6" }),
            false => format!("{family} daddr {}", port.host),
        };
        let loopback = if port.to.is_ipv4() { "127.0.0.0/8" } else { "::1" };
        let (protocol, to) = (port.protocol.name(), SocketAddr::new(port.to, port.port));
        let lead = format!("{protocol} dport {} dnat {family} to {to}", port.host_port);
        rules.push(format!("add rule inet cutaway {inward} iifname != @bridges {host} {lead}"));
        rules.push(format!("add rule inet cutaway {outward} {host} {family} daddr != {loopback} {lead}"));
    }
    rules
}

/// Whether the kernel can lead this port by itself.
pub fn can_lead(port: &PublishPort) -> bool {
    port.host.is_ipv4() == port.to.is_ipv4() && !port.host.is_loopback()
}

/// Leads ports to a container, these and no others.
///
/// # Errors
/// Names the rule that was refused.
pub fn lead(container: &str, ports: &[PublishPort], told: &Cell<bool>) -> Result<(), Fault> {
    if ports.is_empty() {
        withdraw(container);
        return Ok(());
    }
    apply(&port_rules(container, ports), told)
}

/// Takes the rules of a container away.
pub fn withdraw(container: &str) {
    chains(container).iter().for_each(|chain| remove_chain(chain));
}

fn accepting(bridge: &str) -> [Vec<&str>; 3] {
    [
        vec!["-i", bridge, "-j", "ACCEPT"],
        vec!["-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
        vec!["-o", bridge, "-m", "conntrack", "--ctstate", "DNAT", "-j", "ACCEPT"],
    ]
}

fn iptables(verb: &str, rule: &[&str]) {
    let words = [verb, "FORWARD"].into_iter().chain(rule.iter().copied());
    let status = Command::new("iptables").args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if verb == "-I" && !status.is_ok_and(|s| s.success()) {
        eprintln!("cutaway: iptables refused the rule \"-I FORWARD {}\"", rule.join(" "));
    }
}

fn forward_is_dropped() -> bool {
    let output = Command::new("iptables").args(["-S", "FORWARD"]).stderr(Stdio::null()).output();
    output.is_ok_and(|o| o.stdout.starts_with(b"-P FORWARD DROP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_core::world::acts::Protocol;

    fn bridge(internal: bool, masquerade: bool) -> String {
        let subnets = ["172.18.0.0/16", "fd00::/64"].map(|s| Subnet::parse(s).unwrap()).to_vec();
        bridge_rules(&Bridge { name: "br-1", subnets, internal, masquerade }).join("\n")
    }

    #[test]
    fn bridges() {
        let open = bridge(false, true);
        assert!(open.contains("ip saddr 172.18.0.0/16 oifname != \"br-1\" masquerade"), "{open}");
        assert!(open.contains("ip6 saddr fd00::/64 oifname != \"br-1\" masquerade"), "{open}");
        assert!(open.contains("ct status dnat accept"));
        assert!(!bridge(false, false).contains("masquerade"));
        let closed = bridge(true, true);
        assert!(!closed.contains("masquerade") && !closed.contains("accept"), "{closed}");
        assert!(closed.contains("iifname \"br-1\" oifname != \"br-1\" drop"));
    }

    fn port(host: &str, to: &str) -> PublishPort {
        let (host, to) = (host.parse().unwrap(), to.parse().unwrap());
        PublishPort { container: "c".repeat(64), host, host_port: 8080, protocol: Protocol::Tcp, to, port: 80 }
    }

    #[test]
    fn ports() {
        let table = [
            (
                "0.0.0.0",
                "172.17.0.2",
                true,
                "meta nfproto ipv4 fib daddr type local tcp dport 8080 dnat ip to 172.17.0.2:80",
            ),
            ("10.0.2.15", "172.17.0.2", true, "ip daddr 10.0.2.15 tcp dport 8080 dnat ip to 172.17.0.2:80"),
            ("::", "fd00::2", true, "meta nfproto ipv6 fib daddr type local tcp dport 8080 dnat ip6 to [fd00::2]:80"),
            ("::", "172.17.0.2", false, ""),
            ("127.0.0.1", "172.17.0.2", false, ""),
        ];
        for (host, to, can, rule) in table {
            let port = port(host, to);
            assert_eq!(can_lead(&port), can, "{host} {to}");
            let rules = port_rules(&port.container, std::slice::from_ref(&port));
            assert!(!can || rules.iter().any(|r| r.contains("in-cccccccccccc") && r.ends_with(rule)), "{rules:?}");
        }
    }

    #[test]
    fn complaints_name_their_rule() {
        let rules = port_rules("c", &[port("0.0.0.0", "172.17.0.2")]);
        let refused = told(&rules, "/dev/stdin:7:1-30: Error: syntax error, unexpected dnat\nadd rule\n^^^\n");
        assert!(matches!(refused, Written::Refused(rule, why) if rule == rules[6] && why.starts_with("syntax error")));
        let missing = told(&rules, "/dev/stdin:1:1-22: Error: Could not process rule: Operation not supported\n");
        assert!(matches!(missing, Written::Missing(why) if why.contains("Operation not supported")));
    }
}
