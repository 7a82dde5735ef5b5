//! Progress for programs: each change as one line of JSON, in the shape of BuildKit's `SolveStatus`.

use super::super::lint::{Warning, address, description};
use super::{Note, Row, State};
use crate::image::wire::rfc3339;
use base64::Engine;
use serde_json::{Value, json};
use std::time::Duration;

fn bytes(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Its beginning or its end.
pub fn vertex(row: &Row) -> Value {
    let mut vertex = json!({ "digest": row.digest(), "name": row.name, "started": rfc3339(row.started) });
    if row.state != State::Running {
        vertex["completed"] = json!(rfc3339(row.ended));
    }
    match &row.state {
        State::Cached => vertex["cached"] = json!(true),
        State::Failed(error) => vertex["error"] = json!(error),
        State::Canceled => vertex["error"] = json!("context canceled"),
        State::Running | State::Done => {}
    }
    json!({ "vertexes": [vertex] })
}

/// A note of a vertex as it is now.
pub fn status(row: &Row, note: Option<&Note>, now: Duration) -> Value {
    let Some(note) = note else { return json!({}) };
    let mut told = json!({ "id": note.id, "vertex": row.digest(), "current": note.current });
    if note.total > 0 {
        told["total"] = json!(note.total);
    }
    (told["timestamp"], told["started"]) = (json!(rfc3339(now)), json!(rfc3339(note.started)));
    if let Some(completed) = note.completed {
        told["completed"] = json!(rfc3339(completed));
    }
    json!({ "statuses": [told] })
}

/// A line that its program printed.
pub fn log(row: &Row, line: &str, at: Duration) -> Value {
    json!({ "logs": [{ "vertex": row.digest(), "stream": 1, "data": bytes(line), "timestamp": rfc3339(at) }] })
}

/// Something questionable in the Dockerfile.
pub fn warning(row: &Row, warning: &Warning) -> Value {
    let mut told = json!({
        "vertex": row.digest(), "level": 1, "short": bytes(&warning.short()),
        "detail": [bytes(description(warning.rule))],
    });
    if let Some(address) = address(warning.rule) {
        told["url"] = json!(address);
    }
    told["range"] = json!([{ "start": { "line": warning.line }, "end": { "line": warning.last } }]);
    json!({ "warnings": [told] })
}
