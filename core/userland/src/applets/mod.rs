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
mod clock;
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
    ($($name:literal => $($path:ident)::+, $usage:literal;)*) => {
        /// The names of all tools, in the order of the table.
        pub const NAMES: &[&str] = &[$($name),*];

        /// The tool of this name.
        pub fn find<O: Os>(name: &str) -> Option<Program<O>> {
            Some(match name {
                $($name => |os, argv, env| Box::pin(run(Tool::new(os, argv, env, $usage), |tool| Box::pin($($path)::+(tool)))),)*
                _ => return None,
            })
        }
    };
}

applets! {
    "[" => test::test, "EXPRESSION ]";
    "addgroup" => users::addgroup, "[-g GID] [-S] [USER] GROUP";
    "adduser" => users::adduser, "[OPTIONS] USER [GROUP]";
    "arch" => system::arch, "";
    "awk" => awk::awk, "[-F SEP] [-v VAR=VAL]... [-f FILE]... [PROG] [FILE]...";
    "base64" => bytes::base64, "[-d] [-w COL] [FILE]";
    "basename" => basics::basename, "FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...";
    "cat" => text::cat, "[-nbvteA] [FILE]...";
    "chgrp" => meta::chown, "[-Rh] GROUP FILE...";
    "chmod" => meta::chmod, "[-Rcvf] MODE[,MODE]... FILE...";
    "chown" => meta::chown, "[-Rh] USER[:[GRP]] FILE...";
    "chroot" => process::chroot, "NEWROOT [PROG ARGS]";
    "clear" => basics::clear, "";
    "cmp" => bytes::cmp, "[-ls] FILE1 [FILE2]";
    "comm" => sort::comm, "[-123] FILE1 FILE2";
    "cp" => copy::cp, "[-arPLHpfinlsTu] SOURCE... DEST";
    "curl" => web::curl, "[-sSfIiLv] [-o FILE] [-X METHOD] [-d DATA] [-H HEADER] URL...";
    "cut" => columns::cut, "{-b|c LIST | -f LIST [-d SEP] [-s]} [FILE]...";
    "date" => clock::date, "[-uR] [-d TIME] [-r FILE] [+FMT]";
    "dd" => bytes::dd, "[if=FILE] [of=FILE] [bs=N] [count=N] [skip=N] [seek=N] [conv=notrunc|sync]";
    "df" => disk::df, "[-PkmhTai] [FILESYSTEM]...";
    "diff" => diff::diff, "[-uqrsi] [-U N] [-L LABEL] FILE1 FILE2";
    "dirname" => basics::dirname, "FILENAME";
    "docker-init" => process::docker_init, "[-g] -- COMMAND [ARG]...";
    "du" => disk::du, "[-aHLdclsxhmk] [FILE]...";
    "echo" => basics::echo, "[-neE] [ARG]...";
    "egrep" => grep::grep, "[-ivnHhlLcoqrwxs] PATTERN [FILE]...";
    "env" => process::env, "[-i0] [-u NAME]... [NAME=VALUE]... [PROG ARGS]";
    "expr" => expr::expr, "EXPRESSION";
    "false" => basics::fail, "";
    "fgrep" => grep::grep, "[-ivnHhlLcoqrwxs] PATTERN [FILE]...";
    "find" => find::find, "[-HL] [PATH]... [OPTIONS] [ACTIONS]";
    "fold" => text::fold, "[-bs] [-w WIDTH] [FILE]...";
    "free" => system::free, "[-bkmgh]";
    "getent" => users::getent, "DATABASE [KEY]...";
    "grep" => grep::grep, "[-HhnlLoqvsrRiwFEz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...";
    "groups" => users::groups, "[USER]";
    "gunzip" => archive::gzip, "[-cfkt] [FILE]...";
    "gzip" => archive::gzip, "[-cfkdt123456789] [FILE]...";
    "hd" => bytes::hexdump, "FILE...";
    "head" => text::head, "[-n N|-c N] [FILE]...";
    "hexdump" => bytes::hexdump, "[-Cv] [-n LENGTH] [-s OFFSET] [FILE]...";
    "hostid" => basics::hostid, "";
    "hostname" => system::hostname, "[-sid] [HOSTNAME]";
    "httpd" => web::httpd, "[-fv] [-p [IP:]PORT] [-h HOME]";
    "id" => users::id, "[-ugGnr] [USER]";
    "ifconfig" => net::ifconfig, "[-a] [INTERFACE]";
    "ip" => net::ip, "[-o] [-4|-6] address|route|link [show] [dev IFACE]";
    "kill" => system::kill, "[-l] [-SIG] PID...";
    "killall" => system::killall, "[-lq] [-SIG] PROCESS_NAME...";
    "less" => text::less, "[FILE]...";
    "ln" => files::ln, "[-sfnTv] TARGET... LINK|DIR";
    "ls" => ls::ls, "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...";
    "md5sum" => bytes::sums, "[-c[s]] [FILE]...";
    "mkdir" => files::mkdir, "[-m MODE] [-p] DIRECTORY...";
    "mkfifo" => files::mkfifo, "[-m MODE] NAME...";
    "mknod" => files::mknod, "[-m MODE] NAME TYPE [MAJOR MINOR]";
    "mktemp" => basics::mktemp, "[-dqu] [-p DIR] [TEMPLATE]";
    "more" => text::less, "[FILE]...";
    "mount" => disk::mount, "[OPTIONS] [-o OPT] DEVICE NODE";
    "mv" => files::mv, "[-finT] SOURCE... DEST";
    "nc" => net::nc, "[-lzv] [-wN] [-p PORT] [-e PROG] [IPADDR PORT]";
    "netstat" => net::netstat, "[-tulna]";
    "nice" => process::nice, "[-n ADJUST] [PROG ARGS]";
    "nl" => text::nl, "[-b a|t] [-w N] [-s SEP] [-v N] [-i N] [FILE]...";
    "nohup" => process::nohup, "PROG ARGS";
    "nproc" => basics::nproc, "";
    "nslookup" => net::nslookup, "HOST [DNS_SERVER]";
    "od" => bytes::od, "[-bcdox] [-A RADIX] [-t TYPE] [-N COUNT] [-j SKIP] [FILE]...";
    "paste" => text::paste, "[-d DELIMITERS] [-s] [FILE]...";
    "pgrep" => system::pgrep, "[-flavnox] PATTERN";
    "pidof" => system::pidof, "[-s] NAME...";
    "ping" => net::ping, "[-c COUNT] [-W SEC] [-w SEC] [-i SEC] [-s SIZE] [-q] HOST";
    "ping6" => net::ping, "[-c COUNT] [-W SEC] [-w SEC] [-i SEC] [-s SIZE] [-q] HOST";
    "pkill" => system::pgrep, "[-SIGNAL] [-fnovx] PATTERN";
    "printenv" => process::printenv, "[VARIABLE]...";
    "printf" => basics::printf, "FORMAT [ARG]...";
    "ps" => system::ps, "[-o COL1,COL2=HEADER]";
    "pwd" => basics::pwd, "";
    "readlink" => files::readlink, "[-fnv] FILE";
    "realpath" => files::realpath, "[-e] FILE...";
    "renice" => process::renice, "[-n] PRIORITY PID...";
    "rev" => text::rev, "[FILE]...";
    "rm" => files::rm, "[-irf] FILE...";
    "rmdir" => files::rmdir, "[-p] DIRECTORY...";
    "route" => net::route, "[-n]";
    "sed" => sed::sed, "[-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...";
    "seq" => basics::seq, "[-w] [-s SEP] [FIRST [INC]] LAST";
    "setsid" => process::setsid, "[-c] PROG ARGS";
    "sha1sum" => bytes::sums, "[-c[s]] [FILE]...";
    "sha256sum" => bytes::sums, "[-c[s]] [FILE]...";
    "sha512sum" => bytes::sums, "[-c[s]] [FILE]...";
    "shuf" => sort::shuf, "[-n NUM] [-e ARG... | -i L-H | FILE]";
    "sleep" => basics::sleep, "[N]...";
    "sort" => sort::sort, "[-nrugMcszbdfiokt] [-o FILE] [-k START[,END]] [-t CHAR] [FILE]...";
    "stat" => meta::stat, "[-Lft] [-c FMT] FILE...";
    "strings" => bytes::strings, "[-n LEN] [FILE]...";
    "stty" => basics::stty, "[-a] [SETTING]...";
    "su" => process::su, "[-lmp] [-s SH] [-] [USER [-c 'CMD'] [ARGS]]";
    "sync" => basics::sync, "";
    "tac" => text::tac, "[FILE]...";
    "tail" => text::tail, "[-fFqv] [-c [+]N] [-n [+]N] [-N] [FILE]...";
    "tar" => archive::tar, "c|x|t [-zvhOo] [-f TARFILE] [-C DIR] [-X PATTERN] [FILE]...";
    "tee" => text::tee, "[-ai] [FILE]...";
    "test" => test::test, "EXPRESSION";
    "time" => process::time, "[-p] PROG ARGS";
    "timeout" => process::timeout, "[-s SIG] [-k KILL_SECS] SECS PROG ARGS";
    "tini" => process::docker_init, "[-g] -- COMMAND [ARG]...";
    "top" => system::top, "[-b] [-n COUNT] [-d SECONDS]";
    "touch" => clock::touch, "[-cam] [-d DATE] [-t DATE] [-r FILE] FILE...";
    "tr" => columns::tr, "[-cds] STRING1 [STRING2]";
    "true" => basics::succeed, "";
    "truncate" => files::truncate, "[-c] -s SIZE FILE...";
    "tty" => basics::tty, "";
    "umount" => disk::umount, "[-lf] FILESYSTEM...";
    "uname" => system::uname, "[-amnrspvio]";
    "uniq" => text::uniq, "[-cdui] [-f,s,w N] [FILE [OUTFILE]]";
    "unlink" => files::unlink, "FILE";
    "uptime" => clock::uptime, "";
    "useradd" => users::adduser, "[OPTIONS] USER";
    "usleep" => basics::usleep, "N";
    "wc" => text::wc, "[-clwmL] [FILE]...";
    "wget" => web::wget, "[-qS] [-O FILE] [-T SEC] [-P DIR] [--spider] [--header 'HEADER: VALUE'] URL...";
    "which" => basics::which, "[-a] COMMAND...";
    "whoami" => users::whoami, "";
    "xargs" => find::xargs, "[-0trx] [-I STR] [-n N] [-P N] [PROG ARGS]";
    "yes" => basics::yes, "[STRING]";
    "zcat" => archive::gzip, "[FILE]...";
}
