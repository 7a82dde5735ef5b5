//! Devices, rates of devices, and limits of the user, as their flags write them.

use crate::container::spec::parse_bytes;
use crate::container::{Device, Throttle, Ulimit};

/// `--device /dev/x[:/dev/y[:rwm]]`.
pub fn parse_device(text: &str) -> Result<Device, String> {
    let bad = || format!("bad format for path: {text}");
    let access = |s: &str| !s.is_empty() && s.len() <= 3 && s.chars().all(|c| "rwm".contains(c));
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, mode) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, mode] if access(mode) => (host, host, mode),
        [host, container] => (host, container, "rwm"),
        [host, container, mode] if access(mode) => (host, container, mode),
        [_, _, mode] => return Err(format!("bad mode specified: {mode}")),
        _ => return Err(bad()),
    };
    if host.is_empty() {
        return Err(bad());
    }
    let container = if container.is_empty() { host } else { container };
    if !container.starts_with('/') {
        return Err(format!("{container} is not an absolute path"));
    }
    Ok(Device { host: host.into(), container: container.into(), access: mode.into() })
}

/// `--ulimit nofile=64[:128]`.
pub fn parse_ulimit(text: &str) -> Result<Ulimit, String> {
    const NAMES: [&str; 15] = [
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
    let (name, values) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number =
        |text: &str| text.parse::<i64>().map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    let parts: Vec<&str> = values.split(':').collect();
    let (soft, hard) = match parts[..] {
        [one] => (number(one)?, number(one)?),
        [soft, hard] => (number(soft)?, number(hard)?),
        _ => {
            return Err(format!("too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"));
        }
    };
    if hard != -1 && soft == -1 {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
        ));
    }
    if hard != -1 && soft > hard {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(Ulimit { name: name.into(), soft, hard })
}

fn split_device(text: &str) -> Result<(&str, &str), String> {
    let (path, value) =
        text.split_once(':').filter(|(path, _)| !path.is_empty()).ok_or_else(|| format!("bad format: {text}"))?;
    if !path.starts_with("/dev/") {
        return Err(format!("bad format for device path: {text}"));
    }
    Ok((path, value))
}

/// `--device-read-bps /dev/sda:1mb`.
pub fn parse_throttle_bytes(text: &str) -> Result<Throttle, String> {
    let (path, rate) = split_device(text)?;
    let rate = parse_bytes(rate).map_err(|_| {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
        )
    })?;
    Ok(Throttle { path: path.into(), rate })
}

/// `--device-read-iops /dev/sda:1000`.
pub fn parse_throttle_count(text: &str) -> Result<Throttle, String> {
    let (path, rate) = split_device(text)?;
    let rate = rate.parse().map_err(|_| {
        format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>. Number must be a positive integer"
        )
    })?;
    Ok(Throttle { path: path.into(), rate })
}

/// `--blkio-weight-device /dev/sda:200`.
pub fn parse_weight_device(text: &str) -> Result<Throttle, String> {
    let (path, weight) = split_device(text)?;
    let bad = || format!("invalid weight for device: {text}");
    let rate: u64 = weight.parse().map_err(|_| bad())?;
    if rate > 0 && !(10..=1000).contains(&rate) {
        return Err(bad());
    }
    Ok(Throttle { path: path.into(), rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulimits() {
        assert_eq!(parse_ulimit("nofile=64:128"), Ok(Ulimit { name: "nofile".into(), soft: 64, hard: 128 }));
        assert_eq!(parse_ulimit("core=-1").map(|u| u.hard), Ok(-1));
        for (text, why) in [
            ("foo", "invalid ulimit argument: foo"),
            ("bogus=1", "invalid ulimit type: bogus"),
            ("nofile=5:3", "ulimit soft limit must be less than or equal to hard limit: 5 > 3"),
            ("nofile=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ] {
            assert_eq!(parse_ulimit(text), Err(why.to_string()), "{text}");
        }
    }

    #[test]
    fn devices() {
        let device = |h: &str, c: &str, a: &str| Device { host: h.into(), container: c.into(), access: a.into() };
        assert_eq!(parse_device("/dev/null:/dev/mynull"), Ok(device("/dev/null", "/dev/mynull", "rwm")));
        assert_eq!(parse_device("/dev/sda:r"), Ok(device("/dev/sda", "/dev/sda", "r")));
        assert!(parse_device("/a:/b:/c:d").is_err());
        assert_eq!(parse_throttle_bytes("/dev/sda:1mb").map(|t| t.rate), Ok(1 << 20));
        assert_eq!(parse_weight_device("/dev/sda:5"), Err("invalid weight for device: /dev/sda:5".into()));
    }
}
