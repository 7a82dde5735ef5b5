//! Tests of the kernel as programs see it.
