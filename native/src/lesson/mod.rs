//! `cutaway lesson`: what lessons there are, and whether each of them holds what it promises, in both worlds.

mod play;

use cutaway_core::lesson::{Lesson, course};
use play::{Linux, Player, Simulated};
use std::rc::Rc;

const USAGE: &str = "Usage:  cutaway lesson COMMAND

Commands:
  list                          The lessons, in their order
  show LESSON                   The text of one
  test [--in WORLD] [LESSON...] Play lessons: the solution passes, an empty attempt fails, and each wrong attempt
                                fails with its hint. WORLD is simulated or linux; both where none is given.
";

/// Runs the command with the words after `lesson`; its exit status.
pub fn main(words: &[String]) -> i32 {
    let lessons = match course("en") {
        Ok(lessons) => lessons,
        Err(error) => {
            eprintln!("cutaway: {error}");
            return 1;
        }
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => {
            for (number, lesson) in lessons.iter().enumerate() {
                println!("{:2}  {:24} {} ({} min)", number + 1, lesson.id, lesson.text.title, lesson.minutes);
            }
            0
        }
        ["show", name] => match lessons.iter().find(|l| l.id == *name) {
            Some(lesson) => {
                show(lesson);
                0
            }
            None => unknown(name),
        },
        ["test", "--in", world @ ("simulated" | "linux"), names @ ..] => test(&lessons, &[*world], names),
        ["test", names @ ..] => test(&lessons, &["simulated", "linux"], names),
        [] | ["--help" | "-h"] => {
            print!("{USAGE}");
            0
        }
        other => {
            eprintln!("cutaway: lesson {}: not known\n\n{USAGE}", other.join(" "));
            125
        }
    }
}

fn unknown(name: &str) -> i32 {
    eprintln!("cutaway: there is no lesson {name:?}; see: cutaway lesson list");
    1
}

fn show(lesson: &Lesson) {
    println!("{}\n\n{}\n", lesson.text.title, lesson.text.introduction);
    for goal in &lesson.goals {
        println!("[ ] {}\n", lesson.text.section(&format!("goal.{}", goal.key)).unwrap_or_default());
    }
}

#[derive(Default)]
struct Totals {
    passed: u32,
    failed: u32,
    skipped: u32,
}

fn test(lessons: &[Rc<Lesson>], worlds: &[&str], names: &[&str]) -> i32 {
    if let Some(name) = names.iter().find(|n| !lessons.iter().any(|l| l.id == **n)) {
        return unknown(name);
    }
    let mut totals = Totals::default();
    for world in worlds {
        let chosen = lessons.iter().filter(|l| names.is_empty() || names.contains(&l.id.as_str()));
        for lesson in chosen.filter(|l| l.backends.iter().any(|b| b == world)) {
            play_all(world, lesson, &mut totals);
        }
    }
    println!("{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.skipped);
    i32::from(totals.failed > 0)
}

/// The solution, nothing at all, and every wrong attempt, each on a fresh machine.
fn play_all(world: &str, lesson: &Rc<Lesson>, totals: &mut Totals) {
    let attempts = [("solution", lesson.solution.as_slice(), None), ("nothing done", &[], Some(None))];
    let wrong = lesson.wrong.iter().map(|w| (w.name.as_str(), w.lines.as_slice(), Some(Some(w.hint.as_str()))));
    for (name, lines, expected) in attempts.into_iter().chain(wrong) {
        let outcome = match world {
            "simulated" => attempt::<Simulated>(lesson, lines, expected),
            _ => attempt::<Linux>(lesson, lines, expected),
        };
        let (word, why) = match outcome {
            Ok(()) => ("ok", String::new()),
            Err(Refusal::Failed(why)) => ("FAILED", format!(": {why}")),
            Err(Refusal::Skipped(why)) => ("skipped", format!(": {why}")),
        };
        println!("{word:8} {world:10} {}: {name}{why}", lesson.id);
        match word {
            "ok" => totals.passed += 1,
            "skipped" => totals.skipped += 1,
            _ => totals.failed += 1,
        }
    }
}

/// Why an attempt did not do what it should.
pub enum Refusal {
    Failed(String),
    /// This machine can't play it.
    Skipped(String),
}

/// Plays lines. `expected` is `None` where every goal must be reached, else the hint (if any) that must come
/// with an open goal.
fn attempt<P: Player>(lesson: &Rc<Lesson>, lines: &[String], expected: Option<Option<&str>>) -> Result<(), Refusal> {
    let mut player = P::prepare(lesson)?;
    for line in lines {
        player.enter(line)?;
    }
    let progress = player.grade();
    match expected {
        None if progress.done() => Ok(()),
        None => {
            let open = lesson.goals.iter().zip(&progress.reached).filter(|(_, reached)| !**reached);
            let open: Vec<&str> = open.map(|(goal, _)| goal.key.as_str()).collect();
            Err(Refusal::Failed(format!("still open: {}\n{}", open.join(", "), player.transcript())))
        }
        Some(_) if progress.done() => Err(Refusal::Failed("every goal counts as reached".into())),
        Some(hint) if hint.is_none() || progress.hint.as_deref() == hint => Ok(()),
        Some(hint) => Err(Refusal::Failed(format!(
            "the hint is {:?}, expected {:?}\n{}",
            progress.hint.unwrap_or_default(),
            hint.unwrap_or_default(),
            player.transcript()
        ))),
    }
}
