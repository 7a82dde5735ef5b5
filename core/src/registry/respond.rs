//! The forms of a registry's answers.

use super::Response;
use serde_json::json;

/// An answer with a body.
pub fn answer(status: u16, headers: &[(&str, String)], body: Vec<u8>) -> Response {
    let mut all = vec![
        ("Docker-Distribution-Api-Version".to_string(), "registry/2.0".to_string()),
        ("Content-Length".to_string(), body.len().to_string()),
    ];
    all.extend(headers.iter().map(|(n, v)| (n.to_string(), v.clone())));
    Response { status, headers: all, body }
}

/// An answer that is all headers.
pub fn empty(status: u16, headers: &[(&str, String)]) -> Response {
    answer(status, headers, Vec::new())
}

/// JSON in one line, with a newline after it as the reference registry has it.
pub fn json(status: u16, headers: &[(&str, String)], value: &serde_json::Value) -> Response {
    let mut all = vec![("Content-Type", "application/json".to_string())];
    all.extend(headers.iter().cloned());
    answer(status, &all, format!("{value}\n").into_bytes())
}

/// Why a registry refuses. Source: distribution specification, "Error Codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    RangeInvalid,
    TagInvalid,
    Unsupported,
}

impl Refusal {
    fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Refusal::BlobUnknown => (404, "BLOB_UNKNOWN", "blob unknown to registry"),
            Refusal::BlobUploadInvalid => (400, "BLOB_UPLOAD_INVALID", "blob upload invalid"),
            Refusal::BlobUploadUnknown => (404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
            Refusal::DigestInvalid => (400, "DIGEST_INVALID", "provided digest did not match uploaded content"),
            Refusal::ManifestBlobUnknown => (400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"),
            Refusal::ManifestInvalid => (400, "MANIFEST_INVALID", "manifest invalid"),
            Refusal::ManifestUnknown => (404, "MANIFEST_UNKNOWN", "manifest unknown"),
            Refusal::NameInvalid => (400, "NAME_INVALID", "invalid repository name"),
            Refusal::NameUnknown => (404, "NAME_UNKNOWN", "repository name not known to registry"),
            Refusal::SizeInvalid => (400, "SIZE_INVALID", "provided length did not match content length"),
            Refusal::RangeInvalid => (416, "RANGE_INVALID", "invalid content range"),
            Refusal::TagInvalid => (400, "TAG_INVALID", "manifest tag did not match URI"),
            Refusal::Unsupported => (405, "UNSUPPORTED", "The operation is unsupported."),
        }
    }
}

/// A refusal, with what it is about.
pub fn refuse(refusal: Refusal, detail: serde_json::Value) -> Response {
    let (status, code, message) = refusal.parts();
    let mut error = json!({ "code": code, "message": message });
    if !detail.is_null() {
        error["detail"] = detail;
    }
    json(status, &[], &json!({ "errors": [error] }))
}
