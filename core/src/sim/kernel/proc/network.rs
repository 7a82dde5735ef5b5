//! The files of /proc/PID/net: interfaces, routes, sockets, neighbours.

use crate::engine::network::v4;
use crate::sim::kernel::net::NetNsId;
use crate::sim::kernel::state::Kernel;
use cutaway_userland::os::SocketKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(super) const FILES: [&str; 8] = ["arp", "dev", "if_inet6", "route", "snmp", "tcp", "udp", "unix"];

pub(super) fn read(k: &Kernel, ns: &NetNsId, name: &str) -> String {
    match name {
        "dev" => {
            let mut text = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n".to_string();
            for i in k.net.interfaces(ns) {
                text += &format!(
                    "{:>6}: {:>7} {:>7}    0    0    0     0          0         0 {:>8} {:>7}    0    0    0     0       0          0\n",
                    i.name, i.rx_bytes, i.rx_packets, i.tx_bytes, i.tx_packets
                );
            }
            text
        }
        "route" => {
            let mut text =
                "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n"
                    .to_string();
            for route in k.net.routes(ns) {
                let IpAddr::V4(destination) = route.destination else { continue };
                let gateway = route.gateway.and_then(v4).unwrap_or(Ipv4Addr::UNSPECIFIED);
                let mask = if route.prefix == 0 { 0 } else { u32::MAX << (32 - u32::from(route.prefix)) };
                let flags = if route.gateway.is_some() { 3 } else { 1 };
                text += &format!(
                    "{}\t{}\t{}\t{flags:04X}\t0\t0\t0\t{:08X}\t0\t0\t0                                                                             \n",
                    route.device,
                    hex(destination),
                    hex(gateway),
                    mask.swap_bytes(),
                );
            }
            text
        }
        "if_inet6" => {
            let mut text = String::new();
            for i in k.net.interfaces(ns) {
                for (address, prefix) in &i.addresses {
                    let IpAddr::V6(address) = address else { continue };
                    let scope = match address.segments()[0] {
                        _ if address.is_loopback() => 0x10,
                        s if s & 0xffc0 == 0xfe80 => 0x20,
                        _ => 0,
                    };
                    text += &format!(
                        "{:032x} {:02x} {prefix:02x} {scope:02x} 80 {:>8}\n",
                        u128::from(*address),
                        i.index,
                        i.name
                    );
                }
            }
            text
        }
        "tcp" => sockets(k, ns, SocketKind::Tcp),
        "udp" => sockets(k, ns, SocketKind::Udp),
        "arp" => "IP address       HW type     Flags       HW address            Mask     Device\n".into(),
        "unix" => "Num       RefCount Protocol Flags    Type St Inode Path\n".into(),
        _ => String::new(),
    }
}

/// An address as these files write it: bytes in the order of a little-endian machine.
fn hex(address: Ipv4Addr) -> String {
    format!("{:08X}", u32::from(address).swap_bytes())
}

fn sockets(k: &Kernel, ns: &NetNsId, kind: SocketKind) -> String {
    let mut text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n".to_string();
    let show = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => format!("{}:{:04X}", hex(ip), address.port()),
        IpAddr::V6(_) => format!("00000000:{:04X}", address.port()),
    };
    for (n, (local, remote, listening)) in k.net.sockets(ns, kind).into_iter().enumerate() {
        let state = match (kind, listening) {
            (SocketKind::Udp, _) => "07",
            (_, true) => "0A",
            (_, false) => "01",
        };
        text += &format!(
            "{n:>4}: {} {} {state} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0000000000000000 100 0 0 10 0\n",
            show(local),
            show(remote),
            20_000 + n
        );
    }
    text
}
