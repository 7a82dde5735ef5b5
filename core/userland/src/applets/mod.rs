//! The usual tools, one file to a tool or a close family, and the table of them.
//!
//! They follow busybox in what they accept, what they say and how they exit, since that is what the
//! small images of the world carry. Each is an ordinary async function over a [`Tool`], which is one
//! process with its words, its environment and what it still has to write.

pub mod options;
pub mod printf;
pub mod test;
pub mod tool;
pub mod users;

mod archive;
mod awk;
mod basics;
mod bytes;
pub mod clock;
mod columns;
mod copy;
mod diff;
mod disk;
mod expr;
mod files;
mod find;
mod glob;
mod grep;
mod http;
mod ls;
mod meta;
mod net;
pub(crate) mod pattern;
mod process;
mod resolve;
mod sed;
mod sizes;
mod sort;
mod system;
mod text;
mod web;

pub use basics::echoed;
pub use tool::{Ending, Tool};

use crate::os::{Os, Program};
use std::pin::Pin;

/// What a tool does: one type for all, so that [`run`] is compiled once.
type Applet<O> = for<'a> fn(&'a Tool<O>) -> Pin<Box<dyn Future<Output = Ending> + 'a>>;

async fn run<O: Os>(tool: Tool<O>, applet: Applet<O>) -> i32 {
    let ending = applet(&tool).await;
    tool.finish(ending).await
}

macro_rules! applets {
    ($names:ident, $find:ident: $($name:literal => $($path:ident)::+, $usage:literal;)*) => {
        /// The names of this table's tools, in its order.
        pub const $names: &[&str] = &[$($name),*];

        /// The tool of this name, if it is in this table.
        pub fn $find<O: Os>(name: &str) -> Option<Program<O>> {
            Some(match name {
                $($name => |os, argv, env| Box::pin(run(Tool::new(os, argv, env, $usage), |tool| Box::pin($($path)::+(tool)))),)*
                _ => return None,
            })
        }
    };
}

// What nearly every session uses.
applets! {
    FIRST, first:
    "[" => test::test, "EXPRESSION ]";
    "arch" => system::arch, "";
    "basename" => basics::basename, "FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...";
    "cat" => text::cat, "[-nbvteA] [FILE]...";
    "chgrp" => meta::chown, "[-Rh] GROUP FILE...";
    "chmod" => meta::chmod, "[-Rcvf] MODE[,MODE]... FILE...";
    "chown" => meta::chown, "[-Rh] USER[:[GRP]] FILE...";
    "clear" => basics::clear, "";
    "cp" => copy::cp, "[-arPLHpfinlsTu] SOURCE... DEST";
    "cut" => columns::cut, "{-b|c LIST | -f LIST [-d SEP] [-s]} [FILE]...";
    "date" => clock::date, "[-uR] [-d TIME] [-r FILE] [+FMT]";
    "dirname" => basics::dirname, "FILENAME";
    "docker-init" => process::docker_init, "[-g] -- COMMAND [ARG]...";
    "echo" => basics::echo, "[-neE] [ARG]...";
    "egrep" => grep::grep, "[-ivnHhlLcoqrwxs] PATTERN [FILE]...";
    "env" => process::env, "[-i0] [-u NAME]... [NAME=VALUE]... [PROG ARGS]";
    "expr" => expr::expr, "EXPRESSION";
    "false" => basics::fail, "";
    "fgrep" => grep::grep, "[-ivnHhlLcoqrwxs] PATTERN [FILE]...";
    "grep" => grep::grep, "[-HhnlLoqvsrRiwFEz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...";
    "head" => text::head, "[-n N|-c N] [FILE]...";
    "hostname" => system::hostname, "[-sid] [HOSTNAME]";
    "id" => users::id, "[-ugGnr] [USER]";
    "kill" => system::kill, "[-l] [-SIG] PID...";
    "ln" => files::ln, "[-sfnTv] TARGET... LINK|DIR";
    "ls" => ls::ls, "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...";
    "mkdir" => files::mkdir, "[-m MODE] [-p] DIRECTORY...";
    "mv" => files::mv, "[-finT] SOURCE... DEST";
    "nohup" => process::nohup, "PROG ARGS";
    "nproc" => basics::nproc, "";
    "printenv" => process::printenv, "[VARIABLE]...";
    "printf" => basics::printf, "FORMAT [ARG]...";
    "ps" => system::ps, "[-o COL1,COL2=HEADER]";
    "pwd" => basics::pwd, "";
    "readlink" => files::readlink, "[-fnv] FILE";
    "realpath" => files::realpath, "[-e] FILE...";
    "rm" => files::rm, "[-irf] FILE...";
    "rmdir" => files::rmdir, "[-p] DIRECTORY...";
    "seq" => basics::seq, "[-w] [-s SEP] [FIRST [INC]] LAST";
    "sleep" => basics::sleep, "[N]...";
    "stat" => meta::stat, "[-Lft] [-c FMT] FILE...";
    "sync" => basics::sync, "";
    "tail" => text::tail, "[-fFqv] [-c [+]N] [-n [+]N] [-N] [FILE]...";
    "tee" => text::tee, "[-ai] [FILE]...";
    "test" => test::test, "EXPRESSION";
    "tini" => process::docker_init, "[-g] -- COMMAND [ARG]...";
    "touch" => clock::touch, "[-cam] [-d DATE] [-t DATE] [-r FILE] FILE...";
    "tr" => columns::tr, "[-cds] STRING1 [STRING2]";
    "true" => basics::succeed, "";
    "tty" => basics::tty, "";
    "uname" => system::uname, "[-amnrspvio]";
    "uniq" => text::uniq, "[-cdui] [-f,s,w N] [FILE [OUTFILE]]";
    "usleep" => basics::usleep, "N";
    "wc" => text::wc, "[-clwmL] [FILE]...";
    "which" => basics::which, "[-a] COMMAND...";
    "whoami" => users::whoami, "";
    "yes" => basics::yes, "[STRING]";
}

// All others.
applets! {
    FURTHER, further:
    "addgroup" => users::addgroup, "[-g GID] [-S] [USER] GROUP";
    "adduser" => users::adduser, "[OPTIONS] USER [GROUP]";
    "awk" => awk::awk, "[-F SEP] [-v VAR=VAL]... [-f FILE]... [PROG] [FILE]...";
    "base64" => bytes::base64, "[-d] [-w COL] [FILE]";
    "chroot" => process::chroot, "NEWROOT [PROG ARGS]";
    "cmp" => bytes::cmp, "[-ls] FILE1 [FILE2]";
    "comm" => sort::comm, "[-123] FILE1 FILE2";
    "curl" => web::curl, "[-sSfIiLv] [-o FILE] [-X METHOD] [-d DATA] [-H HEADER] URL...";
    "dd" => bytes::dd, "[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] [conv=notrunc|sync]";
    "df" => disk::df, "[-PkmhTai] [FILESYSTEM]...";
    "diff" => diff::diff, "[-uqrsi] [-U N] [-L LABEL] FILE1 FILE2";
    "du" => disk::du, "[-aHLdclsxhmk] [FILE]...";
    "find" => find::find, "[-HL] [PATH]... [OPTIONS] [ACTIONS]";
    "fold" => text::fold, "[-bs] [-w WIDTH] [FILE]...";
    "free" => system::free, "[-bkmgh]";
    "getent" => users::getent, "DATABASE [KEY]...";
    "groups" => users::groups, "[USER]";
    "gunzip" => archive::gzip, "[-cfkt] [FILE]...";
    "gzip" => archive::gzip, "[-cfkdt123456789] [FILE]...";
    "hd" => bytes::hexdump, "FILE...";
    "hexdump" => bytes::hexdump, "[-Cv] [-n LENGTH] [-s OFFSET] [FILE]...";
    "hostid" => basics::hostid, "";
    "httpd" => web::httpd, "[-fv] [-p [IP:]PORT] [-h HOME]";
    "ifconfig" => net::ifconfig, "[-a] [INTERFACE]";
    "ip" => net::ip, "[-o] [-4|-6] address|route|link [show] [dev IFACE]";
    "killall" => system::killall, "[-lq] [-SIG] PROCESS_NAME...";
    "less" => text::less, "[FILE]...";
    "md5sum" => bytes::sums, "[-c[s]] [FILE]...";
    "mkfifo" => files::mkfifo, "[-m MODE] NAME...";
    "mknod" => files::mknod, "[-m MODE] NAME TYPE [MAJOR MINOR]";
    "mktemp" => basics::mktemp, "[-dqu] [-p DIR] [TEMPLATE]";
    "more" => text::less, "[FILE]...";
    "mount" => disk::mount, "[OPTIONS] [-o OPT] DEVICE NODE";
    "nc" => net::nc, "[-lzv] [-wN] [-p PORT] [-e PROG] [IPADDR PORT]";
    "netstat" => net::netstat, "[-tulna]";
    "nice" => process::nice, "[-n ADJUST] [PROG ARGS]";
    "nl" => text::nl, "[-b a|t] [-w N] [-s SEP] [-v N] [-i N] [FILE]...";
    "nslookup" => net::nslookup, "HOST [DNS_SERVER]";
    "od" => bytes::od, "[-bcdox] [-A RADIX] [-t TYPE] [-N COUNT] [-j SKIP] [FILE]...";
    "paste" => text::paste, "[-d DELIMITERS] [-s] [FILE]...";
    "pgrep" => system::pgrep, "[-flavnox] PATTERN";
    "pidof" => system::pidof, "[-s] NAME...";
    "ping" => net::ping, "[-c COUNT] [-W SEC] [-w SEC] [-i SEC] [-s SIZE] [-q] HOST";
    "ping6" => net::ping, "[-c COUNT] [-W SEC] [-w SEC] [-i SEC] [-s SIZE] [-q] HOST";
    "pkill" => system::pgrep, "[-SIGNAL] [-fnovx] PATTERN";
    "renice" => process::renice, "[-n] PRIORITY PID...";
    "rev" => text::rev, "[FILE]...";
    "route" => net::route, "[-n]";
    "sed" => sed::sed, "[-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...";
    "setsid" => process::setsid, "[-c] PROG ARGS";
    "sha1sum" => bytes::sums, "[-c[s]] [FILE]...";
    "sha256sum" => bytes::sums, "[-c[s]] [FILE]...";
    "sha512sum" => bytes::sums, "[-c[s]] [FILE]...";
    "shuf" => sort::shuf, "[-n NUM] [-e ARG... | -i L-H | FILE]";
    "sort" => sort::sort, "[-nrugMcszbdfiokt] [-o FILE] [-k START[,END]] [-t CHAR] [FILE]...";
    "strings" => bytes::strings, "[-n LEN] [FILE]...";
    "stty" => basics::stty, "[-a] [SETTING]...";
    "su" => process::su, "[-lmp] [-s SH] [-] [USER [-c 'CMD'] [ARGS]]";
    "tac" => text::tac, "[FILE]...";
    "tar" => archive::tar, "c|x|t [-zvhOo] [-f TARFILE] [-C DIR] [-X PATTERN] [FILE]...";
    "time" => process::time, "[-p] PROG ARGS";
    "timeout" => process::timeout, "[-s SIG] [-k KILL_SECS] SECS PROG ARGS";
    "top" => system::top, "[-b] [-n COUNT] [-d SECONDS]";
    "truncate" => files::truncate, "[-c] -s SIZE FILE...";
    "umount" => disk::umount, "[-lf] FILESYSTEM...";
    "unlink" => files::unlink, "FILE";
    "uptime" => clock::uptime, "";
    "useradd" => users::adduser, "[OPTIONS] USER";
    "wget" => web::wget, "[-qS] [-O FILE] [-T SEC] [-P DIR] [--spider] [--header 'HEADER: VALUE'] URL...";
    "xargs" => find::xargs, "[-0trx] [-I STR] [-n N] [-P N] [PROG ARGS]";
    "zcat" => archive::gzip, "[FILE]...";
}
