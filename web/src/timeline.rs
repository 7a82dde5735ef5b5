//! The timeline: every step of the session, forward and back, and the one that is looked at, explained.

use cutaway_core::world::{Outcome, Step};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub steps: Rc<Vec<Rc<Step>>>,
    /// How many steps have been done at the moment that is looked at: 0 is before the first.
    pub at: usize,
    /// Whether that is now, where new steps are followed.
    pub live: bool,
    pub on_go: Callback<Go>,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    To(usize),
    Back,
    Forward,
    /// To the beginning of this command, or of the one before it.
    CommandBack,
    CommandForward,
    Now,
}

/// The moment that `go` leads to, from `at`.
pub fn target(steps: &[Rc<Step>], at: usize, go: Go) -> usize {
    let last = steps.len();
    let command = |index: usize| steps.get(index).map(|s| s.command);
    match go {
        Go::To(to) => to.min(last),
        Go::Back => at.saturating_sub(1),
        Go::Forward => (at + 1).min(last),
        Go::Now => last,
        Go::CommandBack => {
            let here = at.checked_sub(1).and_then(command);
            (0..at.saturating_sub(1)).rev().find(|i| command(*i) != here).map_or(0, |i| i + 1)
        }
        Go::CommandForward => {
            let here = command(at);
            (at..last).find(|i| command(*i) != here).unwrap_or(last)
        }
    }
}

#[component]
pub fn Timeline(props: &Props) -> Html {
    let Props { steps, at, live, on_go } = props;
    let list = use_node_ref();
    // The step that is looked at stays in sight, without moving the page around it.
    use_effect_with((*at, list.clone()), |(_, list)| {
        let Some(list) = list.cast::<HtmlElement>() else { return };
        if let Some(current) =
            list.query_selector(".current").ok().flatten().and_then(|e| e.dyn_into::<HtmlElement>().ok())
        {
            let (top, height) = (current.offset_top(), current.offset_height());
            if top < list.scroll_top() || top + height > list.scroll_top() + list.client_height() {
                list.set_scroll_top(top - list.client_height() / 2);
            }
        }
    });
    let last = steps.len();
    let go = |to: Go| on_go.reform(move |_: MouseEvent| to);
    let slide = on_go.reform(|event: InputEvent| {
        let value = event.target_unchecked_into::<HtmlInputElement>().value();
        Go::To(value.parse().unwrap_or(usize::MAX))
    });
    let current = at.checked_sub(1).and_then(|i| steps.get(i));
    let now_text = match current {
        Some(step) => format!("step {at} of {last}: {}", step.story.what),
        None => format!("before the first of {last} steps"),
    };
    html! {
        <section class="timeline" aria-label="Timeline">
            <div class="controls">
                <button type="button" onclick={go(Go::CommandBack)} disabled={*at == 0} aria-label="Back a command" title="Back a command (shift \u{2190})">{"\u{21e4}"}</button>
                <button type="button" id="step-back" onclick={go(Go::Back)} disabled={*at == 0} aria-label="Step back" title="Step back (alt \u{2190})">{"\u{2190}"}</button>
                <input type="range" min="0" max={last.to_string()} value={at.to_string()} oninput={slide} aria-label="Step" aria-valuetext={now_text} disabled={last == 0} />
                <button type="button" id="step-forward" onclick={go(Go::Forward)} disabled={*at == last} aria-label="Step forward" title="Step forward (alt \u{2192})">{"\u{2192}"}</button>
                <button type="button" onclick={go(Go::CommandForward)} disabled={*at == last} aria-label="Forward a command" title="Forward a command">{"\u{21e5}"}</button>
                <output class="count" id="step-count">{ format!("{at} / {last}") }</output>
                <button type="button" class={classes!("now", (!live).then_some("wanted"))} onclick={go(Go::Now)} disabled={*live}>{"Now"}</button>
            </div>
            { explanation(current, steps, *at, on_go, &list) }
        </section>
    }
}

fn explanation(
    current: Option<&Rc<Step>>,
    steps: &[Rc<Step>],
    at: usize,
    on_go: &Callback<Go>,
    list: &NodeRef,
) -> Html {
    let Some(step) = current else {
        let text = if steps.is_empty() {
            "Every command is a sequence of steps. They appear here as they happen; go back and forward through them with the arrows."
        } else {
            "This is the machine before the first step."
        };
        return html! { <p class="explanation quiet">{ text }</p> };
    };
    // The steps of the same command stand beside each other, so that the sequence can be read at a glance.
    let first = steps[..at].iter().rposition(|s| s.command != step.command).map_or(0, |i| i + 1);
    let of_command: Vec<&Rc<Step>> = steps[first..].iter().take_while(|s| s.command == step.command).collect();
    html! {
        <div class="explanation">
            <ol class="steps" ref={list.clone()} aria-label={format!("Steps of {}", step.line)} start={(first + 1).to_string()}>
                { for of_command.iter().enumerate().map(|(i, s)| {
                    let number = first + i + 1;
                    let failed = matches!(s.outcome, Outcome::Failed(_));
                    let go = on_go.reform(move |_: MouseEvent| Go::To(number));
                    html! {
                        <li key={number} class={classes!((number == at).then_some("current"), (number > at).then_some("ahead"), failed.then_some("failed"))}>
                            <button type="button" onclick={go} aria-current={(number == at).then_some("step")}>{ &s.story.what }</button>
                        </li>
                    }
                }) }
            </ol>
            <div class="card" aria-live="polite">
                <p class="line"><code>{ &step.line }</code></p>
                <h2>{ &step.story.what }</h2>
                <p>{ &step.why }</p>
                if let Outcome::Failed(reason) = &step.outcome {
                    <p class="failure">{ format!("This failed: {reason}") }</p>
                }
                <details open=true>
                    <summary>{"The system calls that do it on Linux"}</summary>
                    <pre>{ step.story.syscalls.join("\n") }</pre>
                </details>
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_core::world::Story;

    #[test]
    fn where_each_key_leads() {
        let step = |command| {
            let story = Story { act: String::new(), what: String::new(), on: vec![], syscalls: vec![] };
            let time = std::time::Duration::ZERO;
            Rc::new(Step {
                number: 0,
                command,
                line: String::new(),
                story,
                why: String::new(),
                outcome: Outcome::Done,
                at: time,
                took: time,
            })
        };
        let steps: Vec<Rc<Step>> = [1, 1, 1, 2, 2].into_iter().map(step).collect();
        for (at, go, expected) in [
            (0, Go::Back, 0),
            (0, Go::Forward, 1),
            (5, Go::Forward, 5),
            (5, Go::Back, 4),
            (3, Go::To(99), 5),
            (5, Go::CommandBack, 3),
            (4, Go::CommandBack, 3),
            (3, Go::CommandBack, 0),
            (0, Go::CommandBack, 0),
            (0, Go::CommandForward, 3),
            (3, Go::CommandForward, 5),
            (5, Go::CommandForward, 5),
            (1, Go::Now, 5),
        ] {
            assert_eq!(target(&steps, at, go), expected, "{go:?} from {at}");
        }
    }
}
