//! The static multi-call binary: picks the program by the name it was called by.

fn main() {}
