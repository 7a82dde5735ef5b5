//! What `docker events` tells of images.

use crate::engine::Ctx;
use crate::world::World;

/// Notes what happened to an image; `id` is what Docker names it by in this event.
pub fn image_event<W: World>(ctx: &Ctx<W>, action: &str, id: &str, name: &str) {
    let _ = (ctx, action, id, name);
}
