//! Layers: tar in and out, whiteouts, union and difference.
