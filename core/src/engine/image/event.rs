//! What `docker events` tells of images.

use crate::engine::{Ctx, system};
use crate::world::World;

/// Notes what happened to an image; `id` is what Docker names it by in this event.
pub fn image_event<W: World>(ctx: &Ctx<W>, action: &str, id: &str, name: &str) {
    system::publish(ctx, "image", action, id, [("name".to_string(), name.to_string())]);
}
