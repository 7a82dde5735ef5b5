//! The page: a terminal, the stage and the timeline over the simulated machine.
//!
//! It holds no simulation: it feeds keys to a session, draws the plain data that comes back, and looks back
//! through the steps that the session keeps.

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
