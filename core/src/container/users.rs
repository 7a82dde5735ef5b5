//! Who a container's program runs as: `--user` looked up in the image's /etc/passwd and /etc/group.

/// A user as the kernel sees one, and where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields[..] else { return None };
        Some(Account { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: fields.get(5).unwrap_or(&"") })
    })
}

/// Name, number and members of each group.
fn groups(group: &str) -> impl Iterator<Item = (&str, u32, Vec<&str>)> {
    group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, ..] = fields[..] else { return None };
        let members = fields.get(3).map_or(Vec::new(), |m| m.split(',').filter(|m| !m.is_empty()).collect());
        Some((name, gid.parse().ok()?, members))
    })
}

/// The greatest number of a user or group. Source: moby/sys, user.
const GREATEST: i64 = 0x7fff_ffff;

fn in_range(text: &str) -> Result<(), String> {
    match text.parse::<i64>() {
        Ok(number) if !(0..=GREATEST).contains(&number) => Err(format!("uids and gids must be in range 0-{GREATEST}")),
        _ => Ok(()),
    }
}

/// Looks up `user[:group]` (empty is root) and the groups of `--group-add`; the errors are runc's and Docker's.
pub fn lookup(user: &str, extra: &[String], passwd: &str, group: &str) -> Result<Identity, String> {
    let (user, wanted) = user.split_once(':').map_or((user, ""), |(u, g)| (u, g));
    let user = if user.is_empty() { "0" } else { user };
    in_range(user)?;
    in_range(wanted)?;
    let number = user.parse::<u32>().ok();
    let account = accounts(passwd).find(|a| a.name == user || Some(a.uid) == number);
    let mut identity = match (&account, number) {
        (Some(a), _) => Identity { uid: a.uid, gid: a.gid, groups: Vec::new(), home: a.home.to_string() },
        (None, Some(uid)) => Identity { uid, gid: 0, groups: Vec::new(), home: String::new() },
        (None, None) => return Err(format!("unable to find user {user}: no matching entries in passwd file")),
    };
    let find = |name: &str| {
        let number = name.parse::<u32>().ok();
        groups(group).find(|(n, gid, _)| *n == name || Some(*gid) == number).map(|(_, gid, _)| gid).or(number)
    };
    if wanted.is_empty() {
        if let Some(account) = &account {
            let member = groups(group).filter(|(_, _, members)| members.contains(&account.name));
            identity.groups.extend(member.map(|(_, gid, _)| gid));
        }
    } else {
        identity.gid =
            find(wanted).ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))?;
    }
    for name in extra {
        let gid =
            find(name).ok_or_else(|| format!("Unable to find group {name}: no matching entries in group file"))?;
        if !identity.groups.contains(&gid) {
            identity.groups.push(gid);
        }
    }
    if !identity.groups.contains(&identity.gid) {
        identity.groups.insert(0, identity.gid);
    }
    if identity.home.is_empty() {
        identity.home = "/".into();
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\nana:x:1000:1000::/home/ana:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nnogroup:x:65534:\nwheel:x:10:root,ana\n";

    #[test]
    fn table() {
        let cases: &[(&str, (u32, u32, &[u32], &str))] = &[
            ("", (0, 0, &[0, 10], "/root")),
            ("nobody", (65534, 65534, &[65534], "/home")),
            ("ana", (1000, 1000, &[1000, 10], "/home/ana")),
            ("1000:10", (1000, 10, &[10], "/home/ana")),
            ("4321", (4321, 0, &[0], "/")),
            ("4321:99", (4321, 99, &[99], "/")),
            (":wheel", (0, 10, &[10], "/root")),
        ];
        for (user, (uid, gid, groups, home)) in cases {
            let got = lookup(user, &[], PASSWD, GROUP).expect(user);
            assert_eq!((got.uid, got.gid, &got.groups[..], got.home.as_str()), (*uid, *gid, *groups, *home), "{user}");
        }
        let far = lookup("0:99999999999", &[], PASSWD, GROUP);
        assert_eq!(far, Err("uids and gids must be in range 0-2147483647".into()));
        let missing = lookup("bob", &[], PASSWD, GROUP);
        assert_eq!(missing, Err("unable to find user bob: no matching entries in passwd file".into()));
    }
}
