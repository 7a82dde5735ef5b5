//! What a flag's value may be, by the type that help shows. Texts of errors are those of Docker's flag types.

use super::surface::Flag;
use crate::container::spec::{self, csv, csv_strict};
use crate::network::Rate;

type Checked = Result<String, String>;

/// Checks a value; what is kept is the value, with booleans as `true` or `false` and integers in decimal.
pub(super) fn check(flag: &Flag, compose: bool, value: &str) -> Checked {
    let same = |()| value.to_string();
    match flag.kind {
        "" => boolean(value),
        "int" | "int64" => signed(value),
        "uint" | "uint64" => unsigned(value, u64::MAX),
        "uint32" => unsigned(value, u32::MAX.into()),
        "uint16" => unsigned(value, u16::MAX.into()),
        "bytes" if flag.long == "memory-swap" => spec::parse_signed_bytes(value).map(|_| value.to_string()),
        "bytes" => spec::parse_bytes(value).map(|_| value.to_string()),
        "decimal" => spec::parse_nano_cpus(value).map(|_| value.to_string()),
        "duration" => spec::parse_duration(value).map(|_| value.to_string()),
        "filter" if value.is_empty() => Ok(String::new()),
        "filter" => pair(value, "bad format of filter (expected name=value)").map(same),
        "stringToString" => {
            let bad = |item: &String| pair(item, &format!("{item} must be formatted as key=value"));
            csv(value).iter().try_for_each(bad).map(same)
        }
        "ulimit" => spec::parse_ulimit(value).map(|_| value.to_string()),
        "mount" => mount(value).map(same),
        "network" => network(value).map(same),
        "rate" => Rate::parse(value).map(|_| value.to_string()),
        "gpu-request" => gpus(value).map(same),
        "list" if !compose => list(flag.long, value).map(same),
        "map" if flag.long == "sysctl" => sysctl(value).map(same),
        _ => Ok(value.to_string()),
    }
}

fn boolean(value: &str) -> Checked {
    let parsed = spec::parse_bool(value).map(|b| b.to_string());
    parsed.ok_or_else(|| format!("strconv.ParseBool: parsing {value:?}: invalid syntax"))
}

/// An integer as Go reads it with base 0: decimal, `0x`, `0b`, `0o` or a leading zero for octal.
fn magnitude(digits: &str) -> Option<Result<u128, ()>> {
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(u128::from_str_radix(digits, radix).map_err(|_| ()))
}

fn signed(value: &str) -> Checked {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let limit = i64::MAX as u128 + u128::from(negative);
    match magnitude(digits) {
        Some(Ok(n)) if n <= limit => Ok(if negative && n > 0 { format!("-{n}") } else { n.to_string() }),
        Some(_) => Err(format!("strconv.ParseInt: parsing {value:?}: value out of range")),
        None => Err(format!("strconv.ParseInt: parsing {value:?}: invalid syntax")),
    }
}

fn unsigned(value: &str, limit: u64) -> Checked {
    match magnitude(value) {
        Some(Ok(n)) if n <= limit.into() => Ok(n.to_string()),
        Some(_) => Err(format!("strconv.ParseUint: parsing {value:?}: value out of range")),
        None => Err(format!("strconv.ParseUint: parsing {value:?}: invalid syntax")),
    }
}

fn pair(value: &str, error: &str) -> Result<(), String> {
    value.contains('=').then_some(()).ok_or_else(|| error.to_string())
}

fn mount(value: &str) -> Result<(), String> {
    let (mut kind, mut target) = ("volume".to_string(), false);
    for field in csv_strict(value)? {
        let (key, text) = match field.split_once('=') {
            Some((key, text)) => (key.to_ascii_lowercase(), Some(text)),
            None => (field.to_ascii_lowercase(), None),
        };
        let Some(text) = text else {
            match key.as_str() {
                "readonly" | "ro" | "volume-nocopy" | "bind-nonrecursive" => continue,
                _ => return Err(format!("invalid field '{field}' must be a key=value pair")),
            }
        };
        match key.as_str() {
            "type" => kind = text.to_ascii_lowercase(),
            "target" | "dst" | "destination" => target = !text.is_empty(),
            "source" | "src" => {}
            "readonly" | "ro" | "volume-nocopy" | "bind-nonrecursive" => {
                boolean(text).map_err(|_| format!("invalid value for {key}: {text}"))?;
            }
            "tmpfs-size" => {
                spec::parse_bytes(text).map_err(|_| format!("invalid value for {key}: {text}"))?;
            }
            "tmpfs-mode" => {
                u32::from_str_radix(text, 8).map_err(|_| format!("invalid value for {key}: {text}"))?;
            }
            "consistency" | "bind-propagation" | "bind-recursive" | "volume-subpath" | "volume-label"
            | "volume-driver" | "volume-opt" | "image-subpath" => {}
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if kind.is_empty() {
        return Err("type is required".into());
    }
    if !target {
        return Err("target is required".into());
    }
    for (prefix, of) in [("volume-", "volume"), ("bind-", "bind"), ("tmpfs-", "tmpfs")] {
        let mixed = csv(value).iter().any(|f| f.to_ascii_lowercase().starts_with(prefix));
        if mixed && kind != of {
            return Err(format!("cannot mix '{of}-*' options with mount type '{kind}'"));
        }
    }
    Ok(())
}

fn network(value: &str) -> Result<(), String> {
    if !value.contains('=') {
        return Ok(());
    }
    let mut named = false;
    for field in csv(value) {
        let Some((key, text)) = field.split_once('=') else { return Err(format!("invalid field {field}")) };
        match key.to_ascii_lowercase().as_str() {
            "name" => named = true,
            "alias" | "ip" | "ip6" | "mac-address" | "link-local-ip" => {}
            "gw-priority" => {
                signed(text).map_err(|_| format!("invalid gw-priority ({text}): must be a number"))?;
            }
            "driver-opt" => {
                pair(text, "invalid key value pair format in driver options")?;
            }
            _ => return Err(format!("invalid field key {key}")),
        }
    }
    if named { Ok(()) } else { Err("network name/id is not specified".into()) }
}

fn gpus(value: &str) -> Result<(), String> {
    let count = |text: &str| {
        if text == "all" || text.parse::<i64>().is_ok() {
            return Ok(());
        }
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let why = if whole { "value out of range" } else { "invalid syntax" };
        Err(format!("invalid count ({text}): value must be either \"all\" or an integer: {why}"))
    };
    for field in csv_strict(value)? {
        let Some((key, text)) = field.split_once('=') else {
            count(&field)?;
            continue;
        };
        match key {
            "count" => count(text)?,
            "driver" | "device" | "capabilities" | "options" => {}
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    Ok(())
}

fn sysctl(value: &str) -> Result<(), String> {
    const WHOLE: [&str; 5] = ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall"];
    const MORE: [&str; 3] = ["kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"];
    let refused = || format!("sysctl '{value}' is not allowed");
    let (name, _) = value.split_once('=').ok_or_else(refused)?;
    let known = WHOLE.contains(&name) || MORE.contains(&name);
    if known || name.starts_with("net.") || name.starts_with("fs.mqueue.") { Ok(()) } else { Err(refused()) }
}

/// The lists that Docker checks entry by entry.
fn list(name: &str, value: &str) -> Result<(), String> {
    match name {
        "env" if value.is_empty() || value.starts_with('=') => Err(format!("invalid environment variable: {value}")),
        "label" => match value.split('=').next().unwrap_or_default().trim_start_matches([' ', '\t']) {
            "" => Err(format!("invalid label '{value}': empty name")),
            name if name.contains([' ', '\t']) => Err(format!("label '{name}' contains whitespaces")),
            _ => Ok(()),
        },
        "attach" if !["stdin", "stdout", "stderr"].contains(&value.to_ascii_lowercase().as_str()) => {
            Err("valid streams are STDIN, STDOUT and STDERR".into())
        }
        "add-host" => extra_host(value),
        "dns" => value
            .parse::<std::net::IpAddr>()
            .map(|_| ())
            .map_err(|_| format!("IP address is not correctly formatted: {value}")),
        "link" if value.is_empty() => Err("empty string specified for links".into()),
        "link" if value.matches(':').count() > 1 => Err(format!("bad format for links: {value}")),
        "dns-search" if value != "." && !domain(value) => Err(format!("{value} is not a valid domain")),
        "device-read-bps" | "device-write-bps" => spec::parse_throttle_bytes(value).map(|_| ()),
        "device-read-iops" | "device-write-iops" => spec::parse_throttle_count(value).map(|_| ()),
        "blkio-weight-device" => spec::parse_weight_device(value).map(|_| ()),
        "device-cgroup-rule" if !device_rule(value) => Err(format!("invalid device cgroup format '{value}'")),
        _ => Ok(()),
    }
}

/// Labels of letters, digits and inner hyphens with points between them, not digits alone.
fn domain(value: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    value.len() <= 253
        && value.bytes().any(|b| b.is_ascii_alphabetic())
        && value.trim_end_matches('.').split('.').all(label)
}

fn extra_host(value: &str) -> Result<(), String> {
    let bad = || format!("bad format for add-host: {value:?}");
    let (host, ip) = value.split_once(['=', ':']).ok_or_else(bad)?;
    if host.is_empty() {
        return Err(bad());
    }
    let ip = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if ip == "host-gateway" || ip.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    Err(format!("invalid IP address in add-host: {ip:?}"))
}

/// `a 1:3 rwm`, with `*` for any number.
fn device_rule(value: &str) -> bool {
    let words: Vec<&str> = value.split(' ').collect();
    let [kind, numbers, access] = words[..] else { return false };
    let number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    ["a", "b", "c"].contains(&kind)
        && numbers.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor))
        && (1..=3).contains(&access.len())
        && access.chars().all(|c| "rwm".contains(c))
}
