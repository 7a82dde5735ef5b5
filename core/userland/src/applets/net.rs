//! Tools of the network: `nslookup`, `ping`, `nc`, `ip`, `ifconfig`, `route`, `netstat`, `arp`.

use super::resolve::{self, Answer};
use super::{Ending, Tool, http, sizes};
use crate::errno::Errno;
use crate::os::{Address, Disposition, Fd, Interface, Os, PollFd, Route, Signal, SocketKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub async fn nslookup<O: Os>(t: &Tool<O>) -> Ending {
    let words: Vec<&String> = t.args.iter().filter(|a| !a.starts_with('-')).collect();
    let Some(name) = words.first().map(|w| w.as_str()) else { return Err(t.usage()) };
    let (servers, domains) = resolve::servers(t).await;
    let server = match words.get(1) {
        Some(given) => resolve::resolve(t, given).await.ok_or_else(|| t.die(format_args!("bad address '{given}'")))?,
        None => servers.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    t.print(format!("Server:\t\t{server}\nAddress:\t{}\n\n", SocketAddr::new(server, 53)));
    let address = name.parse::<IpAddr>().ok();
    let questions = match address {
        Some(address) => vec![(resolve::reverse(address), resolve::PTR)],
        None => {
            let dotless = !name.contains('.') && !domains.is_empty();
            let full = if dotless { format!("{name}.{}", domains[0]) } else { name.to_string() };
            vec![(full.clone(), resolve::A), (full, resolve::AAAA)]
        }
    };
    let mut status = 0;
    for (asked, kind) in questions {
        match resolve::ask(t, SocketAddr::new(server, 53), &asked, kind).await {
            Ok(Answer::Addresses(found)) => {
                t.line("Non-authoritative answer:");
                found.iter().for_each(|ip| t.print(format!("Name:\t{asked}\nAddress: {ip}\n")));
                t.print("\n");
            }
            Ok(Answer::Name(name)) => t.print(format!("Non-authoritative answer:\n{asked}\tname = {name}\n\n")),
            Ok(Answer::Refused(code)) => {
                let why = match code {
                    1 => "FORMERR",
                    2 => "SERVFAIL",
                    3 => "NXDOMAIN",
                    4 => "NOTIMP",
                    _ => "REFUSED",
                };
                t.print(format!("** server can't find {asked}: {why}\n\n"));
                status = 1;
            }
            Err(Errno::ETIMEDOUT) => {
                t.line(";; connection timed out; no servers could be reached\n");
                return Ok(1);
            }
            Err(e) => return Err(t.die(format_args!("write to '{server}': {e}"))),
        }
    }
    Ok(status)
}

pub async fn ping<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("c:W:w:i:s:q46I:t:", &[])?;
    let Some(host) = o.rest.first() else { return Err(t.usage()) };
    let count: u64 = o.value('c').map_or(Ok(0), |c| t.number(c))?;
    let size: usize = o.value('s').map_or(Ok(56), |s| t.number(s))?.min(65507);
    let patience = Duration::from_secs(o.value('W').map_or(Ok(10), |w| t.number(w))?);
    let pause = o.value('i').and_then(super::basics::duration).unwrap_or(Duration::from_secs(1));
    let deadline = match o.value('w') {
        Some(w) => Some(t.os.uptime() + Duration::from_secs(t.number(w)?)),
        None => None,
    };
    let kinds: &[u16] = match (t.name == "ping6" || o.has('6'), o.has('4')) {
        (true, _) => &[resolve::AAAA],
        (false, true) => &[resolve::A],
        (false, false) => &[resolve::A, resolve::AAAA],
    };
    let found = resolve::resolve_as(t, host, kinds).await;
    let ip = found.ok_or_else(|| t.die(format_args!("bad address '{host}'")))?;
    t.line(format!("PING {host} ({ip}): {size} data bytes"));
    let _ = t.os.sigaction(Signal::INT, Disposition::Catch);
    let (mut sent, mut times) = (0u64, Vec::<Duration>::new());
    loop {
        t.flush().await;
        let began = t.os.uptime();
        sent += 1;
        match t.os.ping(ip, (sent - 1) as u16, size, patience).await {
            Ok(time) => {
                if !o.has('q') {
                    let (bytes, ms) = (size + 8, time.as_secs_f64() * 1e3);
                    t.line(format!("{bytes} bytes from {ip}: seq={} ttl=64 time={ms:.3} ms", sent - 1));
                }
                times.push(time);
            }
            Err(Errno::EPERM | Errno::EACCES) => return Err(t.die("permission denied (are you root?)")),
            Err(Errno::EAGAIN | Errno::ETIMEDOUT | Errno::EHOSTUNREACH) => {}
            Err(Errno::EINTR) => break,
            Err(e) => return Err(t.die(format_args!("sendto: {e}"))),
        }
        if count > 0 && sent >= count || deadline.is_some_and(|d| t.os.uptime() + pause > d) {
            break;
        }
        let rest = pause.saturating_sub(t.os.uptime().saturating_sub(began));
        if t.os.take_signal().is_some() || t.os.sleep(rest).await.is_err() {
            break;
        }
    }
    let received = times.len() as u64;
    let loss = (sent - received) * 100 / sent;
    t.line(format!("\n--- {host} ping statistics ---"));
    t.line(format!("{sent} packets transmitted, {received} packets received, {loss}% packet loss"));
    if let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) {
        let ms = |d: &Duration| d.as_secs_f64() * 1e3;
        let average = times.iter().map(ms).sum::<f64>() / received as f64;
        t.line(format!("round-trip min/avg/max = {:.3}/{average:.3}/{:.3} ms", ms(least), ms(most)));
    }
    Ok(i32::from(times.is_empty()))
}

pub async fn nc<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+lp:w:i:e:zvnNkq:", &[])?;
    let limit = o.value('w').and_then(super::basics::duration);
    let mut words = o.rest.iter();
    if o.has('l') {
        let port = match o.value('p').or(words.next().map(String::as_str)) {
            Some(port) => t.number::<u16>(port)?,
            None => return Err(t.usage()),
        };
        let fd = t.os.socket(SocketKind::Tcp).map_err(|e| t.die(format_args!("socket: {e}")))?;
        let any = Address::Inet(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
        t.os.bind(fd, &any).map_err(|e| t.die(format_args!("bind: {e}")))?;
        t.os.listen(fd, 1).map_err(|e| t.die(format_args!("listen: {e}")))?;
        loop {
            let (caller, _) = t.os.accept(fd).await.map_err(|e| t.die(format_args!("accept: {e}")))?;
            if o.has('e') {
                return hand_over(t, caller, &o, words.as_slice()).await;
            }
            talk(t, caller, limit).await;
            t.close(caller);
            if !o.has('k') {
                return Ok(0);
            }
        }
    }
    let (Some(host), Some(port)) = (words.next(), words.next()) else { return Err(t.usage()) };
    let port = t.number(port)?;
    let ip = resolve::resolve(t, host).await.ok_or_else(|| t.die(format_args!("bad address '{host}'")))?;
    let fd = match http::connect(t, ip, port, limit).await {
        Ok(fd) => fd,
        Err(http::Failure::Connect(ip, e)) => {
            return Err(t.die(format_args!("can't connect to remote host ({ip}): {e}")));
        }
        Err(_) => return Err(t.die("timed out")),
    };
    if o.has('v') {
        t.complain(format_args!("{host} ({ip}:{port}) open\n"));
    }
    if o.has('z') {
        t.close(fd);
        return Ok(0);
    }
    if o.has('e') {
        return hand_over(t, fd, &o, words.as_slice()).await;
    }
    talk(t, fd, None).await;
    Ok(0)
}

async fn hand_over<O: Os>(t: &Tool<O>, fd: Fd, o: &super::options::Options, rest: &[String]) -> Ending {
    for to in 0..3 {
        let _ = t.os.dup2(fd, to);
    }
    t.close(fd);
    let argv: Vec<String> = o.value('e').into_iter().map(str::to_string).chain(rest.iter().cloned()).collect();
    Ok(t.exec(&argv, &t.env).await)
}

/// Both ways at once: standard input to the other side, its answers to standard output.
async fn talk<O: Os>(t: &Tool<O>, fd: Fd, limit: Option<Duration>) {
    let mut input_open = true;
    loop {
        let mut asked = vec![PollFd { fd, read: true, ..PollFd::default() }];
        if input_open {
            asked.push(PollFd { fd: 0, read: true, ..PollFd::default() });
        }
        t.flush().await;
        let Ok(ready) = t.os.poll(&asked, limit).await else { return };
        let is = |i: usize| ready.get(i).is_some_and(|p: &PollFd| p.read || p.hangup);
        if !is(0) && !is(1) && limit.is_some() {
            return;
        }
        if is(1) {
            match t.read(0).await {
                Ok(chunk) if !chunk.is_empty() => {
                    if t.write_all(fd, &chunk).await.is_err() {
                        return;
                    }
                }
                _ => {
                    input_open = false;
                    let _ = t.os.shutdown(fd);
                }
            }
        }
        if is(0) {
            match t.read(fd).await {
                Ok(chunk) if !chunk.is_empty() => t.print(chunk),
                _ => return,
            }
        }
    }
}

fn mac(bytes: &[u8; 6], upper: bool) -> String {
    let text = bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":");
    if upper { text.to_uppercase() } else { text }
}

fn mask(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0))
}

fn broadcast(ip: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip) | !u32::from(mask(prefix)))
}

fn full_name(i: &Interface) -> String {
    i.peer.map_or_else(|| i.name.clone(), |peer| format!("{}@if{peer}", i.name))
}

/// The first lines of an interface, as `ip` shows them.
fn link_lines(i: &Interface) -> [String; 2] {
    let mut flags = vec![if i.loopback { "LOOPBACK" } else { "BROADCAST,MULTICAST" }];
    if i.up {
        flags.extend(["UP", "LOWER_UP"]);
    }
    if i.peer.is_some() {
        flags.push("M-DOWN");
    }
    let queue = match (i.up, i.peer.is_some()) {
        (true, true) => "noqueue ",
        (true, false) => "noqueue qlen 1000",
        (false, _) => "noop qlen 1000",
    };
    let (kind, everyone) = match i.loopback {
        true => ("loopback", "00:00:00:00:00:00"),
        false => ("ether", "ff:ff:ff:ff:ff:ff"),
    };
    [
        format!("{}: {}: <{}> mtu {} qdisc {queue}", i.index, full_name(i), flags.join(","), i.mtu),
        format!("    link/{kind} {} brd {everyone}", mac(&i.mac, false)),
    ]
}

fn address_lines(i: &Interface, ip: IpAddr, prefix: u8) -> [String; 2] {
    let text = match ip {
        IpAddr::V4(v4) if i.loopback => format!("inet {v4}/{prefix} scope host {}", i.name),
        IpAddr::V4(v4) => format!("inet {v4}/{prefix} brd {} scope global {}", broadcast(v4, prefix), i.name),
        IpAddr::V6(v6) => {
            let scope = match () {
                () if v6.is_loopback() => "host",
                () if v6.segments()[0] & 0xffc0 == 0xfe80 => "link",
                () => "global",
            };
            format!("inet6 {v6}/{prefix} scope {scope} ")
        }
    };
    [text, "       valid_lft forever preferred_lft forever".to_string()]
}

pub async fn ip<O: Os>(t: &Tool<O>) -> Ending {
    let (mut one_line, mut family, mut brief, mut words) = (false, None, false, Vec::new());
    for word in &t.args {
        match word.as_str() {
            "-o" | "-oneline" if words.is_empty() => one_line = true,
            "-4" => family = Some(4),
            "-6" => family = Some(6),
            "-br" | "-brief" => brief = true,
            "-c" | "-color" | "-d" | "-s" => {}
            w if w.starts_with('-') && words.is_empty() => return Err(t.usage()),
            w => words.push(w),
        }
    }
    let what = words.first().copied().unwrap_or("");
    let verb = words.get(1).copied().unwrap_or("show");
    let object =
        ["address", "route", "link", "neigh", "rule"].into_iter().find(|o| !what.is_empty() && o.starts_with(what));
    let Some(object) = object else { return Err(t.usage()) };
    if !["show", "list", "lst", "get"].iter().any(|v| v.starts_with(verb)) && verb != "dev" {
        // There is no call that changes a network from inside: it is the engine's.
        t.complain("ip: RTNETLINK answers: Operation not permitted\n");
        return Err(2);
    }
    let device = words.iter().skip(1).rfind(|w| !["show", "list", "dev", "s", "sh", "ls", "up"].contains(*w)).copied();
    match object {
        "address" | "link" => links(t, object == "address", device, one_line, brief, family),
        "route" => {
            let of_family = |r: &Route| r.destination.is_ipv6() == (family == Some(6));
            for r in t.os.routes().map_err(|e| t.die(e))?.into_iter().filter(of_family) {
                let to = if r.prefix == 0 { "default".to_string() } else { format!("{}/{}", r.destination, r.prefix) };
                match (r.gateway, r.source) {
                    (Some(gateway), _) => t.line(format!("{to} via {gateway} dev {} ", r.device)),
                    (None, Some(source)) if source.is_ipv4() => {
                        t.line(format!("{to} dev {} scope link  src {source} ", r.device))
                    }
                    (None, None) if r.destination.is_ipv4() => t.line(format!("{to} dev {} scope link ", r.device)),
                    (None, _) => t.line(format!("{to} dev {}  metric 256 ", r.device)),
                }
            }
            Ok(0)
        }
        _ => Ok(0),
    }
}

fn links<O: Os>(
    t: &Tool<O>,
    addresses: bool,
    device: Option<&str>,
    one: bool,
    brief: bool,
    family: Option<u8>,
) -> Ending {
    let all = t.os.interfaces().map_err(|e| t.die(e))?;
    let shown: Vec<&Interface> = all.iter().filter(|i| device.is_none_or(|d| d == i.name)).collect();
    if let (true, Some(device)) = (shown.is_empty(), device) {
        return Err(t.die(format_args!("can't find device '{device}'")));
    }
    for i in shown {
        let wanted = |ip: &IpAddr| family.is_none_or(|f| (f == 4) == ip.is_ipv4());
        let own: Vec<&(IpAddr, u8)> = i.addresses.iter().filter(|(ip, _)| wanted(ip)).collect();
        if addresses && family.is_some() && own.is_empty() {
            continue;
        }
        if brief {
            let state = if i.loopback {
                "UNKNOWN"
            } else if i.up {
                "UP"
            } else {
                "DOWN"
            };
            let tail = match addresses {
                true => own.iter().map(|(ip, p)| format!("{ip}/{p} ")).collect(),
                false => format!("{} ", mac(&i.mac, false)),
            };
            t.line(format!("{:<16} {state:<14} {tail}", full_name(i)));
            continue;
        }
        let [first, second] = link_lines(i);
        match (addresses, one) {
            (false, true) => t.line(format!("{first}\\{second}")),
            (true, true) => {}
            _ => {
                t.line(first);
                if family.is_none() || !addresses {
                    t.line(second);
                }
            }
        }
        for (ip, prefix) in own.iter().filter(|_| addresses) {
            let [first, second] = address_lines(i, *ip, *prefix);
            match one {
                true => t.line(format!("{}: {}    {first}\\{second}", i.index, i.name)),
                false => t.line(format!("    {first}\n{second}")),
            }
        }
    }
    Ok(0)
}

pub async fn ifconfig<O: Os>(t: &Tool<O>) -> Ending {
    let wanted = t.args.iter().find(|a| !a.starts_with('-'));
    let all = t.os.interfaces().map_err(|e| t.die(e))?;
    let shown: Vec<&Interface> = all.iter().filter(|i| wanted.is_none_or(|w| *w == i.name)).collect();
    if let (true, Some(name)) = (shown.is_empty(), wanted) {
        return Err(t.die(format_args!("{name}: error fetching interface information: Device not found")));
    }
    let size = |n: u64| match n {
        0..1024 => format!("{n}.0 B"),
        n => {
            let text = sizes::human(n);
            format!("{} {}iB", &text[..text.len() - 1], &text[text.len() - 1..])
        }
    };
    for i in shown {
        let kind = match i.loopback {
            true => "Local Loopback  ".to_string(),
            false => format!("Ethernet  HWaddr {}  ", mac(&i.mac, true)),
        };
        t.line(format!("{:<9} Link encap:{kind}", i.name));
        for (ip, prefix) in &i.addresses {
            match ip {
                IpAddr::V4(v4) if i.loopback => t.line(format!("          inet addr:{v4}  Mask:{}", mask(*prefix))),
                IpAddr::V4(v4) => {
                    let (b, m) = (broadcast(*v4, *prefix), mask(*prefix));
                    t.line(format!("          inet addr:{v4}  Bcast:{b}  Mask:{m}"));
                }
                IpAddr::V6(v6) => {
                    let scope = if v6.is_loopback() {
                        "Host"
                    } else if v6.segments()[0] == 0xfe80 {
                        "Link"
                    } else {
                        "Global"
                    };
                    t.line(format!("          inet6 addr: {v6}/{prefix} Scope:{scope}"));
                }
            }
        }
        let up = if i.up { "UP " } else { "" };
        let flags = if i.loopback { "LOOPBACK RUNNING" } else { "BROADCAST RUNNING MULTICAST" };
        t.line(format!("          {up}{flags}  MTU:{}  Metric:1", i.mtu));
        t.line(format!("          RX packets:{} errors:0 dropped:0 overruns:0 frame:0", i.rx_packets));
        t.line(format!("          TX packets:{} errors:0 dropped:0 overruns:0 carrier:0", i.tx_packets));
        t.line("          collisions:0 txqueuelen:1000 ");
        let (rx, tx) = (size(i.rx_bytes), size(i.tx_bytes));
        t.line(format!("          RX bytes:{} ({rx})  TX bytes:{} ({tx})\n", i.rx_bytes, i.tx_bytes));
    }
    Ok(0)
}

pub async fn route<O: Os>(t: &Tool<O>) -> Ending {
    t.line("Kernel IP routing table");
    t.line("Destination     Gateway         Genmask         Flags Metric Ref    Use Iface");
    for r in t.os.routes().map_err(|e| t.die(e))?.into_iter().filter(|r| r.destination.is_ipv4()) {
        let gateway = r.gateway.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let flags = if r.gateway.is_some() { "UG" } else { "U" };
        let (to, gateway, m) = (r.destination.to_string(), gateway.to_string(), mask(r.prefix).to_string());
        t.line(format!("{to:<15} {gateway:<15} {m:<15} {flags:<5} 0      0        0 {}", r.device));
    }
    Ok(0)
}

/// An address of `/proc/net/tcp`: hexadecimal, in the byte order of the machine.
fn proc_address(text: &str) -> Option<(Ipv4Addr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?;
    Some((Ipv4Addr::from(ip.swap_bytes()), u16::from_str_radix(port, 16).ok()?))
}

const STATES: [&str; 11] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

pub async fn netstat<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("tulnapWerx", &[])?;
    if o.has('r') {
        return route(t).await;
    }
    let (title, all) = match (o.has('l'), o.has('a')) {
        (true, _) => ("only servers", false),
        (_, true) => ("servers and established", true),
        _ => ("w/o servers", false),
    };
    t.line(format!("Active Internet connections ({title})"));
    t.line("Proto Recv-Q Send-Q Local Address           Foreign Address         State       ");
    let any = o.has('t') || o.has('u');
    for (file, name, wanted) in [("tcp", "tcp", o.has('t') || !any), ("udp", "udp", o.has('u') || !any)] {
        if !wanted {
            continue;
        }
        for line in t.text(&format!("/proc/net/{file}")).await.lines().skip(1) {
            let f: Vec<&str> = line.split_whitespace().collect();
            let parsed = f.get(1).zip(f.get(2)).and_then(|(l, r)| Some((proc_address(l)?, proc_address(r)?)));
            let (Some((local, remote)), Some(state)) = (parsed, f.get(3)) else { continue };
            let state = usize::from_str_radix(state, 16).unwrap_or(0);
            let listens = remote.1 == 0 && (state == 10 || name == "udp");
            if !all && listens != o.has('l') {
                continue;
            }
            let show = |(ip, port): (Ipv4Addr, u16)| match port {
                0 => format!("{ip}:*"),
                port => format!("{ip}:{port}"),
            };
            let state =
                if name == "udp" { "" } else { state.checked_sub(1).and_then(|s| STATES.get(s)).unwrap_or(&"UNKNOWN") };
            let (local, remote) = (show(local), show(remote));
            t.line(format!("{name}        0      0 {local:<23} {remote:<23} {state:<12}"));
        }
    }
    Ok(0)
}
