//! Volumes: named storage that outlives containers.
