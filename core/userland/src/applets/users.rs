//! Who is who: `/etc/passwd` and `/etc/group`, and the tools that ask and change them.

use super::options::Options;
use super::{Ending, Tool};
use crate::os::{OpenFlags, Os};

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    pub shell: String,
    line: String,
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
    line: String,
}

/// Both tables, read once.
#[derive(Clone, Debug, Default)]
pub struct Users {
    pub users: Vec<User>,
    pub groups: Vec<Group>,
}

impl Users {
    pub async fn read<O: Os>(t: &Tool<O>) -> Users {
        Users::parse(&t.text("/etc/passwd").await, &t.text("/etc/group").await)
    }

    pub fn parse(passwd: &str, group: &str) -> Users {
        let user = |line: &str| {
            let f: Vec<&str> = line.split(':').collect();
            let field = |i: usize| f.get(i).copied().unwrap_or("").to_string();
            let (uid, gid) = (f.get(2)?.parse().ok()?, f.get(3)?.parse().ok()?);
            Some(User { name: field(0), uid, gid, home: field(5), shell: field(6), line: line.to_string() })
        };
        let member = |line: &str| {
            let f: Vec<&str> = line.split(':').collect();
            let members = f.get(3).copied().unwrap_or("").split(',').filter(|m| !m.is_empty());
            let members = members.map(str::to_string).collect();
            Some(Group { name: f[0].to_string(), gid: f.get(2)?.parse().ok()?, members, line: line.to_string() })
        };
        Users { users: passwd.lines().filter_map(user).collect(), groups: group.lines().filter_map(member).collect() }
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|u| u.name == name)
    }
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }
    pub fn user_name(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|u| u.uid == uid).map(|u| u.name.as_str())
    }
    pub fn group_name(&self, gid: u32) -> Option<&str> {
        self.groups.iter().find(|g| g.gid == gid).map(|g| g.name.as_str())
    }
    /// The name, or the number where there is none.
    pub fn user_or_number(&self, uid: u32) -> String {
        self.user_name(uid).map_or_else(|| uid.to_string(), str::to_string)
    }
    pub fn group_or_number(&self, gid: u32) -> String {
        self.group_name(gid).map_or_else(|| gid.to_string(), str::to_string)
    }
    pub fn uid_of(&self, word: &str) -> Option<u32> {
        self.user(word).map(|u| u.uid).or_else(|| word.parse().ok())
    }
    pub fn gid_of(&self, word: &str) -> Option<u32> {
        self.group(word).map(|g| g.gid).or_else(|| word.parse().ok())
    }
    /// All groups of a user: the first one and those that name it.
    pub fn groups_of(&self, user: &User) -> Vec<u32> {
        let others = self.groups.iter().filter(|g| g.gid != user.gid && g.members.contains(&user.name));
        std::iter::once(user.gid).chain(others.map(|g| g.gid)).collect()
    }
}

fn named(label: &str, number: u32, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{label}={number}({name})"),
        None => format!("{label}={number}"),
    }
}

pub async fn id<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("ugGnr", &[])?;
    let users = Users::read(t).await;
    let ids = t.os.ids();
    let (uid, gid, groups) = match o.rest.first() {
        Some(name) => {
            let user = users.user(name).ok_or_else(|| t.die(format_args!("unknown user {name}")))?;
            (user.uid, user.gid, users.groups_of(user))
        }
        None => {
            let gid = if o.has('r') { ids.gid } else { ids.egid };
            let others = ids.groups.iter().copied().filter(|g| *g != gid);
            let groups = std::iter::once(gid).chain(others).collect();
            (if o.has('r') { ids.uid } else { ids.euid }, gid, groups)
        }
    };
    let group = |g: &u32| if o.has('n') { users.group_or_number(*g) } else { g.to_string() };
    match o.last_of("ugG") {
        Some('u') if o.has('n') => t.line(users.user_or_number(uid)),
        Some('u') => t.line(uid.to_string()),
        Some('g') => t.line(group(&gid)),
        Some(_) => t.line(groups.iter().map(group).collect::<Vec<_>>().join(" ")),
        None => {
            // A process without supplementary groups shows none; a user that was asked for always does.
            let groups = if ids.groups.is_empty() && o.rest.is_empty() { Vec::new() } else { groups };
            t.line(describe(&users, &o, uid, gid, &groups, (ids.uid, ids.euid)));
        }
    }
    Ok(0)
}

fn describe(users: &Users, o: &Options, uid: u32, gid: u32, groups: &[u32], real: (u32, u32)) -> String {
    let mut line = named("uid", uid, users.user_name(uid));
    line += " ";
    line += &named("gid", gid, users.group_name(gid));
    if o.rest.is_empty() && real.0 != real.1 {
        line += " ";
        line += &named("euid", real.1, users.user_name(real.1));
    }
    if !groups.is_empty() {
        let names = groups.iter().map(|g| match users.group_name(*g) {
            Some(name) => format!("{g}({name})"),
            None => g.to_string(),
        });
        line += " groups=";
        line += &names.collect::<Vec<_>>().join(",");
    }
    line
}

pub async fn whoami<O: Os>(t: &Tool<O>) -> Ending {
    let uid = t.os.ids().euid;
    match Users::read(t).await.user_name(uid) {
        Some(name) => t.line(name),
        None => return Err(t.die(format_args!("unknown uid {uid}"))),
    }
    Ok(0)
}

pub async fn groups<O: Os>(t: &Tool<O>) -> Ending {
    let users = Users::read(t).await;
    let groups = match t.args.first() {
        Some(name) => users.groups_of(users.user(name).ok_or_else(|| t.die(format_args!("unknown user {name}")))?),
        None => {
            let ids = t.os.ids();
            let others = ids.groups.iter().copied().filter(|g| *g != ids.egid);
            std::iter::once(ids.egid).chain(others).collect()
        }
    };
    t.line(groups.iter().map(|g| users.group_or_number(*g)).collect::<Vec<_>>().join(" "));
    Ok(0)
}

pub async fn getent<O: Os>(t: &Tool<O>) -> Ending {
    let Some((table, keys)) = t.args.split_first() else { return Err(t.usage()) };
    let users = Users::read(t).await;
    let lines: Vec<(Vec<String>, String)> = match table.as_str() {
        "passwd" => users.users.iter().map(|u| (vec![u.name.clone(), u.uid.to_string()], u.line.clone())).collect(),
        "group" => users.groups.iter().map(|g| (vec![g.name.clone(), g.gid.to_string()], g.line.clone())).collect(),
        "hosts" | "ahosts" => {
            for key in keys {
                match super::resolve::resolve(t, key).await {
                    Some(ip) => t.line(format!("{:<15} {key}", ip.to_string())),
                    None => return Ok(2),
                }
            }
            return Ok(0);
        }
        other => {
            t.warn(format_args!("unknown database: {other}"));
            return Ok(1);
        }
    };
    if keys.is_empty() {
        lines.iter().for_each(|(_, line)| t.line(line));
    }
    for key in keys {
        match lines.iter().find(|(names, _)| names.contains(key)) {
            Some((_, line)) => t.line(line),
            None => return Ok(2),
        }
    }
    Ok(0)
}

async fn append<O: Os>(t: &Tool<O>, path: &str, line: String) -> Result<(), i32> {
    let before = t.read_file(path).await.unwrap_or_default();
    let gap = if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" };
    let line = format!("{gap}{line}\n");
    t.write_file(path, line.as_bytes(), OpenFlags::APPEND, 0o644).await.map_err(|e| t.die(format_args!("{path}: {e}")))
}

/// The lowest number from 1000 (or from 100, for the system) that is free.
fn free_number(taken: &[u32], system: bool) -> u32 {
    (if system { 100..1000 } else { 1000..60000 }).find(|n| !taken.contains(n)).unwrap_or(60000)
}

pub async fn addgroup<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("g:Sr", &[("gid", 'g'), ("system", 'S')])?;
    let users = Users::read(t).await;
    match &o.rest[..] {
        [name] => {
            if users.group(name).is_some() {
                return Err(t.die(format_args!("group '{name}' in use")));
            }
            let taken: Vec<u32> = users.groups.iter().map(|g| g.gid).collect();
            let system = o.has('S') || o.has('r');
            let gid = o.value('g').map_or(Ok(free_number(&taken, system)), |g| t.number(g))?;
            append(t, "/etc/group", format!("{name}:x:{gid}:")).await?;
        }
        [user, group] => {
            users.user(user).ok_or_else(|| t.die(format_args!("unknown user {user}")))?;
            users.group(group).ok_or_else(|| t.die(format_args!("unknown group {group}")))?;
            let lines = users.groups.iter().map(|g| {
                let comma = if g.members.is_empty() { "" } else { "," };
                match g.name == *group && !g.members.contains(user) {
                    true => format!("{}{comma}{user}\n", g.line),
                    false => format!("{}\n", g.line),
                }
            });
            let text: String = lines.collect();
            t.write_file("/etc/group", text.as_bytes(), OpenFlags::CREATE, 0o644)
                .await
                .map_err(|e| t.die(format_args!("/etc/group: {e}")))?;
        }
        _ => return Err(t.usage()),
    }
    Ok(0)
}

pub async fn adduser<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("home", 'h'),
        ("home-dir", 'h'),
        ("shell", 's'),
        ("ingroup", 'G'),
        ("gid", 'G'),
        ("uid", 'u'),
        ("system", 'S'),
        ("disabled-password", 'D'),
        ("no-create-home", 'H'),
        ("gecos", 'g'),
        ("create-home", 'm'),
    ];
    let letters = if t.name == "useradd" { "h:s:G:u:SDHg:mMrU" } else { "h:s:G:u:SDHg:m" };
    let o = t.options(letters, &long)?;
    if let [user, group] = &o.rest[..] {
        let inner = Tool::new(t.os.clone(), vec!["addgroup".into(), user.clone(), group.clone()], t.env.clone(), "");
        let ending = addgroup(&inner).await;
        return Ok(inner.finish(ending).await);
    }
    let [name] = &o.rest[..] else { return Err(t.usage()) };
    let users = Users::read(t).await;
    if users.user(name).is_some() {
        return Err(t.die(format_args!("user '{name}' in use")));
    }
    let system = o.has('S') || o.has('r');
    let taken: Vec<u32> = users.users.iter().map(|u| u.uid).collect();
    let uid: u32 = o.value('u').map_or(Ok(free_number(&taken, system)), |u| t.number(u))?;
    let gid = match o.value('G') {
        Some(group) => users.gid_of(group).ok_or_else(|| t.die(format_args!("unknown group {group}")))?,
        None if system => users.group("nogroup").or(users.group("nobody")).map_or(65533, |g| g.gid),
        None => {
            append(t, "/etc/group", format!("{name}:x:{uid}:")).await?;
            uid
        }
    };
    let home = o.value('h').map_or_else(|| format!("/home/{name}"), str::to_string);
    let shell = o.value('s').unwrap_or(if system { "/bin/false" } else { "/bin/sh" });
    let gecos = o.value('g').unwrap_or("Linux User,,,");
    append(t, "/etc/passwd", format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}")).await?;
    let create = if t.name == "useradd" { o.has('m') } else { !o.has('H') && !system };
    if create {
        let _ = super::files::make_parents(&t.os, &home, 0o755);
        let _ = t.os.chown(&home, Some(uid), Some(gid), true);
    }
    Ok(0)
}
