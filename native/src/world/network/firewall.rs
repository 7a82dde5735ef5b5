//! Letting a bridge's network out, and keeping networks apart: rules in a table `cutaway` of nftables.
//!
//! Each bridge has two chains of its own there, so that taking them away needs no search. Where another
//! engine has left a FORWARD policy of DROP in iptables, our accepting cannot override it, so the bridge is
//! let through there as well. A machine without these tools has networks without a way out.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

fn run(program: &str, args: &[&str], input: &str) -> bool {
    let child =
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait().is_ok_and(|status| status.success())
}

/// The rules of a bridge, as `nft -f` reads them.
fn rules(bridge: &str, gateway: Ipv4Addr, prefix: u8, internal: bool) -> String {
    let mut text = format!(
        "add table ip cutaway\n\
         add set ip cutaway bridges {{ type ifname; }}\n\
         add element ip cutaway bridges {{ \"{bridge}\" }}\n\
         add chain ip cutaway forward-{bridge} {{ type filter hook forward priority -1; }}\n\
         flush chain ip cutaway forward-{bridge}\n\
         add rule ip cutaway forward-{bridge} iifname \"{bridge}\" oifname != \"{bridge}\" oifname @bridges drop\n"
    );
    if internal {
        text += &format!(
            "add rule ip cutaway forward-{bridge} iifname \"{bridge}\" oifname != \"{bridge}\" drop\n\
             add rule ip cutaway forward-{bridge} oifname \"{bridge}\" iifname != \"{bridge}\" drop\n"
        );
    } else {
        text += &format!(
            "add chain ip cutaway nat-{bridge} {{ type nat hook postrouting priority 100; }}\n\
             flush chain ip cutaway nat-{bridge}\n\
             add rule ip cutaway nat-{bridge} ip saddr {gateway}/{prefix} oifname != \"{bridge}\" masquerade\n"
        );
    }
    text
}

/// Writes the rules of a new bridge.
pub fn open(bridge: &str, gateway: Ipv4Addr, prefix: u8, internal: bool) {
    run("nft", &["-f", "-"], &rules(bridge, gateway, prefix, internal));
    if internal {
        return;
    }
    let forward = "/proc/sys/net/ipv4/ip_forward";
    if std::fs::read_to_string(forward).is_ok_and(|v| v.trim() != "1") {
        let _ = std::fs::write(forward, "1");
    }
    if forward_is_dropped() {
        for rule in accepting(bridge) {
            let words: Vec<&str> = ["-I", "FORWARD"].into_iter().chain(rule.iter().copied()).collect();
            run("iptables", &words, "");
        }
    }
}

/// Takes the rules of a bridge away.
pub fn close(bridge: &str) {
    // One by one: the chain for address translation is not there for an internal network.
    for kind in ["nat", "forward"] {
        let chain = format!("{kind}-{bridge}");
        run("nft", &["-f", "-"], &format!("flush chain ip cutaway {chain}\ndelete chain ip cutaway {chain}\n"));
    }
    run("nft", &["-f", "-"], &format!("delete element ip cutaway bridges {{ \"{bridge}\" }}\n"));
    if forward_is_dropped() {
        for rule in accepting(bridge) {
            let words: Vec<&str> = ["-D", "FORWARD"].into_iter().chain(rule.iter().copied()).collect();
            run("iptables", &words, "");
        }
    }
}

fn accepting(bridge: &str) -> [Vec<&str>; 2] {
    [
        vec!["-i", bridge, "-j", "ACCEPT"],
        vec!["-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
    ]
}

fn forward_is_dropped() -> bool {
    let output = Command::new("iptables").args(["-S", "FORWARD"]).stderr(Stdio::null()).output();
    output.is_ok_and(|o| o.stdout.starts_with(b"-P FORWARD DROP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_networks_get_no_translation() {
        let gateway = Ipv4Addr::new(172, 18, 0, 1);
        assert!(rules("br-1", gateway, 16, false).contains("ip saddr 172.18.0.1/16 oifname != \"br-1\" masquerade"));
        assert!(!rules("br-1", gateway, 16, true).contains("masquerade"));
    }
}
