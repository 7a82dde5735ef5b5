//! Builds: the graph of stages and steps, cache keys, and execution.
