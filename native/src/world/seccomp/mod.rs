//! The system call filter: a profile in Docker's JSON form, compiled to the kernel's small machine.
//!
//! `default.json` is the profile used where nothing else is said: what it does not name fails with EPERM,
//! some calls depend on the container's capabilities. The compiled filter searches the system call's number
//! among ranges with the same answer, so it costs a dozen instructions a call. Source: seccomp(2), and the
//! profile's form in Docker's documentation.

mod assemble;

use assemble::{Compare, Condition, Rule};
use cutaway_core::world::Fault;
use cutaway_core::world::acts::Seccomp;
use serde::Deserialize;
use std::collections::BTreeMap;

const DEFAULT: &str = include_str!("default.json");
const NUMBERS: &str = include_str!("x86_64.txt");
const ARCHITECTURE: &str = "SCMP_ARCH_X86_64";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    syscalls: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: When,
    #[serde(default)]
    excludes: When,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct When {
    caps: Vec<String>,
    arches: Vec<String>,
}

impl When {
    fn here(&self) -> bool {
        self.arches.is_empty() || self.arches.iter().any(|a| a == "amd64" || a == "x86_64" || a == ARCHITECTURE)
    }
}

impl Entry {
    /// Whether it applies to a container with these capabilities on this machine.
    fn applies(&self, capabilities: &[String]) -> bool {
        let has = |name: &String| capabilities.iter().any(|c| c.eq_ignore_ascii_case(name));
        let excluded = self.excludes.caps.iter().any(has) || !self.excludes.arches.is_empty() && self.excludes.here();
        self.includes.caps.iter().all(has) && self.includes.here() && !excluded
    }
}

fn malformed(reason: String) -> Fault {
    Fault::Malformed { what: "seccomp profile".into(), reason }
}

/// An action as the kernel's return value.
fn action(name: &str, errno: Option<u32>) -> Result<u32, Fault> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => libc::SECCOMP_RET_ALLOW,
        "SCMP_ACT_ERRNO" => libc::SECCOMP_RET_ERRNO | errno.unwrap_or(libc::EPERM as u32) & 0xffff,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => libc::SECCOMP_RET_KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => libc::SECCOMP_RET_KILL_PROCESS,
        "SCMP_ACT_TRAP" => libc::SECCOMP_RET_TRAP,
        "SCMP_ACT_TRACE" => libc::SECCOMP_RET_TRACE | errno.unwrap_or(libc::EPERM as u32) & 0xffff,
        "SCMP_ACT_LOG" => libc::SECCOMP_RET_LOG,
        other => return Err(malformed(format!("action {other:?} is not supported"))),
    })
}

fn condition(argument: &Argument) -> Result<Condition, Fault> {
    if argument.index > 5 {
        return Err(malformed(format!("there is no argument {}", argument.index)));
    }
    let (compare, value) = match argument.op.as_str() {
        "SCMP_CMP_EQ" => (Compare::Equal, argument.value),
        "SCMP_CMP_NE" => (Compare::NotEqual, argument.value),
        "SCMP_CMP_LT" => (Compare::Less, argument.value),
        "SCMP_CMP_LE" => (Compare::LessOrEqual, argument.value),
        "SCMP_CMP_GT" => (Compare::Greater, argument.value),
        "SCMP_CMP_GE" => (Compare::GreaterOrEqual, argument.value),
        "SCMP_CMP_MASKED_EQ" => (Compare::Masked { mask: argument.value }, argument.value_two),
        other => return Err(malformed(format!("comparison {other:?} is not known"))),
    };
    Ok(Condition { argument: argument.index, compare, value })
}

/// The filter for a container with these capabilities, as the kernel's instructions of 8 bytes; empty for none.
pub fn compile(seccomp: &Seccomp, capabilities: &[String]) -> Result<Vec<u8>, Fault> {
    let text = match seccomp {
        Seccomp::Unconfined => return Ok(Vec::new()),
        Seccomp::Default => DEFAULT,
        Seccomp::Profile(text) => text,
    };
    let profile: Profile = serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let numbers: BTreeMap<&str, u32> = NUMBERS
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(' '))
        .filter_map(|(number, name)| Some((name, number.parse().ok()?)))
        .collect();
    let mut rules: BTreeMap<u32, Vec<Rule>> = BTreeMap::new();
    for entry in profile.syscalls.iter().filter(|e| e.applies(capabilities)) {
        let rule = Rule {
            conditions: entry.args.iter().flatten().map(condition).collect::<Result<_, _>>()?,
            action: action(&entry.action, entry.errno_ret)?,
        };
        for name in entry.names.iter().chain(Some(&entry.name)) {
            // Names of other architectures' system calls stand for nothing here.
            if let Some(number) = numbers.get(name.as_str()) {
                rules.entry(*number).or_default().push(rule.clone());
            }
        }
    }
    Ok(assemble::assemble(&rules, action(&profile.default_action, profile.default_errno_ret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a filter on a system call.
    fn run(program: &[u8], number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = [0u8; 64];
        data[0..4].copy_from_slice(&number.to_ne_bytes());
        data[4..8].copy_from_slice(&assemble::ARCHITECTURE.to_ne_bytes());
        for (i, a) in arguments.iter().enumerate() {
            data[16 + i * 8..24 + i * 8].copy_from_slice(&a.to_ne_bytes());
        }
        let (mut at, mut value) = (0, 0u32);
        loop {
            let c = &program[at * 8..at * 8 + 8];
            let (code, jt, jf) = (u16::from_ne_bytes([c[0], c[1]]), c[2] as usize, c[3] as usize);
            let k = u32::from_ne_bytes([c[4], c[5], c[6], c[7]]);
            at += 1;
            let take = |yes: bool| if yes { jt } else { jf };
            match code {
                0x20 => value = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
                0x54 => value &= k,
                0x05 => at += k as usize,
                0x15 => at += take(value == k),
                0x25 => at += take(value > k),
                0x35 => at += take(value >= k),
                0x06 => return k,
                other => panic!("unexpected instruction {other:#x}"),
            }
        }
    }

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const fn errno(n: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | n as u32
    }

    #[test]
    fn the_default_profile() {
        let plain = compile(&Seccomp::Default, &["CAP_CHOWN".into()]).unwrap();
        let admin = compile(&Seccomp::Default, &["CAP_SYS_ADMIN".into()]).unwrap();
        assert!(plain.len() / 8 < 600, "{} instructions", plain.len() / 8);
        let new_user = libc::CLONE_NEWUSER as u64;
        for (number, argument, want, want_admin) in [
            (libc::SYS_read, 0, ALLOW, ALLOW),
            (libc::SYS_mount, 0, errno(1), ALLOW),
            (libc::SYS_clone, 0x11, ALLOW, ALLOW),
            (libc::SYS_clone, new_user, errno(1), ALLOW),
            (libc::SYS_clone3, 0, errno(38), ALLOW),
            (libc::SYS_socket, 2, ALLOW, ALLOW),
            (libc::SYS_socket, 40, errno(1), errno(1)),
            (libc::SYS_personality, 8, ALLOW, ALLOW),
            (libc::SYS_personality, 9, errno(1), errno(1)),
            (libc::SYS_io_uring_setup, 0, errno(1), errno(1)),
            (libc::SYS_kexec_load, 0, errno(1), errno(1)),
            (libc::SYS_reboot, 0, errno(1), errno(1)),
            (9999, 0, errno(1), errno(1)),
        ] {
            let arguments = [argument, 0, 0, 0, 0, 0];
            assert_eq!(run(&plain, number as u32, arguments), want, "system call {number}({argument})");
            assert_eq!(run(&admin, number as u32, arguments), want_admin, "with CAP_SYS_ADMIN, {number}({argument})");
        }
    }

    #[test]
    fn comparisons() {
        let filter = |op: &str, value: u64, two: u64| {
            let text = format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ERRNO",
                "args":[{{"index":1,"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}]}}]}}"#
            );
            compile(&Seccomp::Profile(text), &[]).unwrap()
        };
        let big = 1u64 << 40;
        for (op, value, two, argument, hit) in [
            ("EQ", big, 0, big, true),
            ("EQ", big, 0, 0, false),
            ("NE", big, 0, big + 1, true),
            ("NE", big, 0, big, false),
            ("GT", big, 0, big, false),
            ("GT", big, 0, big + 1, true),
            ("GE", big, 0, big, true),
            ("GE", big, 0, 5, false),
            ("LT", big, 0, 5, true),
            ("LT", big, 0, big, false),
            ("LE", big, 0, big, true),
            ("LE", big, 0, big + 1, false),
            ("MASKED_EQ", big | 1, 1, 3, true),
            ("MASKED_EQ", big | 1, 1, big | 1, false),
        ] {
            let got = run(&filter(op, value, two), libc::SYS_read as u32, [0, argument, 0, 0, 0, 0]);
            assert_eq!(got == errno(1), hit, "{argument} {op} {value}");
        }
    }

    #[test]
    fn broken_profiles() {
        for text in ["", "{}", r#"{"defaultAction":"SCMP_ACT_DANCE"}"#] {
            assert!(compile(&Seccomp::Profile(text.into()), &[]).is_err(), "{text}");
        }
    }
}
