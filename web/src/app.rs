//! The page as a whole: it drives the machine in slices, and shows what it is told.

use crate::annex;
use crate::lessons::Panel;
use crate::machine::{Machine, Pace};
use crate::stage::StageView;
use crate::terminal::screen::{Line, Screen};
use crate::terminal::{self, Key, Terminal};
use crate::timeline::{Go, Timeline, target};
use cutaway_core::lesson::{Lesson, Progress};
use cutaway_core::sim::annex::{Annex, Lessons};
use cutaway_core::world::Step;
use gloo::events::EventListener;
use gloo::storage::{LocalStorage, Storage};
use gloo::timers::callback::Timeout;
use std::rc::Rc;
use std::time::Duration;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Offered in the empty terminal, one after the other as they are used up.
const EXAMPLES: [&str; 4] =
    ["docker run hello-world", "docker ps -a", "docker run -d -p 8080:80 nginx", "docker images"];
/// The longest that the page waits before it looks at the machine again, in milliseconds.
const LOOK: u64 = 40;
/// A wait longer than this can be skipped.
const LONG: Duration = Duration::from_secs(2);

pub enum Msg {
    Key(Key),
    Pump,
    Skip,
    Go(Go),
    Resized,
    Lesson(usize),
    Answer((usize, usize)),
    Theme,
    GoOn,
    /// The second module has come, or could not be fetched.
    Annex(Option<Annex>),
    Retry,
}

/// Where the page is with its second module.
enum Fetched {
    NotYet,
    Coming,
    Failed,
    Here(Annex),
}

/// What the lessons are called, in the order of the course.
pub const TITLES: &[&str] = include!(concat!(env!("OUT_DIR"), "/titles.rs"));

/// A lesson that is being played.
struct Playing {
    /// Its place in the course.
    place: usize,
    lessons: Lessons,
    lesson: Rc<Lesson>,
    progress: Progress,
    asked: Option<usize>,
    /// The line that waits for the prediction to be answered.
    held: Option<String>,
    answers: Vec<(usize, usize, Option<bool>)>,
}

pub struct App {
    machine: Machine,
    screen: Screen,
    history: Rc<Vec<String>>,
    /// How many steps have been done at the moment that is looked at.
    at: usize,
    live: bool,
    busy: bool,
    /// Whether the first prompt has been there.
    prompted: bool,
    /// What the machine waits for, if it is long.
    waiting: Option<Duration>,
    pumping: Option<Timeout>,
    last_look: f64,
    /// Empty until it has been fetched.
    course: Vec<Rc<Lesson>>,
    playing: Option<Playing>,
    annex: Fetched,
    /// The lesson that waits for it.
    wanted: Option<usize>,
    /// Whether the machine does.
    lacks: bool,
    completion: Option<(u32, String)>,
    stage: NodeRef,
    width: f64,
    /// Of the terminal.
    columns: Option<u16>,
    dark: Option<bool>,
    _listeners: Vec<EventListener>,
}

impl Component for App {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let window = gloo::utils::window();
        let link = ctx.link().clone();
        let resized = EventListener::new(&window, "resize", move |_| link.send_message(Msg::Resized));
        let link = ctx.link().clone();
        // Not passive: the browser must not also go back a page.
        let keys = EventListener::new_with_options(
            &window,
            "keydown",
            gloo::events::EventListenerOptions::enable_prevent_default(),
            move |event| {
                let Some(event) = wasm_bindgen::JsCast::dyn_ref::<KeyboardEvent>(event) else { return };
                let go = match (event.key().as_str(), event.alt_key(), event.shift_key()) {
                    ("ArrowLeft", true, false) => Go::Back,
                    ("ArrowRight", true, false) => Go::Forward,
                    ("ArrowLeft", true, true) => Go::CommandBack,
                    ("ArrowRight", true, true) => Go::CommandForward,
                    ("ArrowUp", true, _) => Go::Now,
                    _ => return,
                };
                event.prevent_default();
                link.send_message(Msg::Go(go));
            },
        );
        ctx.link().send_message(Msg::Pump);
        let dark = LocalStorage::get("dark").ok();
        paint(dark);
        App {
            machine: Machine::new(None),
            screen: Screen::default(),
            history: Rc::default(),
            at: 0,
            live: true,
            busy: true,
            prompted: false,
            waiting: None,
            pumping: None,
            last_look: now(),
            course: Vec::new(),
            playing: None,
            annex: Fetched::NotYet,
            wanted: None,
            lacks: false,
            completion: None,
            stage: NodeRef::default(),
            width: 0.0,
            columns: None,
            dark,
            _listeners: vec![resized, keys],
        }
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Key(key) => self.key(ctx, key),
            Msg::Pump => return self.pump(ctx),
            Msg::Skip => {
                self.machine.skip();
                ctx.link().send_message(Msg::Pump);
            }
            Msg::Go(go) => {
                self.at = target(&self.machine.steps(), self.at, go);
                self.live = self.at == self.machine.steps().len();
            }
            Msg::Resized => return self.measure(),
            Msg::Lesson(index) => self.choose(ctx, index),
            Msg::Answer((question, choice)) => self.answer(ctx, question, choice),
            Msg::Theme => {
                let dark = !self.is_dark();
                self.dark = Some(dark);
                // Without storage the choice lasts as long as the page.
                let _ = LocalStorage::set("dark", dark);
                paint(self.dark);
            }
            Msg::GoOn => self.go_on(ctx),
            Msg::Annex(Some(annex)) => {
                self.machine.bring_annex(annex.clone());
                // A test keeps every lesson readable.
                self.course = (annex.lessons.course)("en").unwrap_or_default();
                self.annex = Fetched::Here(annex);
                self.last_look = now();
                if let Some(index) = self.wanted.take() {
                    self.choose(ctx, index);
                }
                ctx.link().send_message(Msg::Pump);
            }
            Msg::Annex(None) => self.annex = Fetched::Failed,
            Msg::Retry => self.fetch(ctx),
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let link = ctx.link();
        let steps = self.machine.steps();
        let looked_at = self.at.checked_sub(1).and_then(|i| steps.get(i));
        let lit = if self.live && !self.busy {
            Vec::new()
        } else {
            looked_at.map(|s: &Rc<Step>| s.story.on.clone()).unwrap_or_default()
        };
        let (lines, prompt) = self.terminal_lines();
        let example = EXAMPLES.iter().find(|e| !self.history.iter().any(|h| h == *e)).copied().unwrap_or("");
        html! {
            <div class="page">
                { self.header(ctx) }
                <main>
                    <div class="left">
                        if let Some(playing) = &self.playing {
                            <Panel lesson={Rc::clone(&playing.lesson)} progress={playing.progress.clone()} asked={playing.asked} answers={playing.answers.clone()}
                                on_answer={link.callback(Msg::Answer)} on_next={let next = self.next_lesson(); link.callback(move |()| Msg::Lesson(next))} />
                        }
                        <Terminal {lines} {prompt} busy={self.busy} history={Rc::clone(&self.history)} completion={self.completion.clone()}
                            example={if self.busy { String::new() } else { example.to_string() }} on_key={link.callback(Msg::Key)} />
                        if self.history.is_empty() && self.playing.is_none() && !self.busy {
                            <p class="start">{"Any docker command works here. Start with "}
                                <button type="button" class="example" onclick={link.callback(|_| Msg::Key(Key::Line(EXAMPLES[0].into())))}>{ EXAMPLES[0] }</button></p>
                        }
                        { self.fetching(ctx) }
                        if let Some(time) = self.waiting {
                            <p class="start">{ format!("The machine waits for {} more seconds. ", time.as_secs()) }
                                <button type="button" class="example" onclick={link.callback(|_| Msg::Skip)}>{"Skip the wait"}</button></p>
                        }
                    </div>
                    <div class="right">
                        <section class={classes!("scene", (!self.live).then_some("past"))} aria-label="Stage" ref={self.stage.clone()}>
                            if self.width > 0.0 {
                                <StageView stage={self.machine.stage_at(self.at)} {lit} width={self.width} />
                            }
                        </section>
                        if !self.live {
                            <p class="past-note" role="status">{ format!("You are looking at the machine as it was after step {} of {}. ", self.at, steps.len()) }
                                <button type="button" class="example" onclick={link.callback(|_| Msg::Go(Go::Now))}>{"Back to now"}</button>{" "}
                                <button type="button" class="example" onclick={link.callback(|_| Msg::GoOn)}>{"Go on from here"}</button></p>
                        }
                        <Timeline {steps} at={self.at} live={self.live} on_go={link.callback(Msg::Go)} />
                    </div>
                </main>
            </div>
        }
    }

    fn rendered(&mut self, ctx: &Context<Self>, first: bool) {
        if first {
            ctx.link().send_message(Msg::Resized);
        }
    }
}

impl App {
    fn header(&self, ctx: &Context<Self>) -> Html {
        let chosen = self.playing.as_ref().map_or(0, |p| p.place + 1);
        let choose = ctx.link().callback(|event: Event| {
            Msg::Lesson(event.target_unchecked_into::<HtmlSelectElement>().value().parse().unwrap_or(0))
        });
        html! {
            <header>
                <h1>{"Cutaway"}</h1>
                <p class="tagline">{"containers with the side cut open"}</p>
                <label class="lesson-choice"><span class="unseen">{"Lesson"}</span>
                    <select onchange={choose}>
                        <option value="0" selected={chosen == 0}>{"Free play"}</option>
                        { for TITLES.iter().enumerate().map(|(i, title)| html! {
                            <option key={i} value={(i + 1).to_string()} selected={chosen == i + 1}>{ format!("{}. {title}", i + 1) }</option>
                        }) }
                    </select>
                </label>
                <button type="button" class="plain" onclick={ctx.link().callback(|_| Msg::Theme)} aria-label={if self.is_dark() { "Light theme" } else { "Dark theme" }}
                    title={if self.is_dark() { "Light theme" } else { "Dark theme" }}>{ if self.is_dark() { "\u{2600}" } else { "\u{263e}" } }</button>
            </header>
        }
    }

    /// Has the second module come, if it is not here or on its way.
    fn fetch(&mut self, ctx: &Context<Self>) {
        if matches!(self.annex, Fetched::NotYet | Fetched::Failed) {
            self.annex = Fetched::Coming;
            ctx.link().send_future(async { Msg::Annex(annex::fetch().await) });
        }
    }

    /// What is said while something waits for the second module.
    fn fetching(&self, ctx: &Context<Self>) -> Html {
        if !self.lacks && self.wanted.is_none() {
            return Html::default();
        }
        let again = ctx.link().callback(|_| Msg::Retry);
        match self.annex {
            Fetched::Failed => html! {
                <p class="start" role="status">{"The rest of the engine could not be loaded: is there a connection? "}
                    <button type="button" class="example" onclick={again}>{"Try again"}</button></p>
            },
            _ => html! { <p class="start" role="status">{"Loading the rest of the engine\u{2026}"}</p> },
        }
    }

    fn annex(&self) -> Option<Annex> {
        if let Fetched::Here(annex) = &self.annex { Some(annex.clone()) } else { None }
    }

    /// Runs the machine for a slice of time, takes what it says, and comes back when there is more to do.
    fn pump(&mut self, ctx: &Context<Self>) -> bool {
        let before = (self.machine.steps().len(), self.busy, self.lacks, self.waiting.map(|w| w.as_secs()));
        let time = now();
        let elapsed = Duration::from_secs_f64(((time - self.last_look) / 1000.0).clamp(0.0, 1.0));
        self.last_look = time;
        let pace = self.machine.run(elapsed);
        let output = self.machine.take_output();
        self.screen.feed(&output);
        self.busy = !self.machine.at_prompt();
        if !self.busy && !self.prompted {
            self.prompted = true;
            mark("cutaway-prompt");
        }
        if self.live {
            self.at = self.machine.steps().len();
        }
        self.waiting = None;
        self.lacks = pace == Pace::Lacks;
        if self.lacks && matches!(self.annex, Fetched::NotYet) {
            self.fetch(ctx);
        }
        let next = match pace {
            Pace::Busy => Some(0),
            Pace::Waits(time) => {
                self.waiting = (self.busy && time > LONG).then_some(time);
                Some(u64::try_from(time.as_millis()).unwrap_or(LOOK).clamp(1, LOOK))
            }
            Pace::Idle | Pace::Lacks => None,
        };
        let link = ctx.link().clone();
        self.pumping = next.map(|wait| Timeout::new(wait as u32, move || link.send_message(Msg::Pump)));
        let changed = before != (self.machine.steps().len(), self.busy, self.lacks, self.waiting.map(|w| w.as_secs()))
            || !output.is_empty();
        if changed && !self.busy {
            self.grade();
        }
        changed
    }

    fn key(&mut self, ctx: &Context<Self>, key: Key) {
        match key {
            Key::Line(line) => {
                if self.ask(&line) {
                    return;
                }
                self.enter(&line);
                self.fetch(ctx);
            }
            Key::Control(12) => self.screen.clear(),
            Key::Control(byte) => self.machine.input(&[byte]),
            Key::Complete(text) => {
                if let Some(longer) = self.machine.complete(&text) {
                    let number = self.completion.as_ref().map_or(1, |(n, _)| n + 1);
                    self.completion = Some((number, longer));
                }
            }
        }
        self.live = true;
        self.at = self.machine.steps().len();
        self.last_look = now();
        ctx.link().send_message(Msg::Pump);
    }

    fn enter(&mut self, line: &str) {
        if !line.trim().is_empty() {
            Rc::make_mut(&mut self.history).push(line.to_string());
        }
        self.machine.input(format!("{line}\n").as_bytes());
        self.busy = true;
    }

    /// The terminal's lines, the one that input goes on in apart.
    fn terminal_lines(&self) -> (Vec<(usize, Rc<Line>)>, String) {
        let mut lines: Vec<(usize, Rc<Line>)> = self.screen.lines().map(|(n, line)| (n, Rc::clone(line))).collect();
        let prompt = lines.pop().map(|(_, line)| line.text()).unwrap_or_default();
        (lines, prompt)
    }

    fn measure(&mut self) -> bool {
        if let Some(columns) = terminal::columns()
            && self.columns != Some(columns)
        {
            self.columns = Some(columns);
            self.machine.resize(columns);
        }
        let Some(element) = self.stage.cast::<web_sys::Element>() else { return false };
        let width = f64::from(element.client_width()) - 24.0;
        let changed = (width - self.width).abs() > 0.5 && width > 0.0;
        if changed {
            self.width = width;
        }
        changed
    }

    fn is_dark(&self) -> bool {
        let system = || {
            gloo::utils::window()
                .match_media("(prefers-color-scheme: dark)")
                .ok()
                .flatten()
                .is_some_and(|m| m.matches())
        };
        self.dark.unwrap_or_else(system)
    }

    /// Takes up the machine as it was after the command that is looked at, and forgets what came later.
    fn go_on(&mut self, ctx: &Context<Self>) {
        self.machine.go_back_to(self.at, self.annex());
        self.screen = Screen::default();
        self.live = true;
        self.at = self.machine.steps().len();
        ctx.link().send_message(Msg::Pump);
    }

    /// Starts anew, with a lesson or without. A lesson's setup and goals may need the whole engine.
    fn choose(&mut self, ctx: &Context<Self>, index: usize) {
        let annex = self.annex();
        if index > 0 && annex.is_none() {
            self.wanted = Some(index);
            return self.fetch(ctx);
        }
        let lessons = annex.as_ref().map(|a| a.lessons);
        let lesson = index.checked_sub(1).and_then(|place| Some((place, self.course.get(place)?.clone(), lessons?)));
        self.machine = Machine::new(annex);
        self.machine.resize(self.columns.unwrap_or(80));
        self.screen = Screen::default();
        self.history = Rc::default();
        (self.at, self.live, self.busy) = (0, true, true);
        if let Some((_, lesson, lessons)) = &lesson {
            self.machine.prepare(*lessons, lesson);
        }
        self.playing = lesson.map(|(place, lesson, lessons)| Playing {
            place,
            lessons,
            progress: Progress { reached: vec![false; lesson.goals.len()], hint: None },
            lesson,
            asked: None,
            held: None,
            answers: Vec::new(),
        });
        ctx.link().send_message(Msg::Pump);
    }

    fn next_lesson(&self) -> usize {
        self.playing.as_ref().map_or(0, |p| if p.place + 1 < TITLES.len() { p.place + 2 } else { 0 })
    }

    /// Whether the line has to wait for a prediction.
    fn ask(&mut self, line: &str) -> bool {
        let Some(playing) = &mut self.playing else { return false };
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let fits = |(i, p): &(usize, &cutaway_core::lesson::Prediction)| {
            words.starts_with(&p.before) && !playing.answers.iter().any(|(q, ..)| q == i)
        };
        let Some((index, _)) = playing.lesson.predictions.iter().enumerate().find(fits) else { return false };
        playing.asked = Some(index);
        playing.held = Some(line.to_string());
        true
    }

    fn answer(&mut self, ctx: &Context<Self>, question: usize, choice: usize) {
        let Some(playing) = &mut self.playing else { return };
        playing.answers.push((question, choice, None));
        playing.asked = None;
        if let Some(line) = playing.held.take() {
            self.enter(&line);
            self.last_look = now();
            ctx.link().send_message(Msg::Pump);
        }
    }

    fn grade(&mut self) {
        let Some(playing) = &mut self.playing else { return };
        playing.progress = self.machine.grade(playing.lessons, &playing.lesson, &self.history);
        for (question, choice, right) in &mut playing.answers {
            if right.is_none() {
                let check = &playing.lesson.predictions[*question].choices[*choice].check;
                *right = Some(self.machine.holds(playing.lessons, check, &self.history));
            }
        }
    }
}

/// Milliseconds of the browser's clock.
fn now() -> f64 {
    gloo::utils::window().performance().map_or(0.0, |p| p.now())
}

/// Leaves a mark on the browser's own timeline, where measurements find it.
fn mark(name: &str) {
    if let Some(performance) = gloo::utils::window().performance() {
        let _ = performance.mark(name);
    }
}

/// Sets the theme; without a choice the system's holds.
fn paint(dark: Option<bool>) {
    let root = gloo::utils::document().document_element();
    let Some(root) = root else { return };
    let _ = match dark {
        Some(true) => root.set_attribute("data-theme", "dark"),
        Some(false) => root.set_attribute("data-theme", "light"),
        None => root.remove_attribute("data-theme"),
    };
}
