//! Help texts in Docker's layout, from the table.

use super::surface::{Definition, Flag, children};

/// Where Docker wraps when it does not know the terminal's width.
const WIDTH: usize = 79;
/// The first section of `docker --help`, in its order.
const COMMON: [&str; 13] =
    ["run", "exec", "ps", "build", "bake", "pull", "push", "images", "login", "logout", "search", "version", "info"];
/// Commands that Docker has from plugins carry a star.
const PLUGINS: [&str; 2] = ["buildx", "compose"];

/// The whole help of a command or group, with its last newline.
pub(super) fn render(definition: &Definition, path: &str) -> String {
    let shown = definition.shown_as(path);
    let mut text = format!(
        "Usage:  {}\n\n{}{}\n",
        definition.usage_line(path),
        definition.about,
        definition.long.replace("\\n", "\n")
    );
    if !definition.aliases.is_empty() {
        text += &format!("\nAliases:\n  {}\n", definition.aliases);
    }
    if definition.name.split(' ').next() == Some("manifest") {
        text += &experimental(&shown);
    }
    let (own, flags): (Vec<&Flag>, Vec<&Flag>) =
        definition.flags.iter().filter(|f| !f.hidden).partition(|flag| flag.own);
    let root = definition.name == "docker";
    // The plugins and most commands list their options first; the root and its kind list commands first.
    let options = |title: &str| match flags.is_empty() {
        true => String::new(),
        false => format!("\n{title}:\n{}", flag_lines(&flags)),
    };
    if root {
        text += &root_sections();
        text += &options("Global Options");
    } else {
        text += &options("Options");
        if definition.group {
            text += &group_sections(&shown);
        }
    }
    if !own.is_empty() {
        text += &format!("\nOptions that Docker does not have:\n{}", flag_lines(&own));
    }
    if definition.group {
        text += &format!("\nRun '{shown} COMMAND --help' for more information on a command.\n");
    }
    if root {
        text += "\nFor more help on how to use Docker, head to https://docs.docker.com/go/guides/\n";
    }
    text
}

fn experimental(shown: &str) -> String {
    format!(
        "\nEXPERIMENTAL:\n  {shown} is an experimental feature.\n  Experimental features provide early access to product \
         functionality. These\n  features may change between releases without warning, or can be removed from a\n  future \
         release. Learn more about experimental features in our documentation:\n  \
         https://docs.docker.com/go/experimental/\n"
    )
}

/// The sections of a group: commands, with groups inside it in a section of their own.
fn group_sections(path: &str) -> String {
    let all = children(path);
    let groups: Vec<(String, &str)> =
        all.iter().filter(|c| c.2).map(|(name, about, _)| (name.to_string(), *about)).collect();
    let plain: Vec<(String, &str)> =
        all.iter().filter(|c| !c.2).map(|(name, about, _)| (name.to_string(), *about)).collect();
    let mut text = String::new();
    if !groups.is_empty() {
        text += &section("Management Commands", &groups);
    }
    text + &section("Commands", &plain)
}

fn root_sections() -> String {
    let all = children("docker");
    let entry = |name: &str, star: bool| {
        let about = all.iter().find(|(n, _, _)| *n == name).map_or("", |(_, about, _)| about);
        (if star { format!("{name}*") } else { name.to_string() }, about)
    };
    let common: Vec<_> = COMMON.iter().map(|name| entry(name, false)).collect();
    let groups: Vec<_> = all
        .iter()
        .filter(|(name, _, group)| *group && *name != "swarm")
        .map(|(name, _, _)| entry(name, PLUGINS.contains(name)))
        .collect();
    let rest: Vec<_> = all
        .iter()
        .filter(|(name, _, group)| !group && !COMMON.contains(name))
        .map(|(name, _, _)| entry(name, false))
        .collect();
    section("Common Commands", &common)
        + &section("Management Commands", &groups)
        + &section("Swarm Commands", &[entry("swarm", false)])
        + &section("Commands", &rest)
}

fn section(title: &str, entries: &[(String, &str)]) -> String {
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(11);
    let mut text = format!("\n{title}:\n");
    for (name, about) in entries {
        text += &format!("  {name:width$} {about}\n");
    }
    text
}

/// The flags, one column for names and one for what they do, wrapped at [`WIDTH`].
fn flag_lines(flags: &[&Flag]) -> String {
    let heads: Vec<String> = flags
        .iter()
        .map(|flag| {
            let short = flag.short.map_or("      ".to_string(), |s| format!("  -{s}, "));
            let kind = if flag.kind.is_empty() { String::new() } else { format!(" {}", flag.kind) };
            format!("{short}--{}{kind}", flag.long)
        })
        .collect();
    let column = heads.iter().map(String::len).max().unwrap_or(0) + 3;
    let mut text = String::new();
    for (head, flag) in heads.iter().zip(flags) {
        let mut help = flag.help.replace("\\n", "\n");
        // `true` of a boolean is not told where Docker computes it.
        if let Some(default) = flag.default {
            help += &format!(" (default {default})");
        }
        text += &format!("{head:column$}{}\n", wrap(&help, column));
    }
    text
}

/// Breaks text at blanks, as Docker's flag library does: a line may be five longer where nothing is left after it.
fn wrap(text: &str, indent: usize) -> String {
    const SLOP: usize = 5;
    let (indent, mut lines) =
        if WIDTH.saturating_sub(indent) < 24 { (16, vec![String::new()]) } else { (indent, vec![]) };
    let room = WIDTH - indent - SLOP;
    let mut rest = text;
    loop {
        let (line, next) = cut(rest, room, SLOP);
        lines.extend(line.split('\n').map(str::to_string));
        match next {
            Some(next) if !next.is_empty() => rest = next,
            _ => break,
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

/// One line of at most `room` (all of the text where it is at most `slop` longer), and what is left.
fn cut(text: &str, room: usize, slop: usize) -> (&str, Option<&str>) {
    if text.len() < room + slop || !text.is_char_boundary(room) {
        return (text, None);
    }
    let head = &text[..room];
    match (head.rfind('\n'), head.rfind([' ', '\t', '\n'])) {
        (Some(newline), Some(blank)) if newline > 0 && newline < blank => {
            (&text[..newline], Some(&text[newline + 1..]))
        }
        (_, Some(blank)) if blank > 0 => (&text[..blank], Some(&text[blank + 1..])),
        _ => (text, None),
    }
}
