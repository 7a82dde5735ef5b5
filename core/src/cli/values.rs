//! What a flag's value may be, by the type that help shows. Texts of errors are those of Docker's flag types.

use super::surface::Flag;
use std::time::Duration;

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
        "bytes" if flag.long == "memory-swap" && value == "-1" => Ok(value.to_string()),
        "bytes" => parse_bytes(value).map(|_| value.to_string()),
        "decimal" => decimal(value).map(same),
        "duration" => parse_duration(value).map(|_| value.to_string()),
        "filter" => pair(value, "bad format of filter (expected name=value)").map(same),
        "stringToString" => pair(value, &format!("{value} must be formatted as key=value")).map(same),
        "ulimit" => ulimit(value).map(same),
        "mount" => mount(value).map(same),
        "network" => network(value).map(same),
        "gpu-request" => gpus(value).map(same),
        "list" if !compose => list(flag.long, value).map(same),
        "map" if flag.long == "sysctl" => sysctl(value).map(same),
        _ => Ok(value.to_string()),
    }
}

fn boolean(value: &str) -> Checked {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("true".into()),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("false".into()),
        _ => Err(format!("strconv.ParseBool: parsing {value:?}: invalid syntax")),
    }
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

/// Bytes with a unit of 1024, as `64m`, `1.5GiB` or `512`.
pub fn parse_bytes(value: &str) -> Result<i64, String> {
    let bad = || format!("invalid size: '{value}'");
    let split = value.rfind(|c: char| c.is_ascii_digit() || c == '.').ok_or_else(bad)? + 1;
    let (number, unit) = value.split_at(split);
    // One blank may stand between them.
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let number = number.strip_suffix(' ').unwrap_or(number);
    let unit = match unit.as_bytes() {
        [] | [b'b'] => 0,
        [letter] | [letter, b'b'] | [letter, b'i', b'b'] => {
            1 + b"kmgtp".iter().position(|c| c == letter).ok_or_else(bad)?
        }
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    if !number.is_finite() || number < 0.0 {
        return Err(bad());
    }
    Ok((number * 1024f64.powi(unit as i32)) as i64)
}

/// A number of cores, kept as typed.
fn decimal(value: &str) -> Result<(), String> {
    let parsed = match value.split_once('/') {
        Some((a, b)) => a.parse::<f64>().ok().zip(b.parse::<f64>().ok()).filter(|(_, b)| *b != 0.0).map(|(a, b)| a / b),
        None => value.parse::<f64>().ok(),
    };
    let parsed = parsed.filter(|n| n.is_finite() && value.chars().any(|c| c.is_ascii_digit()));
    let Some(number) = parsed else { return Err(format!("failed to parse {value} as a rational number")) };
    let nano = number * 1e9;
    if (nano - nano.round()).abs() > 1e-3 {
        return Err("value is too precise".into());
    }
    Ok(())
}

/// A Go duration, as `1m30s` or `1.5h`.
pub fn parse_duration(value: &str) -> Result<Duration, String> {
    let bad = || format!("time: invalid duration {value:?}");
    let mut rest = value.strip_prefix(['-', '+']).unwrap_or(value);
    let negative = value.starts_with('-');
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut nanos = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration {value:?}")),
            _ => return Err(format!("time: unknown unit {unit:?} in duration {value:?}")),
        };
        nanos += number * scale;
    }
    if nanos > i64::MAX as f64 {
        return Err(bad());
    }
    // Docker takes negative ones here and refuses them later; none of its flags means anything by them.
    Ok(if negative { Duration::ZERO } else { Duration::from_nanos(nanos.round() as u64) })
}

fn pair(value: &str, error: &str) -> Result<(), String> {
    value.contains('=').then_some(()).ok_or_else(|| error.to_string())
}

const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

fn ulimit(value: &str) -> Result<(), String> {
    let Some((name, limits)) = value.split_once('=') else { return Err(format!("invalid ulimit argument: {value}")) };
    if !ULIMITS.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number = |text: &str| signed(text).map(|n| n.parse::<i64>().unwrap_or(0));
    let (soft, hard) = match limits.split_once(':') {
        None => (number(limits)?, None),
        Some((soft, hard)) => (number(soft)?, Some(number(hard)?)),
    };
    match hard {
        Some(_) if limits.matches(':').count() > 1 => {
            Err(format!("too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`"))
        }
        Some(hard) if hard != -1 && (soft == -1 || soft > hard) => {
            Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"))
        }
        _ => Ok(()),
    }
}

/// Values separated by commas, where quotes keep a comma in.
pub(super) fn split_csv(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is one").push(c),
        }
    }
    fields
}

fn mount(value: &str) -> Result<(), String> {
    let (mut kind, mut target, mut source) = ("volume".to_string(), false, false);
    for field in split_csv(value) {
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
            "source" | "src" => source = !text.is_empty(),
            "readonly" | "ro" | "volume-nocopy" | "bind-nonrecursive" => {
                boolean(text).map_err(|_| format!("invalid value for {key}: {text}"))?;
            }
            "tmpfs-size" => {
                parse_bytes(text).map_err(|_| format!("invalid value for {key}: {text}"))?;
            }
            "consistency" | "bind-propagation" | "bind-recursive" | "volume-subpath" | "volume-label"
            | "volume-driver" | "volume-opt" | "tmpfs-mode" | "image-subpath" => {}
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if !target {
        return Err("target is required".into());
    }
    let _ = source;
    for (prefix, of) in [("volume-", "volume"), ("bind-", "bind"), ("tmpfs-", "tmpfs")] {
        let mixed = split_csv(value).iter().any(|f| f.to_ascii_lowercase().starts_with(prefix));
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
    for field in split_csv(value) {
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
    for field in split_csv(value) {
        let Some((key, text)) = field.split_once('=') else {
            if field != "all" {
                signed(&field)
                    .map_err(|_| format!("invalid count ({field}): value must be either \"all\" or an integer"))?;
            }
            continue;
        };
        match key {
            "driver" | "count" | "device" | "capabilities" | "options" => {
                let _ = text;
            }
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
        "label" if value.is_empty() || value.starts_with('=') => Err(format!("invalid label '{value}': empty name")),
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
        "device-read-bps" | "device-write-bps" | "device-read-iops" | "device-write-iops" | "blkio-weight-device" => {
            match value.split_once(':') {
                Some((device, rate)) if !rate.is_empty() => match device.starts_with("/dev/") {
                    true => Ok(()),
                    false => Err(format!("bad format for device path: {value}")),
                },
                _ => Err(format!("bad format: {value}")),
            }
        }
        "device-cgroup-rule" if !device_rule(value) => Err(format!("invalid device cgroup format '{value}'")),
        _ => Ok(()),
    }
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
