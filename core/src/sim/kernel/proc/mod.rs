//! `/proc`: the processes of one pid namespace, the machine, the networks and the settings, as text.
//! Source: `proc(5)`.

mod machine;
mod network;
mod pid;
pub(crate) mod sysctl;

pub(crate) use pid::state;

use super::state::Kernel;
use super::vfs::Jump;
use super::vfs::pseudo::{Entry, Source};
use cutaway_userland::Errno;
use cutaway_userland::os::{Pid, Result};

/// One mounted /proc: it shows the pid namespace of whoever mounted it.
pub(crate) struct Proc {
    pub namespace: u64,
}

impl Proc {
    /// The host id of the process that a name means.
    fn process(&self, k: &Kernel, name: &str) -> Option<Pid> {
        if !name.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        k.host_pid(self.namespace, name.parse().ok()?)
    }

    /// `self` as this mount shows it; 0 for a process that it does not show.
    fn own(&self, k: &Kernel) -> Pid {
        k.inner_pid(self.namespace, k.current)
    }
}

impl Source for Proc {
    fn entry(&self, k: &Kernel, path: &[&str]) -> Option<Entry> {
        match path {
            [] => Some(Entry::dir()),
            ["self" | "thread-self"] => (self.own(k) != 0).then(Entry::link),
            ["mounts" | "net"] => Some(Entry::link()),
            ["sys", rest @ ..] => sysctl::entry(rest),
            [name, rest @ ..] => match self.process(k, name) {
                Some(pid) => pid::entry(k, pid, rest),
                None => machine::entry(path),
            },
        }
    }

    fn list(&self, k: &Kernel, path: &[&str]) -> Vec<String> {
        match path {
            [] => {
                let mut names: Vec<String> = machine::NAMES.iter().map(|(name, _)| (*name).to_string()).collect();
                names.extend(["self", "thread-self", "mounts", "net", "sys"].map(String::from));
                if let Some(ns) = k.pid_namespaces.get(&self.namespace) {
                    names.extend(ns.map.keys().map(Pid::to_string));
                }
                names
            }
            ["sys", rest @ ..] => sysctl::list(rest),
            [name, rest @ ..] => self.process(k, name).map_or_else(Vec::new, |pid| pid::list(k, pid, rest)),
        }
    }

    fn read(&self, k: &Kernel, path: &[&str]) -> Result<Vec<u8>> {
        match path {
            ["sys", rest @ ..] => sysctl::read(k, k.current, rest),
            [name, rest @ ..] => match self.process(k, name) {
                Some(pid) => pid::read(k, self.namespace, pid, rest),
                None => machine::read(k, self.namespace, name),
            },
            [] => Err(Errno::EISDIR),
        }
    }

    fn write(&self, k: &mut Kernel, path: &[&str], bytes: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(bytes).trim().to_string();
        match path {
            ["sys", rest @ ..] => {
                let pid = k.current;
                sysctl::write(k, pid, &rest.join("/"), &text)
            }
            ["sysrq-trigger"] => Ok(()),
            [name, file] => {
                let pid = self.process(k, name).ok_or(Errno::ESRCH)?;
                pid::write(k, pid, file, &text)
            }
            _ => Err(Errno::EACCES),
        }
    }

    fn read_link(&self, k: &Kernel, path: &[&str]) -> Result<String> {
        match path {
            ["self"] => Ok(self.own(k).to_string()),
            ["thread-self"] => Ok(format!("{0}/task/{0}", self.own(k))),
            ["mounts"] => Ok("self/mounts".into()),
            ["net"] => Ok("self/net".into()),
            [name, rest @ ..] => {
                let pid = self.process(k, name).ok_or(Errno::ENOENT)?;
                pid::read_link(k, pid, rest)
            }
            [] => Err(Errno::EINVAL),
        }
    }

    fn jump(&self, k: &Kernel, path: &[&str]) -> Option<Result<Jump>> {
        let [name, rest @ ..] = path else { return None };
        let pid = self.process(k, name)?;
        pid::jump(k, pid, rest)
    }
}
