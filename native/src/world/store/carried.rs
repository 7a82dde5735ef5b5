//! The images that cutaway carries: one small root file system made of its own userland.
//!
//! `cutaway/base` is always there to pull. `busybox`, `alpine` and `hello-world` are the registry's where it
//! can be reached; where it can't, the same file system stands in for them, and a line says so.

use super::Store;
use super::blobs::NewBlob;
use crate::sys::OrFault;
use cutaway_core::layer::{Entry, EntryKind, TarWriter, gzip};
use cutaway_core::name::Digest;
use cutaway_core::registry::server::{publish, serve};
use cutaway_core::registry::{MemoryStore, Request, Response};
use cutaway_core::world::Fault;
use flate2::read::GzDecoder;
use serde_json::json;
use std::io::{Read, Write};
use std::path::PathBuf;

/// The userland as one static program, compressed by the build script.
static USERLAND: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/userland.gz"));

const HUB: [&str; 3] = ["registry-1.docker.io", "index.docker.io", "docker.io"];
const NAMES: [&str; 4] = ["library/busybox", "library/alpine", "library/hello-world", "cutaway/base"];
const GREETING: &str = "
Hello from Cutaway.
This container runs a stand-in for the image hello-world, which cutaway carries
because its registry could not be reached. What you saw is the same, though:
an image was found, unpacked into layers, and a process was started in it.

";

fn userland() -> Result<Vec<u8>, Fault> {
    let mut program = Vec::new();
    GzDecoder::new(USERLAND).read_to_end(&mut program).or_fault("unpack the carried userland")?;
    if program.is_empty() {
        return Err(Fault::Unsupported("This build of cutaway carries no base image".into()));
    }
    Ok(program)
}

/// The root file system as a tar.
fn root_file_system() -> Result<Vec<u8>, Fault> {
    let program = userland()?;
    let mut tar = TarWriter::new(Vec::new());
    for folder in ["bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "usr/bin", "var"] {
        tar.add_bytes(&Entry::directory(folder, if folder == "tmp" { 0o1777 } else { 0o755 }), b"")?;
    }
    tar.add_bytes(&Entry::file("bin/busybox", 0o755, 0), &program)?;
    for name in cutaway_userland::names().into_iter().filter(|n| *n != "busybox") {
        tar.add_bytes(&Entry::of(&format!("bin/{name}"), EntryKind::Symlink("busybox".into()), 0o777), b"")?;
    }
    for (path, text) in [
        ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("etc/hello", GREETING),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"),
    ] {
        tar.add_bytes(&Entry::file(path, 0o644, 0), text.as_bytes())?;
    }
    tar.finish()
}

/// A registry that has the carried images under all their names.
fn registry() -> Result<MemoryStore, Fault> {
    let layer = root_file_system()?;
    let packed = gzip(&layer);
    let mut store = MemoryStore::default();
    for name in NAMES {
        let command = if name.ends_with("hello-world") { json!(["cat", "/etc/hello"]) } else { json!(["sh"]) };
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": command
            },
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer)]},
            "history": [{"created_by": "cutaway userland"}]
        })
        .to_string();
        const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": TYPE,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(config.as_bytes()),
                "size": config.len()
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": Digest::of(&packed),
                "size": packed.len()
            }]
        })
        .to_string();
        publish(&mut store, name, "latest", TYPE, manifest.as_bytes(), &[config.as_bytes(), &packed]);
    }
    Ok(store)
}

/// The carried images' answer to a request that its registry could not be asked.
pub fn stand_in(_store: &Store, request: &Request) -> Option<Response> {
    if !HUB.contains(&request.host.as_str()) {
        return None;
    }
    let path = request.path.strip_prefix("/v2/")?;
    let name = NAMES.iter().find(|n| path.is_empty() || path.starts_with(&format!("{n}/")));
    // The door is open for all; what is not carried is as unreachable as it was.
    let name = name?;
    if path.contains("/manifests/") && request.method == "GET" && *name != "cutaway/base" && !path.contains("sha256:") {
        let short = name.trim_start_matches("library/");
        eprintln!("cutaway: {} can't be reached: using the carried stand-in for {short}", request.host);
    }
    Some(serve(request, &mut registry().ok()?))
}

/// The small first process that reaps others, as a file of the host: the userland's own.
pub fn init_program(store: &Store) -> Result<PathBuf, Fault> {
    let path = store.root.join("docker-init");
    if !path.exists() {
        use std::os::unix::fs::PermissionsExt;
        let mut file = NewBlob::create(store)?;
        file.write_all(&userland()?).or_fault("write init")?;
        let digest = file.keep(None)?;
        let blob = store.blob(&digest);
        std::fs::set_permissions(&blob, std::fs::Permissions::from_mode(0o755)).or_fault("write init")?;
        std::fs::rename(&blob, &path).or_fault("write init")?;
    }
    Ok(path)
}
