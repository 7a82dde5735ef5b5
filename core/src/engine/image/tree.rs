//! `docker images --tree`: an image a line, under its longest names. This engine keeps one platform of an image, as
//! Docker's classic store does, so no image has branches, and none is known to be in use or to have content beside
//! its files. Source: docker/cli, command/image/tree.go.

use super::list::{Listed, matching};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::view::filter::Filters;
use crate::view::units;
use crate::world::{Stream, World};
use cutaway_userland::sorted::Arrange;

const SPACING: usize = 3;
const LEAST_NAME: usize = 12;
/// The columns after the name: heading, width, and whether values stand to the right.
const COLUMNS: [(&str, usize, bool); 4] =
    [("ID", 12, false), ("DISK USAGE", 10, true), ("CONTENT SIZE", 12, true), ("EXTRA", 5, false)];
const WARNING: &str = "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.";

/// Flags that do not go with a tree, and their names in what the client says then.
const APART: [(&str, &str); 3] = [("quiet", "quiet"), ("no-trunc", "no-trunc"), ("digests", "show-digest")];

pub async fn tree<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let given = APART.iter().find(|(flag, _)| call.args.flag(flag)).map(|(_, shown)| *shown);
    let formatted = call.args.value("format").is_some_and(|format| !format.is_empty()).then_some("format");
    if let Some(flag) = given.or(formatted) {
        return Err(Error::Client(format!("--{flag} is not yet supported with --tree")));
    }
    let mut filters = call.args.values("filter").to_vec();
    if !call.args.word(0).is_empty() {
        filters.push(format!("reference={}", call.args.word(0)));
    }
    let all = call.args.flag("all");
    let mut listed = matching(ctx, &Filters::parse(&filters), all)?;
    listed.retain(|one| all || !(one.tags.is_empty() && one.digests.is_empty()));
    let tty = ctx.client.is_tty(Stream::Out);
    let screen = ctx.client.window_size().filter(|_| tty).map_or(0, |size| usize::from(size.columns));
    ctx.print(layout(&listed, tty, screen)).await;
    Ok(0)
}

/// What stands before a note of the client's; nine columns wide.
pub(super) fn note_head(tty: bool) -> &'static str {
    match tty {
        true => "\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo → \x1b[0m\x1b[0m",
        false => " Info -> ",
    }
}

/// The whole text; `screen` is the terminal's width, 0 where there is none.
fn layout(listed: &[Listed], tty: bool, screen: usize) -> String {
    let colour = |codes: &str, text: &str| if tty { format!("{codes}{text}\x1b[0m") } else { text.to_string() };
    let width = if screen == 0 { 80 } else { screen.max(20) };
    let mut room = width;
    let mut shown = 0;
    for (_, wide, _) in COLUMNS {
        if room < wide + SPACING + LEAST_NAME {
            break;
        }
        room -= wide + SPACING;
        shown += 1;
    }
    let names: Vec<Vec<String>> = listed.iter().map(|one| longest_first(&one.tags)).collect();
    let widest = names.iter().flatten().map(String::len).max().unwrap_or(0).max("Image".len());
    let first = room.min(widest);

    let mut out = colour("\x1b[93m", WARNING) + "\n" + &legend(tty, width) + "\n\n";
    // The headings are bold in a pipe, too.
    let bold = |text: &str| format!("\x1b[39m\x1b[1m{text}\x1b[0m");
    out += &cell("IMAGE", first, false, bold);
    for (heading, wide, right) in &COLUMNS[..shown] {
        out += &" ".repeat(SPACING);
        out += &cell(heading, *wide, *right, bold);
    }
    out.push('\n');
    for (one, names) in listed.iter().zip(&names) {
        let (last, before) = names.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
        for name in before {
            out += &colour("\x1b[34m\x1b[1m", &ellipsis(name, screen));
            out.push('\n');
        }
        out += &match last {
            "" => cell("<untagged>", first, false, |text| colour("\x1b[39m\x1b[2m", text)),
            name => cell(name, first, false, |text| colour("\x1b[34m\x1b[1m", text)),
        };
        let values = [one.image.id.short(), units::short_size(one.image.size()), units::short_size(0), String::new()];
        for (value, (_, wide, right)) in values.iter().zip(COLUMNS).take(shown) {
            out += &" ".repeat(SPACING);
            out += &cell(
                value,
                wide,
                right,
                |text| if text.is_empty() { String::new() } else { colour("\x1b[39m", text) },
            );
        }
        out.push('\n');
    }
    out
}

/// What the letters in the last column mean, at the right edge.
fn legend(tty: bool, width: usize) -> String {
    let (chip, taken) = if tty { ("\x1b[38;5;0m\x1b[48;5;14m U \x1b[0m", 21) } else { ("U", 19) };
    format!("{}{} {chip} In Use ", " ".repeat(width.saturating_sub(taken)), note_head(tty))
}

fn longest_first(tags: &[Reference]) -> Vec<String> {
    let mut names: Vec<String> = tags.iter().map(Reference::familiar).collect();
    names.arrange_by_key(|name| std::cmp::Reverse(name.len()));
    names
}

/// A value in its column; one that is too long is cut.
fn cell(text: &str, width: usize, right: bool, colour: impl Fn(&str) -> String) -> String {
    let long = text.chars().count();
    if long > width {
        return colour(&ellipsis(text, width));
    }
    let blanks = " ".repeat(width - long);
    if right { blanks + &colour(text) } else { colour(text) + &blanks }
}

/// At most `most` characters, the last an ellipsis where there are more; 0 is no bound.
fn ellipsis(text: &str, most: usize) -> String {
    match most {
        0 => text.to_string(),
        _ if text.chars().count() < most => text.to_string(),
        _ => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_screen() {
        assert_eq!(legend(false, 80).chars().count(), 80);
        assert_eq!(legend(false, 80).trim_start(), "Info ->  U In Use ");
        assert_eq!(cell("abc", 5, true, str::to_string), "  abc");
        assert_eq!(cell("abcdef", 5, false, str::to_string), "abcd…");
        assert_eq!(ellipsis("abc", 0), "abc");
        // Narrow screens lose columns from the right.
        assert!(layout(&[], false, 80).ends_with("CONTENT SIZE\x1b[0m   \x1b[39m\x1b[1mEXTRA\x1b[0m\n"));
        assert!(layout(&[], false, 45).ends_with("DISK USAGE\x1b[0m\n"));
        assert!(layout(&[], true, 20).ends_with("IMAGE\x1b[0m\n"));
    }
}
