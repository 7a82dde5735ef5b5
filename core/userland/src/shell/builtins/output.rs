//! `echo` and `printf`, which are the tools of the same name without a process of their own.

use super::super::{Run, Shell};
use crate::applets::printf as format;
use crate::os::Os;

pub(super) async fn echo<O: Os>(shell: &mut Shell<O>, args: &[String]) -> i32 {
    let (mut newline, mut escapes, mut rest) = (true, false, args);
    while let Some(word) = rest.first() {
        let letters = word.strip_prefix('-').filter(|l| !l.is_empty() && l.chars().all(|c| "neE".contains(c)));
        let Some(letters) = letters else { break };
        for letter in letters.chars() {
            match letter {
                'n' => newline = false,
                letter => escapes = letter == 'e',
            }
        }
        rest = &rest[1..];
    }
    let text = rest.join(" ");
    let mut bytes = Vec::new();
    if !escapes {
        bytes.extend(text.as_bytes());
    } else if format::unescape(text.as_bytes(), true, &mut bytes) {
        newline = false;
    }
    if newline {
        bytes.push(b'\n');
    }
    shell.print_bytes(&bytes).await
}

pub(super) async fn printf<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (mut variable, mut rest) = (None, args);
    if let [flag, name, more @ ..] = args
        && flag == "-v"
    {
        (variable, rest) = (Some(name.clone()), more);
    }
    if rest.first().is_some_and(|word| word == "--") {
        rest = &rest[1..];
    }
    let Some((layout, values)) = rest.split_first() else {
        crate::io::eprint(&shell.os, "Usage: printf FORMAT [ARG]...").await;
        return Ok(1);
    };
    let printed = format::printf(layout, values);
    let mut status = i32::from(!printed.complaints.is_empty());
    for complaint in &printed.complaints {
        crate::io::eprint(&shell.os, &format!("{}: {complaint}", shell.name)).await;
    }
    match variable {
        Some(name) => shell.assign(&name, String::from_utf8_lossy(&printed.out).into_owned()).await?,
        None if printed.out.is_empty() => {}
        None => status |= shell.print_bytes(&printed.out).await,
    }
    Ok(status)
}
