//! Builds the userland as one static program and compresses it: the base image that the binary carries.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-musl";

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let native = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let workspace = Path::new(&native).parent().expect("native is in the workspace").to_path_buf();
    for part in ["src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join("core/userland").join(part).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let program = build(&workspace);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&program).expect("compressing in memory");
    fs::write(out.join("userland.gz"), gzip.finish().expect("compressing in memory")).expect("OUT_DIR is writable");
}

/// Builds the program: small for a release, quickly otherwise. In a target folder of its own, because this
/// build's is locked, but in one that all profiles share.
fn build(workspace: &Path) -> Vec<u8> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from).join("userland");
    let profile = if env::var("PROFILE").is_ok_and(|p| p == "release") { "release" } else { "dev" };
    let folder = if profile == "release" { "release" } else { "debug" };
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let run = || {
        Command::new(&cargo)
            .current_dir(workspace)
            .args(["build", "--profile", profile, "--package", "cutaway-userland", "--features", "linux"])
            .args(["--bin", "cutaway-userland", "--target", TARGET, "--target-dir"])
            .arg(&target)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_PROFILE_DEV_STRIP", "symbols")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env_remove("RUSTC_WRAPPER")
            .output()
    };
    let mut result = run();
    if result.as_ref().is_ok_and(|o| !o.status.success()) {
        // The target may only be missing.
        let _ = Command::new("rustup").args(["target", "add", TARGET]).output();
        result = run();
    }
    match result {
        Ok(output) if output.status.success() => {
            fs::read(target.join(TARGET).join(folder).join("cutaway-userland")).expect("cargo has built it")
        }
        Ok(output) => panic!("building the userland failed:\n{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("building the userland failed: {error}"),
    }
}
