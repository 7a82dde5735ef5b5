//! The part of the tasks that tests use, too.

pub mod serve;
pub mod weigh;
