//! `docker-machine scp`: files from one host to another. `NAME:PATH` is on a machine, any other path on the
//! host where it is typed. And `mount`.

use super::{Ending, Run, record};
use crate::sim::hosts::{HOME, dial};
use crate::sim::kernel::{Machine, TreeEntry, TreeKind};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Os};

/// A path on a machine.
struct Place {
    machine: Machine,
    path: String,
}

impl Place {
    fn kind(&self) -> Result<FileKind, Errno> {
        self.machine.os(Machine::INIT).stat(&self.path).map(|stat| stat.kind)
    }
}

async fn place(run: &Run, word: &str) -> Result<Place, String> {
    let below = |folder: &str, path: &str| match path.starts_with('/') {
        true => path.to_string(),
        false => format!("{folder}/{path}").trim_end_matches("/.").to_string(),
    };
    let own = || run.here.host.world.machine().clone();
    let cwd = run.here.os.cwd().unwrap_or_else(|_| "/".into());
    let Some((name, path)) = word.split_once(':') else {
        return Ok(Place { machine: own(), path: below(&cwd, word) });
    };
    let (user, name) = name.split_once('@').unwrap_or(("", name));
    if name == "localhost" {
        return Ok(Place { machine: own(), path: below(&cwd, path) });
    }
    let record = record::read(run, name).await;
    let record = record.map_err(|why| format!("Error loading host: Error loading host: {why}"))?;
    let user = if user.is_empty() { record.user.as_str() } else { user };
    let host = dial::over_ssh(&run.here, user, &record.ip, record.ssh_port).await;
    let host = host.map_err(|why| format!("{why}\nscp: Connection closed\nexit status 255"))?;
    Ok(Place { machine: host.world.machine().clone(), path: below(HOME, path) })
}

/// There is no program here that mounts another host's folder.
pub async fn mount(run: &Run) -> Ending {
    if !(1..=2).contains(&run.args.words.len()) {
        run.say(run.help.trim_end()).await;
        return Err(WRONG_NUMBER.into());
    }
    let (program, what) = match run.args.flag("unmount") {
        true => ("fusermount", "unmount option"),
        false => ("sshfs", "mount feature"),
    };
    Err(format!("You must have a copy of the {program} binary locally to use the {what}"))
}

const WRONG_NUMBER: &str = "Improper number of arguments";

pub async fn scp(run: &Run) -> Ending {
    let [from, to] = run.args.words.as_slice() else {
        run.say(run.help.trim_end()).await;
        return Err(WRONG_NUMBER.into());
    };
    if run.args.flag("delta") {
        return Err("You must have a copy of the rsync binary locally to use the --delta option".into());
    }
    let (from, to) = (place(run, from).await?, place(run, to).await?);
    let failed = |path: &str| {
        let path = path.to_string();
        move |errno: Errno| format!("scp: {path}: {}\nexit status 1", errno.text())
    };
    if from.kind().map_err(failed(&from.path))? == FileKind::Directory && !run.args.flag("recursive") {
        return Err(format!("scp: {}: not a regular file\nexit status 1", from.path));
    }
    let mut entries = from.machine.export(Machine::INIT, &from.path).map_err(failed(&from.path))?;
    // Into a folder under its own name, else to the very place.
    let folder = match to.kind() {
        Ok(FileKind::Directory) => to.path.clone(),
        _ => {
            let (folder, name) = to.path.rsplit_once('/').unwrap_or(("", &to.path));
            rename(&mut entries, name);
            let folder = if folder.is_empty() { "/" } else { folder };
            to.machine.os(Machine::INIT).stat(folder).map_err(failed(&to.path))?;
            folder.to_string()
        }
    };
    let plain = |entry: &TreeEntry| !matches!(entry.kind, TreeKind::Symlink(_)) || run.args.flag("recursive");
    let entries = entries.into_iter().filter(plain);
    to.machine.import(Machine::INIT, &folder, entries).map_err(failed(&to.path))?;
    Ok(0)
}

/// Gives the first component of each path another name.
fn rename(entries: &mut [TreeEntry], name: &str) {
    for entry in entries {
        entry.path = match entry.path.split_once('/') {
            Some((_, rest)) => format!("{name}/{rest}"),
            None => name.to_string(),
        };
    }
}
