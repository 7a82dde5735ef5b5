//! The protocol, as a client would speak it.

use super::*;
use crate::registry::MemoryStore;

fn ask(store: &mut MemoryStore, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut request = Request::new(method, "localhost:5000", false, path).with_body(body.to_vec());
    for (name, value) in headers {
        request = request.with_header(name, value);
    }
    serve(&request, store)
}

fn code(response: &Response) -> String {
    let value: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    format!("{} {}", response.status, value["errors"][0]["code"].as_str().unwrap_or("-"))
}

fn push_blob(store: &mut MemoryStore, name: &str, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
    assert_eq!(ask(store, "POST", &path, &[], bytes).status, 201);
    digest
}

fn image(store: &mut MemoryStore, name: &str) -> Vec<u8> {
    let (config, layer) = (push_blob(store, name, b"{}"), push_blob(store, name, b"layer"));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.to_string(), "size": 2 },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.to_string(), "size": 5 }],
    });
    manifest.to_string().into_bytes()
}

const OCI: (&str, &str) = ("Content-Type", "application/vnd.oci.image.manifest.v1+json");

#[test]
fn an_image_goes_up_and_comes_down() {
    let mut store = MemoryStore::default();
    let manifest = image(&mut store, "team/app");
    let put = ask(&mut store, "PUT", "/v2/team/app/manifests/1.0", &[OCI], &manifest);
    assert_eq!(put.status, 201);
    let digest = Digest::of(&manifest);
    assert_eq!(put.header("docker-content-digest"), Some(digest.to_string().as_str()));
    for reference in ["1.0".to_string(), digest.to_string()] {
        let got = ask(&mut store, "GET", &format!("/v2/team/app/manifests/{reference}"), &[], b"");
        assert_eq!((got.status, got.body.as_slice()), (200, manifest.as_slice()));
        assert_eq!(got.header("content-type"), Some(OCI.1));
        let head = ask(&mut store, "HEAD", &format!("/v2/team/app/manifests/{reference}"), &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), Some(manifest.len().to_string().as_str()));
    }
    let tags = ask(&mut store, "GET", "/v2/team/app/tags/list", &[], b"");
    assert_eq!(tags.body, b"{\"name\":\"team/app\",\"tags\":[\"1.0\"]}\n");
    let catalog = ask(&mut store, "GET", "/v2/_catalog", &[], b"");
    assert_eq!(catalog.body, b"{\"repositories\":[\"team/app\"]}\n");
    assert_eq!(ask(&mut store, "DELETE", &format!("/v2/team/app/manifests/{digest}"), &[], b"").status, 202);
    let gone = ask(&mut store, "GET", "/v2/team/app/manifests/1.0", &[], b"");
    assert_eq!(code(&gone), "404 MANIFEST_UNKNOWN");
}

#[test]
fn a_blob_in_pieces() {
    let mut store = MemoryStore::default();
    let start = ask(&mut store, "POST", "/v2/x/blobs/uploads/", &[], b"");
    assert_eq!(start.status, 202);
    let at = start.header("location").unwrap().to_string();
    let one = ask(&mut store, "PATCH", &at, &[("Content-Range", "0-2")], b"abc");
    assert_eq!((one.status, one.header("range")), (202, Some("0-2")));
    let gap = ask(&mut store, "PATCH", &at, &[("Content-Range", "9-11")], b"xyz");
    assert_eq!(code(&gap), "416 RANGE_INVALID");
    assert_eq!(ask(&mut store, "GET", &at, &[], b"").header("range"), Some("0-2"));
    let wrong = Digest::of(b"other");
    let digest = Digest::of(b"abcdef");
    let put = ask(&mut store, "PUT", &format!("{at}?digest={digest}"), &[], b"def");
    assert_eq!(put.status, 201);
    let again = ask(&mut store, "PUT", &format!("{at}?digest={wrong}"), &[], b"");
    assert_eq!(code(&again), "404 BLOB_UPLOAD_UNKNOWN");
    let path = format!("/v2/x/blobs/{digest}");
    assert_eq!(ask(&mut store, "GET", &path, &[], b"").body, b"abcdef");
    let part = ask(&mut store, "GET", &path, &[("Range", "bytes=2-3")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"cd"[..]));
    assert_eq!(part.header("content-range"), Some("bytes 2-3/6"));
    // A repository has only what was put there; another one may name it.
    assert_eq!(code(&ask(&mut store, "GET", &format!("/v2/y/blobs/{digest}"), &[], b"")), "404 BLOB_UNKNOWN");
    let mount = ask(&mut store, "POST", &format!("/v2/y/blobs/uploads/?mount={digest}&from=x"), &[], b"");
    assert_eq!(mount.status, 201);
    assert_eq!(ask(&mut store, "GET", &format!("/v2/y/blobs/{digest}"), &[], b"").status, 200);
}

#[test]
fn refusals() {
    let mut store = MemoryStore::default();
    let manifest = image(&mut store, "a");
    let digest = Digest::of(b"x");
    for (method, path, body, expected) in [
        ("GET", "/v2/A/manifests/1".to_string(), &b""[..], "400 NAME_INVALID"),
        ("GET", "/v2/nosuch/tags/list".into(), b"", "404 NAME_UNKNOWN"),
        ("GET", "/v2/a/manifests/nosuch".into(), b"", "404 MANIFEST_UNKNOWN"),
        ("GET", "/v2/a/blobs/nodigest".into(), b"", "400 DIGEST_INVALID"),
        ("GET", format!("/v2/a/blobs/{digest}"), b"", "404 BLOB_UNKNOWN"),
        ("PUT", "/v2/a/manifests/1".into(), b"{", "400 MANIFEST_INVALID"),
        ("PUT", "/v2/b/manifests/1".into(), &manifest, "400 MANIFEST_BLOB_UNKNOWN"),
        ("PUT", format!("/v2/a/manifests/{digest}"), &manifest, "400 DIGEST_INVALID"),
        ("PUT", "/v2/a/manifests/.bad".into(), &manifest, "400 TAG_INVALID"),
        ("POST", format!("/v2/a/blobs/uploads/?digest={digest}"), b"other", "400 DIGEST_INVALID"),
        ("PATCH", "/v2/a/blobs/uploads/nosuch".into(), b"", "404 BLOB_UPLOAD_UNKNOWN"),
        ("BREW", "/v2/a/tags/list".into(), b"", "405 UNSUPPORTED"),
    ] {
        assert_eq!(code(&ask(&mut store, method, &path, &[OCI], body)), expected, "{method} {path}");
    }
}

#[test]
fn referrers_and_pages() {
    let mut store = MemoryStore::default();
    let subject = Digest::of(&image(&mut store, "a"));
    let mut signature: Value = serde_json::from_slice(&image(&mut store, "a")).unwrap();
    signature["artifactType"] = json!("application/x-sig");
    signature["subject"] = json!({ "mediaType": OCI.1, "digest": subject.to_string(), "size": 1 });
    let body = signature.to_string().into_bytes();
    let put = ask(&mut store, "PUT", "/v2/a/manifests/sig", &[OCI], &body);
    assert_eq!(put.header("oci-subject"), Some(subject.to_string().as_str()));
    let of = |store: &mut MemoryStore, args: &str| -> usize {
        let got = ask(store, "GET", &format!("/v2/a/referrers/{subject}{args}"), &[], b"");
        serde_json::from_slice::<Value>(&got.body).unwrap()["manifests"].as_array().unwrap().len()
    };
    assert_eq!(of(&mut store, ""), 1);
    assert_eq!(of(&mut store, "?artifactType=application/x-sig"), 1);
    assert_eq!(of(&mut store, "?artifactType=other"), 0);
    for tag in ["1", "2", "3"] {
        ask(&mut store, "PUT", &format!("/v2/a/manifests/{tag}"), &[OCI], &body);
    }
    let page = ask(&mut store, "GET", "/v2/a/tags/list?n=2", &[], b"");
    assert_eq!(page.header("link"), Some("</v2/a/tags/list?last=2&n=2>; rel=\"next\""));
    let rest = ask(&mut store, "GET", "/v2/a/tags/list?last=2&n=2", &[], b"");
    assert_eq!(
        (rest.header("link"), rest.body.as_slice()),
        (None, &b"{\"name\":\"a\",\"tags\":[\"3\",\"sig\"]}\n"[..])
    );
}
