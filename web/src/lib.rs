//! The page: a terminal, the stage and the timeline over the simulated machine.
//!
//! It holds no simulation: it feeds keys to a session, draws the plain data that comes back, and looks back
//! through the steps that the session keeps.

mod annex;
mod app;
mod lessons;
mod machine;
mod stage;
mod terminal;
mod timeline;

use wasm_bindgen::prelude::wasm_bindgen;

/// Called when the module has been loaded: puts the page in place of the static shell.
#[wasm_bindgen(start)]
pub fn start() {
    let Some(root) = gloo::utils::document().get_element_by_id("app") else { return };
    root.set_inner_html("");
    yew::Renderer::<app::App>::with_root(root).render();
}

/// Tests that need a document.
#[cfg(all(test, target_arch = "wasm32"))]
mod browser_tests {
    use crate::lessons::prose;
    use crate::terminal::{Key, Terminal, screen::Screen};
    use std::rc::Rc;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
    use yew::prelude::*;

    wasm_bindgen_test_configure!(run_in_browser);

    /// Renders a component into a new element.
    async fn rendered<C: BaseComponent>(props: C::Properties) -> web_sys::Element {
        let document = gloo::utils::document();
        let root = document.create_element("div").expect("an element");
        document.body().expect("a body").append_child(&root).expect("appended");
        yew::Renderer::<C>::with_root_and_props(root.clone(), props).render();
        gloo::timers::future::TimeoutFuture::new(0).await;
        root
    }

    #[wasm_bindgen_test]
    async fn output_is_text_never_markup() {
        let mut screen = Screen::default();
        screen.feed(b"<b>bold</b> &amp; \x1b[31mred\x1b[0m\r\n$ ");
        let props = yew::props!(crate::terminal::Props {
            lines: screen.lines().map(|(n, line)| (n, Rc::clone(line))).collect::<Vec<_>>(),
            prompt: "$ ",
            example: "",
            busy: false,
            history: Rc::default(),
            completion: None,
            on_key: Callback::<Key>::noop(),
        });
        let root = rendered::<Terminal>(props).await;
        let line = root.query_selector(".line").expect("a selector").expect("a line");
        assert_eq!(line.text_content().unwrap_or_default().trim_end_matches('\u{200b}'), "<b>bold</b> &amp; red");
        assert!(root.query_selector(".log b").expect("a selector").is_none());
    }

    #[wasm_bindgen_test]
    fn the_titles_that_are_offered_are_those_of_the_course() {
        let course = cutaway_core::lesson::course("en").unwrap_or_else(|e| panic!("{e}"));
        let titles: Vec<&str> = course.iter().map(|l| l.text.title.as_str()).collect();
        assert_eq!(titles, crate::app::TITLES);
    }

    #[derive(Properties, PartialEq)]
    struct Words {
        text: String,
    }

    #[component]
    fn Prose(words: &Words) -> Html {
        prose(&words.text)
    }

    #[wasm_bindgen_test]
    async fn lessons_know_paragraphs_and_code_only() {
        let root = rendered::<Prose>(yew::props!(Words { text: "one `two` <i>three</i>\n\nfour" })).await;
        assert_eq!(root.query_selector_all("p").expect("a selector").length(), 2);
        assert_eq!(root.query_selector("code").expect("a selector").and_then(|c| c.text_content()), Some("two".into()));
        assert!(root.query_selector("i").expect("a selector").is_none());
    }
}
