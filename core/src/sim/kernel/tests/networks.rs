//! Networks as Docker builds them: bridges with containers, the host, the outside, published ports, names.

use super::*;
use crate::network::dns::{Answer, Question};
use crate::sim::kernel::{DnatRule, Exit, NamespaceChoice, NetNsId};
use crate::world::acts::Protocol;
use cutaway_userland::Errno;
use cutaway_userland::os::{Address, SocketKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Two bridges with two and one container, an internal one with one, and the outside.
struct Lab {
    machine: Machine,
    pids: Vec<Pid>,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> Address {
    Address::Inet(text.parse::<SocketAddr>().unwrap())
}

fn container(machine: &Machine, bridge: &str, address: &str, gateway: Option<&str>, index: usize) -> Pid {
    let pid = machine.spawn(Spawn { network: NamespaceChoice::New, ..plain(StdStream::Null) }).unwrap();
    let (host, own) = (machine.host_network(), machine.network_of(pid).unwrap());
    let (near, far) = (format!("veth{index}"), format!("tmp{index}"));
    machine.add_veth((&host, &near), (&host, &far)).unwrap();
    machine.set_master(&host, &near, Some(bridge), false).unwrap();
    machine.set_up(&host, &near, true).unwrap();
    machine.move_link(&host, &far, &own, "eth0").unwrap();
    machine.add_address(&own, "eth0", ip(address), 16).unwrap();
    machine.set_up(&own, "eth0", true).unwrap();
    machine.set_up(&own, "lo", true).unwrap();
    if let Some(gateway) = gateway {
        machine.set_default_route(&own, gateway.parse().unwrap(), None).unwrap();
    }
    pid
}

fn link(machine: &Machine, ns: &NetNsId, name: &str, address: &str, prefix: u8) {
    machine.add_address(ns, name, ip(address), prefix).unwrap();
    machine.set_up(ns, name, true).unwrap();
}

fn lab() -> Lab {
    let machine = machine();
    let (host, outside) = (machine.host_network(), machine.new_network());
    machine.add_veth((&host, "eth0"), (&outside, "wan")).unwrap();
    link(&machine, &host, "eth0", "10.0.2.15", 24);
    link(&machine, &outside, "wan", "10.0.2.2", 24);
    machine.add_address(&outside, "wan", ip("8.8.8.8"), 32).unwrap();
    machine.set_default_route(&host, ip("10.0.2.2"), None).unwrap();
    let all = [Exit::Masquerade, Exit::Masquerade, Exit::Closed];
    for (exit, (name, address)) in
        all.into_iter().zip([("br0", "172.17.0.1"), ("br1", "172.18.0.1"), ("br2", "172.19.0.1")])
    {
        machine.add_bridge(&host, name, 1500, exit).unwrap();
        link(&machine, &host, name, address, 16);
    }
    let mut pids = vec![
        container(&machine, "br0", "172.17.0.2", Some("172.17.0.1"), 0),
        container(&machine, "br0", "172.17.0.3", Some("172.17.0.1"), 1),
        container(&machine, "br1", "172.18.0.2", Some("172.18.0.1"), 2),
        container(&machine, "br2", "172.19.0.2", None, 3),
    ];
    let server = machine.spawn(Spawn { network: NamespaceChoice::New, ..plain(StdStream::Null) }).unwrap();
    pids.push(server);
    // The last one is a process in the outside.
    machine.kernel(|k| k.process_mut(server).unwrap().ns.net = outside);
    Lab { machine, pids }
}

impl Lab {
    /// A server in container `who` that answers each caller with the caller's address.
    fn serve(&self, who: usize, listen: &str) {
        let listen = at(listen);
        self.machine.start(self.pids[who], move |os| {
            Box::pin(async move {
                let fd = os.socket(SocketKind::Tcp).unwrap();
                os.bind(fd, &listen).unwrap();
                os.listen(fd, 5).unwrap();
                loop {
                    let (caller, from) = os.accept(fd).await.unwrap();
                    let Address::Inet(from) = from else { return 1 };
                    os.write(caller, from.ip().to_string().as_bytes()).await.unwrap();
                    os.close(caller).unwrap();
                }
            })
        });
        self.machine.run(1000);
    }

    /// What a caller in `who`'s namespace (or the host's) reads.
    fn call(&self, who: Option<usize>, to: &str) -> Result<String, Errno> {
        let network = who.map_or(NamespaceChoice::Inherit, |who| NamespaceChoice::Of(self.pids[who]));
        let pid = self.machine.spawn(Spawn { network, ..plain(StdStream::Null) }).unwrap();
        let (os, to) = (self.machine.os(pid), at(to));
        let answer = self.machine.run_until(FUEL, async move {
            let fd = os.socket(SocketKind::Tcp)?;
            os.connect(fd, &to).await?;
            let text = os.read(fd, 100).await?;
            assert_eq!(os.read(fd, 100).await?, b"");
            Ok(String::from_utf8_lossy(&text).into_owned())
        });
        answer.unwrap()
    }
}

#[test]
fn who_reaches_whom() {
    let lab = lab();
    let (a, b, c, internal) = (Some(0), Some(1), Some(2), Some(3));
    lab.serve(1, "0.0.0.0:80");
    lab.serve(4, "0.0.0.0:443");
    let publish = |host: &str, host_port, port| {
        let rule = DnatRule { host: ip(host), host_port, protocol: Protocol::Tcp, to: ip("172.17.0.3"), port };
        lab.machine.publish(rule)
    };
    assert_eq!(publish("0.0.0.0", 8080, 80), Ok(8080));
    assert_eq!(publish("127.0.0.1", 8080, 80), Err(Errno::EADDRINUSE));
    assert_eq!(publish("0.0.0.0", 0, 80), Ok(32_768));
    assert_eq!(publish("9.9.9.9", 1, 80), Err(Errno::EADDRNOTAVAIL));
    let refused = Err(Errno::ECONNREFUSED);
    let seen = |text: &str| Ok(text.to_string());
    let table: [(Option<usize>, &str, Result<String, Errno>); 17] = [
        (a, "172.17.0.3:80", seen("172.17.0.2")),
        (b, "127.0.0.1:80", seen("127.0.0.1")),
        (b, "172.17.0.3:80", seen("172.17.0.3")),
        (a, "172.17.0.3:81", refused.clone()),
        (a, "172.17.0.9:80", Err(Errno::EHOSTUNREACH)),
        (c, "172.17.0.3:80", Err(Errno::ETIMEDOUT)),
        (internal, "172.17.0.3:80", Err(Errno::ENETUNREACH)),
        (None, "172.17.0.3:80", seen("172.17.0.1")),
        (None, "127.0.0.1:8080", seen("172.17.0.1")),
        (None, "10.0.2.15:8080", seen("10.0.2.15")),
        (None, "127.0.0.1:8081", refused),
        (c, "10.0.2.15:8080", seen("172.17.0.1")),
        (a, "172.17.0.1:8080", seen("172.17.0.1")),
        (a, "8.8.8.8:443", seen("10.0.2.15")),
        (None, "8.8.8.8:443", seen("10.0.2.15")),
        (a, "9.9.9.9:443", Err(Errno::ETIMEDOUT)),
        (Some(4), "10.0.2.15:8080", seen("10.0.2.2")),
    ];
    for (who, to, wanted) in table {
        assert_eq!(lab.call(who, to), wanted, "{who:?} -> {to}");
    }
    lab.machine.unpublish(ip("0.0.0.0"), 8080, Protocol::Tcp);
    assert_eq!(lab.call(None, "127.0.0.1:8080"), Err(Errno::ECONNREFUSED));
    let counted = lab.machine.interfaces(&lab.machine.network_of(lab.pids[0]).unwrap());
    assert!(counted.iter().any(|i| i.name == "eth0" && i.tx_bytes > 0 && i.rx_bytes > 0));
}

#[test]
fn pings() {
    let lab = lab();
    let table = [
        (0, "172.17.0.3", true),
        (0, "172.17.0.1", true),
        (0, "8.8.8.8", true),
        (0, "127.0.0.1", true),
        (0, "172.18.0.2", false),
        (2, "172.17.0.2", false),
        (0, "172.17.0.77", false),
    ];
    for (who, to, answers) in table {
        let (os, to) = (lab.machine.os(lab.pids[who]), ip(to));
        let answer =
            lab.machine.run_until(FUEL, async move { os.ping(to, 1, 56, Duration::from_secs(1)).await }).unwrap();
        assert_eq!(answer.is_ok(), answers, "{who} -> {to}: {answer:?}");
    }
}

#[test]
fn names_are_answered_and_datagrams_return() {
    let lab = lab();
    let ns = lab.machine.network_of(lab.pids[0]).unwrap();
    let machine = lab.machine.clone();
    // The resolver may use the machine.
    let resolver = move |question: &Question| match question.name.as_str() {
        "db" if machine.now() > Duration::ZERO => Answer::Addresses(vec![ip("172.17.0.3")]),
        _ => Answer::NoSuchName,
    };
    lab.machine.set_resolver(&ns, ip("127.0.0.11"), Rc::new(resolver));
    let echo = lab.machine.os(lab.pids[4]);
    lab.machine.spawn_task(Box::pin(async move {
        let fd = echo.socket(SocketKind::Udp).unwrap();
        echo.bind(fd, &at("0.0.0.0:7")).unwrap();
        let (bytes, from) = echo.receive_from(fd, 100, None).await.unwrap();
        echo.send_to(fd, &bytes, &from).await.unwrap();
    }));
    let os = lab.machine.os(lab.pids[0]);
    let answer = lab.machine.run_until(FUEL, async move {
        let fd = os.socket(SocketKind::Udp).unwrap();
        let query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02db\x00\x00\x01\x00\x01";
        os.send_to(fd, query, &at("127.0.0.11:53")).await.unwrap();
        let (reply, server) = os.receive_from(fd, 512, Some(Duration::from_secs(1))).await.unwrap();
        os.send_to(fd, b"hello", &at("8.8.8.8:7")).await.unwrap();
        let echoed = os.receive_from(fd, 512, Some(Duration::from_secs(1))).await.unwrap();
        let silence = os.receive_from(fd, 512, Some(Duration::from_secs(1))).await;
        (reply[reply.len() - 4..].to_vec(), server, echoed, silence)
    });
    let wanted = (vec![172, 17, 0, 3], at("127.0.0.11:53"), (b"hello".to_vec(), at("8.8.8.8:7")), Err(Errno::EAGAIN));
    assert_eq!(answer, Some(wanted));
}

#[test]
fn ports_are_held_and_guarded() {
    let lab = lab();
    let os = lab.machine.os(lab.pids[0]);
    let bind = |kind, to: &str| {
        let fd = os.socket(kind).unwrap();
        let bound = os.bind(fd, &at(to));
        (fd, bound)
    };
    let (first, bound) = bind(SocketKind::Tcp, "0.0.0.0:80");
    assert_eq!(bound, Ok(()));
    assert_eq!(bind(SocketKind::Tcp, "172.17.0.2:80").1, Err(Errno::EADDRINUSE));
    assert_eq!(bind(SocketKind::Udp, "0.0.0.0:80").1, Ok(()));
    assert_eq!(bind(SocketKind::Tcp, "1.2.3.4:81").1, Err(Errno::EADDRNOTAVAIL));
    os.close(first).unwrap();
    assert_eq!(bind(SocketKind::Tcp, "172.17.0.2:80").1, Ok(()));
    os.set_ids(1000, 1000, &[]).unwrap();
    assert_eq!(bind(SocketKind::Tcp, "0.0.0.0:82").1, Err(Errno::EACCES));
    lab.machine.set_sysctl(1, "net.ipv4.ip_unprivileged_port_start", "0").unwrap();
    assert_eq!(bind(SocketKind::Tcp, "0.0.0.0:82").1, Err(Errno::EACCES), "another namespace's setting");
}

#[test]
fn sockets_by_name() {
    let machine = machine();
    let answer = as_process(&machine, |os| async move {
        let server = os.socket(SocketKind::Unix).unwrap();
        os.bind(server, &Address::Unix("/run/s.sock".into())).unwrap();
        os.listen(server, 1).unwrap();
        let client = os.socket(SocketKind::Unix).unwrap();
        os.connect(client, &Address::Unix("/run/s.sock".into())).await.unwrap();
        let (end, _) = os.accept(server).await.unwrap();
        os.write(client, b"hi").await.unwrap();
        os.shutdown(client).unwrap();
        let got = (os.read(end, 9).await.unwrap(), os.read(end, 9).await.unwrap());
        os.close(server).unwrap();
        let late = os.socket(SocketKind::Unix).unwrap();
        (got, os.connect(late, &Address::Unix("/run/s.sock".into())).await)
    });
    assert_eq!(answer, ((b"hi".to_vec(), Vec::new()), Err(Errno::ECONNREFUSED)));
}

#[test]
fn a_namespace_goes_with_its_last_process() {
    let lab = lab();
    let host = lab.machine.host_network();
    let count = |lab: &Lab| lab.machine.interfaces(&host).iter().filter(|i| i.name.starts_with("veth")).count();
    assert_eq!(count(&lab), 4);
    lab.machine.kill(lab.pids[0], cutaway_userland::os::Signal::KILL).unwrap();
    assert_eq!(count(&lab), 3);
}

#[test]
fn machines_at_one_site_have_kernels_of_their_own_and_share_time_and_cables() {
    let one = Machine::new(MachineConfig::default());
    let two = one.beside(MachineConfig { hostname: "two".into(), seed: 2, ..MachineConfig::default() });
    let (a, b) = (one.host_network(), two.host_network());
    assert_ne!(a.0, b.0);
    one.add_veth((&a, "eth0"), (&b, "eth0")).unwrap();
    for (machine, ns, last) in [(&one, &a, 1), (&two, &b, 2)] {
        machine.add_address(ns, "eth0", IpAddr::from([10, 1, 0, last]), 24).unwrap();
        machine.set_up(ns, "eth0", true).unwrap();
    }
    // A published port is its own machine's.
    let to = ip("10.9.9.9");
    let host = IpAddr::from([0, 0, 0, 0]);
    let rule = DnatRule { host, host_port: 80, protocol: Protocol::Tcp, to, port: 80 };
    two.publish(rule.clone()).unwrap();
    assert_eq!(one.publish(rule).unwrap(), 80);
    let at = SocketAddr::from(([10, 1, 0, 2], 7));
    let server = two.os(Machine::INIT);
    let listening = server.socket(SocketKind::Tcp).unwrap();
    server.bind(listening, &Address::Inet(at)).unwrap();
    server.listen(listening, 1).unwrap();
    let (serving, caller) = (server.clone(), one.os(Machine::INIT));
    two.spawn_task(Box::pin(async move {
        let (fd, _) = serving.accept(listening).await.unwrap();
        let _ = serving.write(fd, b"from two").await;
    }));
    let heard = one.run_until(10_000, async move {
        let fd = caller.socket(SocketKind::Tcp).unwrap();
        caller.connect(fd, &Address::Inet(at)).await.unwrap();
        caller.read(fd, 100).await.unwrap()
    });
    assert_eq!(heard.as_deref(), Some(&b"from two"[..]));
    assert_eq!(one.now(), two.now());
    assert!(one.processes(Machine::INIT).len() == 1 && two.processes(Machine::INIT).len() == 1);
}
