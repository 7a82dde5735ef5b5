//! The usual tools, one file to a tool or a close family, and the table of them.
//!
//! They follow busybox in what they accept, what they say and how they exit, since that is what the
//! small images of the world carry. Each is an ordinary async function over a [`Tool`], which is one
//! process with its words, its environment and what it still has to write.

pub mod options;
pub mod tool;

mod basics;
mod clock;
mod columns;
mod copy;
mod files;
mod find;
mod glob;
mod grep;
mod ls;
mod meta;
mod pattern;
pub mod printf;
mod process;
mod resolve;
mod sed;
mod sizes;
mod sort;
pub mod test;
mod text;
pub mod users;

pub use basics::echoed;
pub use tool::{Ending, Tool};

use crate::os::{Os, Program};

macro_rules! applets {
    ($($name:literal => $($path:ident)::+, $usage:literal;)*) => {
        /// The names of all tools, in the order of the table.
        pub const NAMES: &[&str] = &[$($name),*];

        /// The tool of this name.
        pub fn find<O: Os>(name: &str) -> Option<Program<O>> {
            Some(match name {
                $($name => |os, argv, env| Box::pin(async move {
                    let tool = Tool::new(os, argv, env, $usage);
                    let ending = $($path)::+(&tool).await;
                    tool.finish(ending).await
                }),)*
                _ => return None,
            })
        }
    };
}

applets! {
    "[" => test::test, "EXPRESSION ]";
    "addgroup" => users::addgroup, "[-g GID] [-S] [USER] GROUP";
    "adduser" => users::adduser, "[OPTIONS] USER [GROUP]";
    "basename" => basics::basename, "FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...";
    "cat" => text::cat, "[-nbvteA] [FILE]...";
    "chgrp" => meta::chown, "[-Rh] GROUP FILE...";
    "chmod" => meta::chmod, "[-Rcvf] MODE[,MODE]... FILE...";
    "chown" => meta::chown, "[-Rh] USER[:[GRP]] FILE...";
    "chroot" => process::chroot, "NEWROOT [PROG ARGS]";
    "clear" => basics::clear, "";
    "comm" => sort::comm, "[-123] FILE1 FILE2";
    "cp" => copy::cp, "[-arPLHpfinlsTu] SOURCE... DEST";
    "cut" => columns::cut, "{-b|c LIST | -f LIST [-d SEP] [-s]} [FILE]...";
    "date" => clock::date, "[-uR] [-d TIME] [-r FILE] [+FMT]";
    "dirname" => basics::dirname, "FILENAME";
    "docker-init" => process::docker_init, "[-g] -- COMMAND [ARG]...";
    "echo" => basics::echo, "[-neE] [ARG]...";
    "egrep" => grep::grep, "[-ivnHhlLcoqrwxs] PATTERN [FILE]...";
    "env" => process::env, "[-i0] [-u NAME]... [NAME=VALUE]... [PROG ARGS]";
    "false" => basics::fail, "";
    "fgrep" => grep::grep, "[-ivnHhlLcoqrwxs] PATTERN [FILE]...";
    "find" => find::find, "[-HL] [PATH]... [OPTIONS] [ACTIONS]";
    "fold" => text::fold, "[-bs] [-w WIDTH] [FILE]...";
    "getent" => users::getent, "DATABASE [KEY]...";
    "grep" => grep::grep, "[-HhnlLoqvsrRiwFEz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...";
    "groups" => users::groups, "[USER]";
    "head" => text::head, "[-n N|-c N] [FILE]...";
    "hostid" => basics::hostid, "";
    "id" => users::id, "[-ugGnr] [USER]";
    "less" => text::less, "[FILE]...";
    "ln" => files::ln, "[-sfnTv] TARGET... LINK|DIR";
    "ls" => ls::ls, "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...";
    "mkdir" => files::mkdir, "[-m MODE] [-p] DIRECTORY...";
    "mkfifo" => files::mkfifo, "[-m MODE] NAME...";
    "mknod" => files::mknod, "[-m MODE] NAME TYPE [MAJOR MINOR]";
    "mktemp" => basics::mktemp, "[-dqu] [-p DIR] [TEMPLATE]";
    "more" => text::less, "[FILE]...";
    "mv" => files::mv, "[-finT] SOURCE... DEST";
    "nice" => process::nice, "[-n ADJUST] [PROG ARGS]";
    "nl" => text::nl, "[-b a|t] [-w N] [-s SEP] [-v N] [-i N] [FILE]...";
    "nohup" => process::nohup, "PROG ARGS";
    "nproc" => basics::nproc, "";
    "paste" => text::paste, "[-d DELIMITERS] [-s] [FILE]...";
    "printenv" => process::printenv, "[VARIABLE]...";
    "printf" => basics::printf, "FORMAT [ARG]...";
    "pwd" => basics::pwd, "";
    "readlink" => files::readlink, "[-fnv] FILE";
    "realpath" => files::realpath, "[-e] FILE...";
    "renice" => process::renice, "[-n] PRIORITY PID...";
    "rev" => text::rev, "[FILE]...";
    "rm" => files::rm, "[-irf] FILE...";
    "rmdir" => files::rmdir, "[-p] DIRECTORY...";
    "sed" => sed::sed, "[-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...";
    "seq" => basics::seq, "[-w] [-s SEP] [FIRST [INC]] LAST";
    "setsid" => process::setsid, "[-c] PROG ARGS";
    "shuf" => sort::shuf, "[-n NUM] [-e ARG... | -i L-H | FILE]";
    "sleep" => basics::sleep, "[N]...";
    "sort" => sort::sort, "[-nrugMcszbdfiokt] [-o FILE] [-k START[,END]] [-t CHAR] [FILE]...";
    "stat" => meta::stat, "[-Lft] [-c FMT] FILE...";
    "stty" => basics::stty, "[-a] [SETTING]...";
    "su" => process::su, "[-lmp] [-s SH] [-] [USER [-c 'CMD'] [ARGS]]";
    "sync" => basics::sync, "";
    "tac" => text::tac, "[FILE]...";
    "tail" => text::tail, "[-fFqv] [-c [+]N] [-n [+]N] [-N] [FILE]...";
    "tee" => text::tee, "[-ai] [FILE]...";
    "test" => test::test, "EXPRESSION";
    "time" => process::time, "[-p] PROG ARGS";
    "timeout" => process::timeout, "[-s SIG] [-k KILL_SECS] SECS PROG ARGS";
    "tini" => process::docker_init, "[-g] -- COMMAND [ARG]...";
    "touch" => clock::touch, "[-cam] [-d DATE] [-t DATE] [-r FILE] FILE...";
    "tr" => columns::tr, "[-cds] STRING1 [STRING2]";
    "true" => basics::succeed, "";
    "truncate" => files::truncate, "[-c] -s SIZE FILE...";
    "tty" => basics::tty, "";
    "uniq" => text::uniq, "[-cdui] [-f,s,w N] [FILE [OUTFILE]]";
    "unlink" => files::unlink, "FILE";
    "uptime" => clock::uptime, "";
    "useradd" => users::adduser, "[OPTIONS] USER";
    "usleep" => basics::usleep, "N";
    "wc" => text::wc, "[-clwmL] [FILE]...";
    "which" => basics::which, "[-a] COMMAND...";
    "whoami" => users::whoami, "";
    "xargs" => find::xargs, "[-0trx] [-I STR] [-n N] [-P N] [PROG ARGS]";
    "yes" => basics::yes, "[STRING]";
}
