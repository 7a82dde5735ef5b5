//! What a screen needs, as plain data: tables, stage, timeline, templates.

pub mod filter;
pub mod go_json;
pub mod rows;
pub mod stage;
pub mod table;
pub mod template;
pub mod units;
