//! Acts on content: blobs in the store, and the registries they come from.

use super::story;
use crate::build::GitSource;
use crate::name::Digest;
use crate::registry::{Request, Response};
use crate::world::{Act, Story, Subject};
use std::rc::Rc;

/// Stores bytes under their digest.
#[derive(Clone, Debug)]
pub struct PutBlob {
    pub bytes: Rc<[u8]>,
}

impl Act for PutBlob {
    type Output = Digest;
    fn story(&self) -> Story {
        let digest = Digest::of(&self.bytes);
        story(
            "put-blob",
            format!("Store {} bytes under their digest {}", self.bytes.len(), digest.short()),
            vec![Subject::Blob(digest.to_string())],
            vec![
                "openat(blobs, \"tmp\", O_CREAT|O_EXCL|O_WRONLY) = 3".into(),
                "write(3, …)".into(),
                format!("rename(\"tmp\", \"sha256/{}\")", digest.hex()),
            ],
        )
    }
}

/// Deletes a blob that nothing refers to any more.
#[derive(Clone, Debug)]
pub struct RemoveBlob {
    pub digest: Digest,
}

impl Act for RemoveBlob {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-blob",
            format!("Delete blob {}", self.digest.short()),
            vec![Subject::Blob(self.digest.to_string())],
            vec![format!("unlink(\"blobs/sha256/{}\")", self.digest.hex())],
        )
    }
}

/// Sends one HTTP request to a registry and reads its answer.
#[derive(Clone, Debug)]
pub struct SendRequest {
    pub request: Request,
}

impl Act for SendRequest {
    type Output = Response;
    fn story(&self) -> Story {
        let r = &self.request;
        story(
            "send-request",
            format!("Ask {}: {} {}", r.host, r.method, r.path),
            vec![Subject::Registry(r.host.clone())],
            vec![
                format!("connect(3, {})", r.host),
                format!("write(3, \"{} {} HTTP/1.1…\")", r.method, r.path),
                "read(3, …)".into(),
            ],
        )
    }
}

/// Downloads a blob into the store, checking its digest on the way.
#[derive(Clone, Debug)]
pub struct FetchBlob {
    pub request: Request,
    pub digest: Digest,
    pub size: u64,
}

impl Act for FetchBlob {
    type Output = u64;
    fn story(&self) -> Story {
        story(
            "fetch-blob",
            format!("Download blob {} ({} bytes)", self.digest.short(), self.size),
            vec![Subject::Registry(self.request.host.clone()), Subject::Blob(self.digest.to_string())],
            vec![
                format!("connect(3, {})", self.request.host),
                format!("write(3, \"GET {} HTTP/1.1…\")", self.request.path),
                "read(3, …)".into(),
                "write(4, …)".into(),
            ],
        )
    }
}

/// Uploads a blob of the store as the body of a request.
#[derive(Clone, Debug)]
pub struct PushBlob {
    pub request: Request,
    pub digest: Digest,
}

impl Act for PushBlob {
    type Output = Response;
    fn story(&self) -> Story {
        story(
            "push-blob",
            format!("Upload blob {}", self.digest.short()),
            vec![Subject::Blob(self.digest.to_string()), Subject::Registry(self.request.host.clone())],
            vec![
                format!("connect(3, {})", self.request.host),
                format!("write(3, \"{} {} HTTP/1.1…\")", self.request.method, self.request.path),
                "sendfile(3, 4, …)".into(),
            ],
        )
    }
}

/// Fetches one commit of a git repository, and gives its files.
#[derive(Clone, Debug)]
pub struct CheckOutGit {
    pub source: GitSource,
}

/// What was checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// The commit's name, 40 or 64 hexadecimal digits.
    pub commit: String,
    /// The files of the folder that was asked for.
    pub tar: Vec<u8>,
}

impl Act for CheckOutGit {
    type Output = CheckedOut;
    fn story(&self) -> Story {
        let source = &self.source;
        let reference = source.reference.as_deref().unwrap_or("HEAD");
        story(
            "check-out-git",
            format!("Fetch {reference} of {}", source.remote),
            vec![Subject::Registry(source.remote.clone())],
            vec![
                format!(
                    "execve(\"git\", [\"git\", \"fetch\", \"--depth=1\", \"{}\", \"{reference}\"], …)",
                    source.remote
                ),
                "execve(\"git\", [\"git\", \"checkout\", \"FETCH_HEAD\"], …)".into(),
            ],
        )
    }
}
