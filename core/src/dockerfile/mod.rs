//! Dockerfiles: text to instructions to stages, with errors that name line and column.
