//! What a screen needs, as plain data: tables, stage, timeline, templates.

pub mod stage;
