//! How a text is compressed, and how it is read as if it were not: as a stream, never as a whole.

use std::io::{BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all: it can be read from any place.
    Plain,
    Gzip,
    Bzip2,
    /// With the bytes of the text that the decoder looks back to.
    Xz {
        window: u64,
    },
    /// With the bytes of the text that the decoder looks back to.
    Zstd {
        window: u64,
    },
}

/// The bytes of a file that are read at once for a decoder.
const READ_BYTES: usize = 128 << 10;
/// What a decoder holds besides what it looks back to.
const DECODER_BYTES: u64 = 512 << 10;
/// What a decoder of bzip2 holds for the largest blocks.
const BZIP2_BYTES: u64 = 4 << 20;
/// The bytes that tell how a file is compressed.
pub(crate) const HEAD_BYTES: usize = 48;

impl Packing {
    /// What the first bytes of a file tell.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, frame @ ..] => Self::Zstd { window: zstd_window(frame) },
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, stream @ ..] => {
                Self::Xz { window: xz_window(stream) }
            }
            _ => Self::Plain,
        }
    }

    /// The bytes that a reader holds.
    pub(crate) fn reader_bytes(self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Gzip => DECODER_BYTES,
            Self::Bzip2 => BZIP2_BYTES,
            Self::Zstd { window } | Self::Xz { window } => window + DECODER_BYTES,
        }
    }

    /// The text of a compressed file.
    pub(crate) fn unpacked(
        self,
        file: impl Read + Send + 'static,
    ) -> std::io::Result<Box<dyn Read + Send>> {
        let file = BufReader::with_capacity(READ_BYTES, file);
        Ok(match self {
            Self::Plain => Box::new(file),
            Self::Gzip => Box::new(MultiGzDecoder::new(file)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(file)),
            Self::Xz { .. } => Box::new(XzReader::new(file, true)),
            Self::Zstd { .. } => Box::new(zstd::Decoder::with_buffer(file)?),
        })
    }
}

/// What a decoder looks back to, from what follows the magic number of a frame (RFC 8878, 3.1.1.1).
fn zstd_window(frame: &[u8]) -> u64 {
    let byte = |index: usize| u64::from(frame.get(index).copied().unwrap_or(0));
    let descriptor = byte(0);
    let is_single = descriptor & 0x20 != 0;
    if !is_single {
        let (exponent, mantissa) = (byte(1) >> 3, byte(1) & 7);
        let base = 1_u64 << (10 + exponent);
        return base + base / 8 * mantissa;
    }
    // The window is the whole text, whose size follows after the dictionary's number.
    let dictionary = [0, 1, 2, 4][(descriptor & 3) as usize];
    let (size_bytes, offset) = match descriptor >> 6 {
        0 => (1, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let size = (0..size_bytes).map(|index| byte(1 + dictionary + index) << (8 * index));
    size.sum::<u64>() + offset
}

/// What a decoder looks back to, from what follows the magic number of a stream ("The .xz file format", 3.1
/// and 5.3.1): the first block's dictionary.
fn xz_window(stream: &[u8]) -> u64 {
    let byte = |index: usize| stream.get(index).copied().unwrap_or(0);
    // After the stream's flags and their checksum, and the size of the block's header.
    let flags = byte(7);
    let mut at = 8;
    for has_size in [flags & 0x40 != 0, flags & 0x80 != 0] {
        while has_size && byte(at) & 0x80 != 0 {
            at += 1;
        }
        at += usize::from(has_size);
    }
    let bits = u64::from(byte(at + 2)).min(40);
    (2 | (bits & 1)) << (bits / 2 + 11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_frames_are_known() {
        let text = vec![b'x'; 100_000];
        let whole = zstd::bulk::compress(&text, 3).expect("compressed");
        assert_eq!(Packing::of(&whole), Packing::Zstd { window: 100_000 });
        let stream = zstd::encode_all(&text[..], 3).expect("compressed");
        let Packing::Zstd { window } = Packing::of(&stream) else { panic!("not zstd") };
        assert!((100_000..=2 << 20).contains(&window), "{window}");
        let xz = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x07\x6e\x2c\x6b\x0a\x37";
        assert_eq!(Packing::of(xz), Packing::Xz { window: 8 << 20 });
        assert_eq!(Packing::of(b"BZh91AY&SY"), Packing::Bzip2);
        assert_eq!(Packing::of(b"BZh9,b\n"), Packing::Plain);
        assert_eq!(Packing::of(b"a,b\n"), Packing::Plain);
        assert_eq!(Packing::of(&[0x1f, 0x8b, 8]), Packing::Gzip);
    }
}
