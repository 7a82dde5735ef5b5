//! `awk`: the language of POSIX. `parse` reads a program into a tree, `run` walks it.

mod parse;
mod run;
mod value;

use super::{Ending, Tool};
use crate::os::Os;

pub async fn awk<O: Os>(t: &Tool<O>) -> Ending {
    let mut o = t.options("+F:v:f:", &[])?;
    let mut text = String::new();
    let files: Vec<String> = o.values('f').into_iter().map(str::to_string).collect();
    for path in &files {
        let bytes = t.read_file(path).await.map_err(|e| t.die(format_args!("{path}: {e}")))?;
        text += &String::from_utf8_lossy(&bytes);
        text.push('\n');
    }
    if files.is_empty() {
        if o.rest.is_empty() {
            return Err(t.usage());
        }
        text = o.rest.remove(0);
    }
    let program = parse::parse(&text).map_err(|e| t.die(format_args!("cmd. line:{}: {}", e.line, e.text)))?;
    let mut machine = run::Machine::new(t, &program, &o.rest);
    if let Some(separator) = o.value('F') {
        machine.set_variable("FS", if separator == "t" { "\\t" } else { separator });
    }
    for (name, value) in o.values('v').iter().filter_map(|v| v.split_once('=')) {
        machine.set_variable(name, value);
    }
    machine.run().await
}
