//! How an archive is compressed, told by its first bytes, and undoing it.

use super::read::malformed;
use crate::world::Fault;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{BufReader, Read, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    /// Told by an archive's first bytes; six are enough.
    pub fn of(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            [b'B', b'Z', b'h', ..] => Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Compression::Xz,
            _ => Compression::None,
        }
    }
}

/// The plain bytes of a stream, whichever way it is compressed. `what` names it in errors.
pub fn decompressed<'a, R: Read + 'a>(what: &str, mut source: R) -> Result<Box<dyn Read + 'a>, Fault> {
    let mut head = Vec::new();
    source.by_ref().take(6).read_to_end(&mut head).map_err(|e| malformed(what, &e))?;
    let compression = Compression::of(&head);
    let whole = std::io::Cursor::new(head).chain(source);
    match compression {
        Compression::None => Ok(Box::new(whole)),
        Compression::Gzip => Ok(Box::new(MultiGzDecoder::new(BufReader::new(whole)))),
        Compression::Zstd => match ruzstd::decoding::StreamingDecoder::new(whole) {
            Ok(decoder) => Ok(Box::new(decoder)),
            Err(e) => Err(Fault::Malformed { what: what.to_string(), reason: format!("zstd: {e}") }),
        },
        Compression::Bzip2 | Compression::Xz => Err(Fault::Malformed {
            what: what.to_string(),
            reason: format!("compression {compression:?} is not supported; use gzip or zstd").to_lowercase(),
        }),
    }
}

/// The plain bytes of an archive in memory.
pub fn plain(what: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    decompressed(what, bytes)?.read_to_end(&mut out).map_err(|e| malformed(what, &e))?;
    Ok(out)
}

/// Compresses; the same bytes always come out the same.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory can't fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = b"layers upon layers upon layers".repeat(100);
        let packed = gzip(&text);
        assert!(packed.len() < 200);
        assert_eq!(packed, gzip(&text));
        assert_eq!(Compression::of(&packed), Compression::Gzip);
        assert_eq!(plain("test", &packed).unwrap(), text);
        assert_eq!(plain("test", &text).unwrap(), text);
        assert_eq!(plain("test", b"").unwrap(), b"");
    }

    #[test]
    fn what_can_not_be_read() {
        for (bytes, reason) in [
            (&b"BZh91AY"[..], "compression bzip2 is not supported; use gzip or zstd"),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0, 0][..], "compression xz is not supported; use gzip or zstd"),
        ] {
            let fault = Fault::Malformed { what: "test".into(), reason: reason.into() };
            assert_eq!(plain("test", bytes).unwrap_err(), fault);
        }
        assert!(plain("test", &[0x28, 0xb5, 0x2f, 0xfd, 0, 1, 2]).is_err());
    }
}
