//! Dockerfiles: text in, instructions and stages out.
//!
//! The text is first put together to logical lines (continuations, comments, here-documents), then each line
//! becomes an instruction, then instructions become stages. Errors tell their line, in BuildKit's words. The
//! same parser serves the builder, `commit --change` and the editor (through [`spans`]). Source: Dockerfile
//! reference 1.x.

mod error;
mod expand;
mod flags;
mod heredoc;
mod instruction;
mod lines;
mod mount;
mod parse;
mod pattern;
mod spans;
mod stage;

pub use error::{ParseError, excerpt};
pub use expand::{Vars, expand, expand_for_show, expand_keeping_quotes, expand_words, raw_words, unset};
pub use heredoc::Heredoc;
pub use instruction::{
    Command, Copying, Health, Instruction, Located, Mount, MountFlag, MountKind, Network, RunStep, Sharing, Source,
};
pub use parse::{nearest, parse_change};
pub use spans::{Span, SpanKind, spans};
pub use stage::{Dockerfile, Stage, comment_of};
