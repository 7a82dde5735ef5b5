//! Sockets, interfaces and routes.

use super::{check, file, restarting};
use crate::errno::Errno;
use crate::os::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A socket address as the kernel takes it, and how much of it counts.
struct Raw {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Raw {
    fn empty() -> Raw {
        // SAFETY: all zeros is a valid `sockaddr_storage` of no family.
        let storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        Raw { storage, length: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    fn of(address: &Address) -> Result<Raw> {
        let mut raw = Raw::empty();
        match address {
            Address::Inet(SocketAddr::V4(v4)) => {
                let inner = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                raw.put(inner);
            }
            Address::Inet(SocketAddr::V6(v6)) => {
                let inner = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                raw.put(inner);
            }
            Address::Unix(path) => {
                // SAFETY: all zeros is a valid `sockaddr_un` of no family and no path.
                let mut inner: libc::sockaddr_un = unsafe { std::mem::zeroed() };
                if path.len() >= inner.sun_path.len() {
                    return Err(Errno::ENAMETOOLONG);
                }
                inner.sun_family = libc::AF_UNIX as libc::sa_family_t;
                for (to, from) in inner.sun_path.iter_mut().zip(path.bytes()) {
                    *to = from as libc::c_char;
                }
                raw.put(inner);
            }
        }
        Ok(raw)
    }

    fn put<T>(&mut self, inner: T) {
        self.length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the storage is large and aligned enough for each kind of address, by its definition.
        unsafe { std::ptr::write((&raw mut self.storage).cast(), inner) }
    }

    fn address(&self) -> Result<Address> {
        // SAFETY: the family says which kind of address the kernel wrote into the storage.
        unsafe {
            match i32::from(self.storage.ss_family) {
                libc::AF_INET => {
                    let inner: libc::sockaddr_in = std::ptr::read((&raw const self.storage).cast());
                    let ip = Ipv4Addr::from(inner.sin_addr.s_addr.to_ne_bytes());
                    Ok(Address::Inet(SocketAddr::from((ip, u16::from_be(inner.sin_port)))))
                }
                libc::AF_INET6 => {
                    let inner: libc::sockaddr_in6 = std::ptr::read((&raw const self.storage).cast());
                    // A caller of version 4 at a socket of both is told as what it is.
                    let ip = IpAddr::V6(Ipv6Addr::from(inner.sin6_addr.s6_addr)).to_canonical();
                    Ok(Address::Inet(SocketAddr::from((ip, u16::from_be(inner.sin6_port)))))
                }
                libc::AF_UNIX => {
                    let inner: libc::sockaddr_un = std::ptr::read((&raw const self.storage).cast());
                    let bytes: Vec<u8> = inner.sun_path.iter().map(|c| *c as u8).take_while(|b| *b != 0).collect();
                    Ok(Address::Unix(String::from_utf8_lossy(&bytes).into_owned()))
                }
                _ => Err(Errno::EAFNOSUPPORT),
            }
        }
    }

    fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

pub(super) fn socket(kind: SocketKind) -> Result<Fd> {
    let (family, kind) = match kind {
        SocketKind::Tcp => (libc::AF_INET, libc::SOCK_STREAM),
        SocketKind::Udp => (libc::AF_INET, libc::SOCK_DGRAM),
        SocketKind::Unix => (libc::AF_UNIX, libc::SOCK_STREAM),
    };
    // SAFETY: no memory is involved.
    let fd = check(i64::from(unsafe { libc::socket(family, kind, 0) }))? as Fd;
    let yes: libc::c_int = 1;
    if family == libc::AF_INET && kind == libc::SOCK_STREAM {
        // A server that is started anew must not wait for its former connections to time out.
        // SAFETY: the pointer and the length describe `yes`.
        unsafe {
            let size = size_of::<libc::c_int>() as libc::socklen_t;
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const yes).cast(), size);
        }
    }
    Ok(fd)
}

/// Sockets are made for version 4. One that is to have an address of version 6 is made anew in its place; it then
/// speaks both.
fn suit(fd: Fd, address: &Address) -> Result<()> {
    if !matches!(address, Address::Inet(SocketAddr::V6(_))) {
        return Ok(());
    }
    let option = |name| {
        let (mut value, mut size): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: the pointers describe room for a number.
        let asked = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut size) };
        check(i64::from(asked)).map(|_| value)
    };
    if option(libc::SO_DOMAIN)? != libc::AF_INET {
        return Ok(());
    }
    let kind = option(libc::SO_TYPE)?;
    let yes: libc::c_int = 1;
    // SAFETY: the pointer and the length describe `yes`; the new descriptor is ours and closed once it is copied.
    unsafe {
        let new = check(i64::from(libc::socket(libc::AF_INET6, kind, 0)))? as Fd;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(new, libc::SOL_SOCKET, libc::SO_REUSEADDR, (&raw const yes).cast(), size);
        let copied = check(i64::from(libc::dup2(new, fd)));
        libc::close(new);
        copied.map(drop)
    }
}

pub(super) fn bind(fd: Fd, address: &Address) -> Result<()> {
    let raw = match (suit(fd, address), address) {
        // Without version 6 in the kernel, all addresses are those of version 4.
        (Err(Errno::EAFNOSUPPORT), Address::Inet(all)) if all.ip().is_unspecified() => {
            Raw::of(&Address::Inet(SocketAddr::from((Ipv4Addr::UNSPECIFIED, all.port()))))?
        }
        (Err(e), _) => return Err(e),
        (Ok(()), address) => Raw::of(address)?,
    };
    // SAFETY: the pointer and the length describe the address.
    check(i64::from(unsafe { libc::bind(fd, raw.pointer(), raw.length) })).map(drop)
}

pub(super) fn listen(fd: Fd, backlog: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::listen(fd, backlog.min(i32::MAX as u32) as i32) })).map(drop)
}

pub(super) fn connect(fd: Fd, address: &Address) -> Result<()> {
    suit(fd, address)?;
    let raw = Raw::of(address)?;
    // SAFETY: the pointer and the length describe the address.
    restarting(|| i64::from(unsafe { libc::connect(fd, raw.pointer(), raw.length) })).map(drop)
}

pub(super) fn accept(fd: Fd) -> Result<(Fd, Address)> {
    let mut raw = Raw::empty();
    let pointer = (&raw mut raw.storage).cast();
    // SAFETY: the pointer and the length describe room for an address.
    let caller = restarting(|| i64::from(unsafe { libc::accept(fd, pointer, &mut raw.length) }))?;
    Ok((caller as Fd, raw.address()?))
}

pub(super) fn send_to(fd: Fd, bytes: &[u8], to: &Address) -> Result<usize> {
    suit(fd, to)?;
    let raw = Raw::of(to)?;
    // SAFETY: the pointers and lengths describe the bytes and the address.
    let send = || unsafe { libc::sendto(fd, bytes.as_ptr().cast(), bytes.len(), 0, raw.pointer(), raw.length) as i64 };
    restarting(send).map(|n| n as usize)
}

pub(super) fn receive_from(fd: Fd, max: usize) -> Result<(Vec<u8>, Address)> {
    let mut bytes = vec![0u8; max];
    let mut raw = Raw::empty();
    let pointer = (&raw mut raw.storage).cast();
    // SAFETY: the pointers and lengths describe room for the bytes and for the address.
    let count = restarting(|| unsafe {
        libc::recvfrom(fd, bytes.as_mut_ptr().cast(), max, 0, pointer, &mut raw.length) as i64
    })?;
    bytes.truncate(count as usize);
    Ok((bytes, raw.address()?))
}

pub(super) fn shutdown(fd: Fd) -> Result<()> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::shutdown(fd, libc::SHUT_WR) })).map(drop)
}

pub(super) fn local_address(fd: Fd) -> Result<Address> {
    let mut raw = Raw::empty();
    // SAFETY: the pointer and the length describe room for an address.
    check(i64::from(unsafe { libc::getsockname(fd, (&raw mut raw.storage).cast(), &mut raw.length) }))?;
    raw.address()
}

/// The checksum of internet headers. Source: RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// An echo request over a datagram socket, which needs no privilege where the kernel allows it, else
/// over a raw one. Source: RFC 792, RFC 4443.
pub(super) fn ping(to: IpAddr, sequence: u16, size: usize, timeout: Duration) -> Result<Duration> {
    let (family, protocol, request, reply) = match to {
        IpAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_ICMP, 8u8, 0u8),
        IpAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_ICMPV6, 128, 129),
    };
    // SAFETY: no memory is involved.
    let open = |kind| check(i64::from(unsafe { libc::socket(family, kind, protocol) }));
    let (fd, raw_socket) = match open(libc::SOCK_RAW) {
        Ok(fd) => (fd as Fd, true),
        Err(_) => (open(libc::SOCK_DGRAM)? as Fd, false),
    };
    let id = (std::process::id() & 0xFFFF) as u16;
    let mut packet = vec![request, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.resize(8 + size.min(65_000), 0);
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    let exchange = || {
        let start = super::process::clock(libc::CLOCK_BOOTTIME);
        send_to(fd, &packet, &Address::Inet(SocketAddr::new(to, 0)))?;
        loop {
            let rest = timeout.saturating_sub(super::process::clock(libc::CLOCK_BOOTTIME) - start);
            let ready = file::poll(&[PollFd { fd, read: true, ..PollFd::default() }], Some(rest))?;
            if rest.is_zero() || !ready[0].read {
                return Err(Errno::ETIMEDOUT);
            }
            let (bytes, _) = receive_from(fd, 66_000)?;
            // A raw socket of the fourth version shows the internet header, too.
            let skip = if raw_socket && to.is_ipv4() { usize::from(bytes.first().unwrap_or(&0) & 15) * 4 } else { 0 };
            let Some(answer) = bytes.get(skip..) else { continue };
            let mine = !raw_socket || answer.get(4..6) == Some(&id.to_be_bytes());
            if answer.first() == Some(&reply) && mine && answer.get(6..8) == Some(&sequence.to_be_bytes()) {
                return Ok(super::process::clock(libc::CLOCK_BOOTTIME) - start);
            }
        }
    };
    let result = exchange();
    let _ = file::close(fd);
    result
}

/// Addresses come from the kernel by `getifaddrs`, counters from `/proc/net/dev`, the rest from `/sys`.
pub(super) fn interfaces() -> Result<Vec<Interface>> {
    let table = std::fs::read_to_string("/proc/net/dev").map_err(|e| super::from_io(&e))?;
    let mut found: Vec<Interface> = table.lines().skip(2).filter_map(counters).collect();
    for interface in &mut found {
        let attribute = |name: &str| {
            let text = std::fs::read_to_string(format!("/sys/class/net/{}/{name}", interface.name));
            text.map(|t| t.trim().to_string()).unwrap_or_default()
        };
        let flags = i32::from_str_radix(attribute("flags").trim_start_matches("0x"), 16).unwrap_or(0);
        let link: u32 = attribute("iflink").parse().unwrap_or(0);
        let mac: Vec<u8> = attribute("address").split(':').filter_map(|b| u8::from_str_radix(b, 16).ok()).collect();
        interface.index = attribute("ifindex").parse().unwrap_or(0);
        interface.mtu = attribute("mtu").parse().unwrap_or(0);
        interface.mac = mac.try_into().unwrap_or_default();
        interface.peer = (link != 0 && link != interface.index).then_some(link);
        interface.up = flags & libc::IFF_UP != 0;
        interface.loopback = flags & libc::IFF_LOOPBACK != 0 || interface.name == "lo";
    }
    add_addresses(&mut found)?;
    found.sort_by_key(|i| i.index);
    Ok(found)
}

/// One line of `/proc/net/dev`.
fn counters(line: &str) -> Option<Interface> {
    let (name, rest) = line.split_once(':')?;
    let numbers: Vec<u64> = rest.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let number = |i: usize| numbers.get(i).copied().unwrap_or(0);
    Some(Interface {
        index: 0,
        name: name.trim().to_string(),
        peer: None,
        up: false,
        loopback: false,
        mtu: 0,
        mac: [0; 6],
        addresses: Vec::new(),
        rx_bytes: number(0),
        rx_packets: number(1),
        tx_bytes: number(8),
        tx_packets: number(9),
    })
}

fn add_addresses(interfaces: &mut [Interface]) -> Result<()> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the list that the call makes is walked by its own links, and freed once, after the walk.
    unsafe {
        check(i64::from(libc::getifaddrs(&mut first)))?;
        let mut at = first;
        while let Some(entry) = at.as_ref() {
            at = entry.ifa_next;
            let name = std::ffi::CStr::from_ptr(entry.ifa_name).to_string_lossy();
            let Some(interface) = interfaces.iter_mut().find(|i| i.name == name) else { continue };
            interface.up |= entry.ifa_flags & libc::IFF_UP as u32 != 0;
            if let (Some(ip), Some(mask)) = (ip_at(entry.ifa_addr), ip_at(entry.ifa_netmask)) {
                let ones: u32 = match mask {
                    IpAddr::V4(v4) => v4.to_bits().count_ones(),
                    IpAddr::V6(v6) => v6.to_bits().count_ones(),
                };
                interface.addresses.push((ip, ones as u8));
            }
        }
        libc::freeifaddrs(first);
    }
    Ok(())
}

/// # Safety
/// `at` is null or points to a socket address that is as long as its family says.
unsafe fn ip_at(at: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise.
    unsafe {
        match i32::from(at.as_ref()?.sa_family) {
            libc::AF_INET => {
                let inner = std::ptr::read_unaligned(at.cast::<libc::sockaddr_in>());
                Some(IpAddr::V4(Ipv4Addr::from(inner.sin_addr.s_addr.to_ne_bytes())))
            }
            libc::AF_INET6 => {
                let inner = std::ptr::read_unaligned(at.cast::<libc::sockaddr_in6>());
                Some(IpAddr::V6(Ipv6Addr::from(inner.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    }
}

/// The routing tables: `/proc/net/route`, whose addresses are hexadecimal in the machine's byte order, and
/// `/proc/net/ipv6_route`, where the kernel has version 6 of the protocol.
pub(super) fn routes() -> Result<Vec<Route>> {
    let table = std::fs::read_to_string("/proc/net/route").map_err(|e| super::from_io(&e))?;
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let hex = |i: usize| u32::from_str_radix(fields.get(i)?, 16).ok();
        let ip = |i: usize| Some(IpAddr::V4(Ipv4Addr::from(hex(i)?.to_ne_bytes())));
        Some(Route {
            device: (*fields.first()?).to_string(),
            destination: ip(1)?,
            prefix: hex(7)?.count_ones() as u8,
            gateway: ip(2).filter(|ip| !ip.is_unspecified()),
            source: None,
        })
    };
    let table6 = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let route6 = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ip = |i: usize| Some(IpAddr::V6(Ipv6Addr::from(u128::from_str_radix(fields.get(i)?, 16).ok()?)));
        let device = (*fields.get(9)?).to_string();
        let prefix = u8::from_str_radix(fields.get(1)?, 16).ok()?;
        // The host's own addresses and multicast are in this table, too.
        let plain = device != "lo" && prefix < 128 && !fields[0].starts_with("ff");
        let gateway = ip(4).filter(|ip| !ip.is_unspecified());
        plain.then_some(Route { destination: ip(0)?, prefix, gateway, device, source: None })
    };
    Ok(table.lines().skip(1).filter_map(route).chain(table6.lines().filter_map(route6)).collect())
}
