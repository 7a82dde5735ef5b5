//! The panel that shows a lesson: its text, its goals, its hints.

use cutaway_core::lesson::{Lesson, Progress};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub lesson: Rc<Lesson>,
    pub progress: Progress,
    /// The prediction that is asked, by its place in the lesson, and the answers given so far: place of the
    /// prediction, place of the choice, whether it was right (once that is known).
    pub asked: Option<usize>,
    pub answers: Vec<(usize, usize, Option<bool>)>,
    pub on_answer: Callback<(usize, usize)>,
    pub on_next: Callback<()>,
}

#[component]
pub fn Panel(props: &Props) -> Html {
    let Props { lesson, progress, asked, answers, on_answer, on_next } = props;
    let section = |key: String| prose(lesson.text.section(&key).unwrap_or_default());
    html! {
        <section class="lesson" aria-label="Lesson">
            <h2>{ &lesson.text.title }</h2>
            <div class="prose">{ prose(&lesson.text.introduction) }</div>
            <ol class="goals">
                { for lesson.goals.iter().zip(&progress.reached).map(|(goal, reached)| html! {
                    <li key={goal.key.clone()} class={classes!(reached.then_some("reached"))}>
                        <span class="tick" role="img" aria-label={if *reached { "reached" } else { "open" }}>{ if *reached { "\u{2713}" } else { "\u{25cb}" } }</span>
                        <div>{ section(format!("goal.{}", goal.key)) }</div>
                    </li>
                }) }
            </ol>
            <div class="attention">
            { for answers.iter().filter_map(|(question, choice, right)| Some(answer(lesson, *question, *choice, (*right)?))) }
            if let Some(index) = asked {
                <fieldset class="predict">
                    <legend>{ section(format!("predict.{}", lesson.predictions[*index].key)) }</legend>
                    { for lesson.predictions[*index].choices.iter().enumerate().map(|(i, choice)| {
                        let (on_answer, question) = (on_answer.clone(), *index);
                        html! { <button type="button" key={i} onclick={move |_| on_answer.emit((question, i))}>{ inline(lesson.text.section(&format!("choice.{}", choice.key)).unwrap_or_default()) }</button> }
                    }) }
                </fieldset>
            }
            <div aria-live="polite">
                if progress.done() {
                    <p class="done">{"All goals are reached."}
                        <button type="button" onclick={let on_next = on_next.clone(); move |_| on_next.emit(())}>{"Next"}</button></p>
                } else if let Some(hint) = &progress.hint {
                    <div class="hint">{ section(format!("hint.{hint}")) }</div>
                }
            </div>
            </div>
        </section>
    }
}

fn answer(lesson: &Lesson, question: usize, choice: usize, right: bool) -> Html {
    let text = lesson
        .text
        .section(&format!("choice.{}", lesson.predictions[question].choices[choice].key))
        .unwrap_or_default();
    let verdict =
        if right { "You expected this, and it happened: " } else { "You expected something else than what happened: " };
    html! { <p class={classes!("answer", right.then_some("right"))} key={question}>{ verdict }<em>{ inline(text) }</em></p> }
}

/// Paragraphs and `code`, as text: no other markup is known, and none gets through.
pub fn prose(text: &str) -> Html {
    html! { <>{ for text.split("\n\n").filter(|p| !p.trim().is_empty()).map(|part| html! { <p>{ inline(part) }</p> }) }</> }
}

/// Words and `code` of one paragraph.
fn inline(text: &str) -> Html {
    let piece = |(i, piece): (usize, &str)| {
        if i % 2 == 1 {
            html! { <code>{ piece }</code> }
        } else {
            html! { <>{ piece.replace('\n', " ") }</> }
        }
    };
    html! { <>{ for text.split('`').enumerate().map(piece) }</> }
}
