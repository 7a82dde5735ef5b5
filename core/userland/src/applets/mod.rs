//! The usual tools, one file to a tool or a close family, and the table of them.
//!
//! They follow busybox in what they accept, what they say and how they exit, since that is what the
//! small images of the world carry. Each is an ordinary async function over a [`Tool`], which is one
//! process with its words, its environment and what it still has to write.

pub mod options;
pub mod tool;

mod basics;

pub use tool::{Ending, Tool};

use crate::os::{Os, Program};

macro_rules! applets {
    ($($name:literal => $($path:ident)::+, $usage:literal;)*) => {
        /// The names of all tools, in the order of the table.
        pub const NAMES: &[&str] = &[$($name),*];

        /// The tool of this name.
        pub fn find<O: Os>(name: &str) -> Option<Program<O>> {
            Some(match name {
                $($name => |os, argv, env| Box::pin(async move {
                    let tool = Tool::new(os, argv, env, $usage);
                    let ending = $($path)::+(&tool).await;
                    tool.finish(ending).await
                }),)*
                _ => return None,
            })
        }
    };
}

applets! {
    "true" => basics::succeed, "";
    "false" => basics::fail, "";
}
