//! The terminal: a log that screen readers follow, and one labelled input, which phones' keyboards know.

pub mod screen;

use screen::{Line, Style};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

/// What a person does with the keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A whole line, without its end.
    Line(String),
    /// Bytes as they are: `^C`, `^D`, …
    Control(u8),
    /// The line so far, to be completed.
    Complete(String),
}

/// How many characters the ruler has.
const RULER: usize = 20;

/// How many characters fit beside each other in the page's terminal; `None` before it is drawn.
pub fn columns() -> Option<u16> {
    let document = gloo::utils::document();
    let width = |selector: &str| {
        let element = document.query_selector(selector).ok()??.dyn_into::<HtmlElement>().ok()?;
        Some(f64::from(element.offset_width()))
    };
    // The log has 12 pixels of padding on each side, and may have to show a bar for scrolling.
    let (room, ruler) = (width(".log")? - 40.0, width(".ruler")?);
    let fitting = (ruler > 0.0).then(|| (room * RULER as f64 / ruler).floor())?;
    Some(fitting.clamp(20.0, 200.0) as u16)
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub lines: Vec<(usize, Rc<Line>)>,
    /// The line that output goes on in, usually the prompt.
    pub prompt: String,
    /// Shown in the empty input.
    pub example: String,
    pub busy: bool,
    pub history: Rc<Vec<String>>,
    /// What a completion made of the input; a new number each time.
    pub completion: Option<(u32, String)>,
    pub on_key: Callback<Key>,
}

pub enum Msg {
    Typed(String),
    Key(KeyboardEvent),
    Submit,
}

pub struct Terminal {
    text: String,
    /// How far back in the history, 0 being the line that is typed.
    back: usize,
    completed: u32,
    log: NodeRef,
    input: NodeRef,
}

impl Component for Terminal {
    type Message = Msg;
    type Properties = Props;

    fn create(_ctx: &Context<Self>) -> Self {
        Terminal { text: String::new(), back: 0, completed: 0, log: NodeRef::default(), input: NodeRef::default() }
    }

    fn changed(&mut self, ctx: &Context<Self>, _old: &Props) -> bool {
        if let Some((number, text)) = &ctx.props().completion
            && *number != self.completed
        {
            self.completed = *number;
            self.text.clone_from(text);
        }
        true
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Typed(text) => {
                self.text = text;
                self.back = 0;
            }
            Msg::Submit => {
                self.back = 0;
                ctx.props().on_key.emit(Key::Line(std::mem::take(&mut self.text)));
            }
            Msg::Key(event) => return self.key(ctx, &event),
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let props = ctx.props();
        let link = ctx.link();
        let submit = link.callback(|event: SubmitEvent| {
            event.prevent_default();
            Msg::Submit
        });
        let typed =
            link.callback(|event: InputEvent| Msg::Typed(event.target_unchecked_into::<HtmlInputElement>().value()));
        let focus = {
            let input = self.input.clone();
            Callback::from(move |_: MouseEvent| {
                // A click that ends a selection must not take the selection away.
                let selecting = gloo::utils::window().get_selection().ok().flatten().is_some_and(|s| !s.is_collapsed());
                if let (false, Some(input)) = (selecting, input.cast::<HtmlElement>()) {
                    let _ = input.focus();
                }
            })
        };
        let ruler = "0".repeat(RULER);
        html! {
            <section class="terminal" aria-label="Terminal" onclick={focus}>
                <span class="ruler" aria-hidden="true">{ ruler }</span>
                <div class="log" role="log" aria-live="polite" tabindex="0" ref={self.log.clone()}>
                    { for props.lines.iter().map(|(number, line)| html! {
                        <div class="line" key={*number}>{ for line.runs().into_iter().map(run) }{"\u{200b}"}</div>
                    }) }
                </div>
                <form class="entry" onsubmit={submit}>
                    <label for="command" class="prompt">{ if props.prompt.trim().is_empty() { "\u{a0}".to_string() } else { props.prompt.clone() } }</label>
                    <input id="command" ref={self.input.clone()} type="text" value={self.text.clone()} oninput={typed}
                        onkeydown={link.callback(Msg::Key)} placeholder={props.example.clone()} aria-label="Command"
                        autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false" enterkeyhint="go" />
                    if props.busy {
                        <button type="button" class="plain" title="Interrupt (ctrl-c)"
                            onclick={let on_key = props.on_key.clone(); move |_| on_key.emit(Key::Control(3))}>{"Stop"}</button>
                    }
                    <button type="submit" class="plain" aria-label="Enter">{"\u{21b5}"}</button>
                </form>
            </section>
        }
    }

    fn rendered(&mut self, _ctx: &Context<Self>, first: bool) {
        if let Some(log) = self.log.cast::<HtmlElement>() {
            log.set_scroll_top(log.scroll_height());
        }
        if first && let Some(input) = self.input.cast::<HtmlElement>() {
            let _ = input.focus();
        }
    }
}

impl Terminal {
    /// Keys that mean something to a terminal; all others are the input's own.
    fn key(&mut self, ctx: &Context<Self>, event: &KeyboardEvent) -> bool {
        let props = ctx.props();
        match (event.key().as_str(), event.ctrl_key()) {
            ("ArrowUp", false) => self.recall(&props.history, self.back + 1),
            ("ArrowDown", false) => self.recall(&props.history, self.back.saturating_sub(1)),
            ("Tab", false) if !event.shift_key() && !self.text.is_empty() => {
                props.on_key.emit(Key::Complete(self.text.clone()))
            }
            ("c", true) if gloo::utils::window().get_selection().ok().flatten().is_none_or(|s| s.is_collapsed()) => {
                self.text.clear();
                props.on_key.emit(Key::Control(3));
            }
            ("d", true) if self.text.is_empty() => props.on_key.emit(Key::Control(4)),
            ("z", true) if self.text.is_empty() => props.on_key.emit(Key::Control(26)),
            ("l", true) => props.on_key.emit(Key::Control(12)),
            _ => return false,
        }
        event.prevent_default();
        true
    }

    fn recall(&mut self, history: &[String], back: usize) {
        self.back = back.min(history.len());
        self.text = history.len().checked_sub(self.back).and_then(|i| history.get(i)).cloned().unwrap_or_default();
    }
}

/// A run of one style, as text: what a container prints is never markup.
fn run((style, text): (Style, String)) -> Html {
    let mut class = Classes::new();
    if let Some(colour) = style.colour {
        class.push(format!("c{colour}"));
    }
    for (on, name) in
        [(style.bold, "bold"), (style.dim, "dim"), (style.underlined, "underlined"), (style.inverse, "inverse")]
    {
        if on {
            class.push(name);
        }
    }
    if class.is_empty() {
        html! { <>{ text }</> }
    } else {
        html! { <span {class}>{ text }</span> }
    }
}
