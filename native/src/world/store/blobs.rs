//! Content by its digest: written beside its place while it is hashed, renamed into it when it is right.

use super::{Store, on_worker};
use crate::sys::OrFault;
use crate::world::LinuxWorld;
use cutaway_core::name::Digest;
use cutaway_core::registry::Response;
use cutaway_core::world::acts::{FetchBlob, PushBlob, PutBlob, RemoveBlob, SendRequest};
use cutaway_core::world::{Fault, Performs};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// A blob that is being written. Dropping it takes it back.
pub struct NewBlob {
    store: Store,
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    pub size: u64,
    kept: bool,
}

impl NewBlob {
    pub fn create(store: &Store) -> Result<NewBlob, Fault> {
        let path = store.temporary();
        let file = File::create_new(&path).or_fault(format!("create {}", path.display()))?;
        let file = BufWriter::with_capacity(1 << 17, file);
        Ok(NewBlob { store: store.clone(), path, file, hash: Sha256::new(), size: 0, kept: false })
    }

    /// Puts it in its place; `expected` is the digest it was announced with.
    pub fn keep(mut self, expected: Option<&Digest>) -> Result<Digest, Fault> {
        self.file.flush().or_fault("write blob")?;
        let digest = Digest::finish(std::mem::take(&mut self.hash));
        if let Some(expected) = expected.filter(|e| **e != digest) {
            return Err(Fault::Digest { expected: expected.to_string(), actual: digest.to_string() });
        }
        let place = self.store.blob(&digest);
        fs::rename(&self.path, &place).or_fault(format!("rename to {}", place.display()))?;
        self.kept = true;
        Ok(digest)
    }
}

impl Write for NewBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Store {
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, Fault> {
        let digest = Digest::of(bytes);
        if self.blob(&digest).exists() {
            return Ok(digest);
        }
        let mut blob = NewBlob::create(self)?;
        blob.write_all(bytes).or_fault("write blob")?;
        blob.keep(Some(&digest))
    }

    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        fs::read(self.blob(digest)).or_fault(format!("read blob {digest}"))
    }
}

impl Performs<PutBlob> for LinuxWorld {
    async fn perform(&self, act: PutBlob) -> Result<Digest, Fault> {
        let store = self.store.clone();
        if act.bytes.len() < 1 << 16 {
            return store.put_blob(&act.bytes);
        }
        let bytes = act.bytes.to_vec();
        on_worker(move || store.put_blob(&bytes)).await
    }
}

impl Performs<RemoveBlob> for LinuxWorld {
    async fn perform(&self, act: RemoveBlob) -> Result<(), Fault> {
        match fs::remove_file(self.store.blob(&act.digest)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).or_fault(format!("remove blob {}", act.digest)),
            _ => Ok(()),
        }
    }
}

impl Performs<SendRequest> for LinuxWorld {
    async fn perform(&self, act: SendRequest) -> Result<Response, Fault> {
        let store = self.store.clone();
        on_worker(move || super::http::send(&store, &act.request)).await
    }
}

impl Performs<FetchBlob> for LinuxWorld {
    async fn perform(&self, act: FetchBlob) -> Result<u64, Fault> {
        let store = self.store.clone();
        on_worker(move || {
            if let Ok(facts) = fs::metadata(store.blob(&act.digest)) {
                return Ok(facts.len());
            }
            let mut blob = NewBlob::create(&store)?;
            super::http::download(&store, &act.request, act.size, &mut blob)?;
            let size = blob.size;
            blob.keep(Some(&act.digest))?;
            Ok(size)
        })
        .await
    }
}

impl Performs<PushBlob> for LinuxWorld {
    async fn perform(&self, act: PushBlob) -> Result<Response, Fault> {
        let store = self.store.clone();
        on_worker(move || {
            let file = File::open(store.blob(&act.digest)).or_fault(format!("open blob {}", act.digest))?;
            super::http::upload(&act.request, file)
        })
        .await
    }
}
