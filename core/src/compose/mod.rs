//! Compose files: parse, interpolate, resolve to a project, order its services.
