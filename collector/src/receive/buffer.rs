//! The frames of a body in one piece.

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// Bodies of more bytes than this lie in pages of their own. An allocator that lets a block grow may copy it, and keeps what is
/// freed for later: a few bodies of tens of megabytes would take several times their size.
const HEAP: usize = 4 << 20;

/// Frames that have arrived; a body of a single frame is not copied.
#[derive(Default)]
pub(super) struct Buffer {
    first: Bytes,
    joined: BytesMut,
    pages: Option<Pages>,
}

impl Buffer {
    /// Bytes that have arrived.
    pub(super) fn len(&self) -> usize {
        let pages = self.pages.as_ref().map_or(0, |pages| pages.used);
        self.first.len() + self.joined.len() + pages
    }

    /// Adds a frame of a body of which `expected` bytes are believed to come, and never more than `most`.
    pub(super) fn push(&mut self, data: Bytes, expected: usize, most: usize) {
        if self.len() == 0 && expected <= data.len() {
            self.first = data;
            return;
        }
        if self.pages.is_none() && self.len() + data.len() > HEAP {
            self.pages = Pages::map(most);
        }
        let (first, joined) = (std::mem::take(&mut self.first), &mut self.joined);
        if let Some(pages) = &mut self.pages {
            for part in [&first, &std::mem::take(joined).freeze(), &data] {
                pages.extend(part);
            }
            return;
        }
        joined.reserve(expected.saturating_sub(joined.len()));
        joined.extend_from_slice(&first);
        joined.extend_from_slice(&data);
    }

    /// The whole.
    pub(super) fn finish(self) -> Bytes {
        if let Some(pages) = self.pages {
            return Bytes::from_owner(pages);
        }
        if self.joined.is_empty() {
            self.first
        } else {
            self.joined.freeze()
        }
    }
}

/// Memory from the system: what is not written takes none, and all of it goes back at once.
struct Pages {
    map: MmapMut,
    used: usize,
}

impl Pages {
    /// Room for `most` bytes; `None` where the system gives none, and the heap has to do.
    fn map(most: usize) -> Option<Self> {
        let map = MmapMut::map_anon(most).ok()?;
        Some(Self { map, used: 0 })
    }

    /// The caller has checked that it fits.
    fn extend(&mut self, data: &[u8]) {
        let end = self.used + data.len();
        self.map[self.used..end].copy_from_slice(data);
        self.used = end;
    }
}

impl AsRef<[u8]> for Pages {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.used]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_its_size_a_body_is_its_frames_one_after_the_other() {
        for frames in [1, 2, 3, 9] {
            for size in [0, 1, HEAP / 2, HEAP] {
                let parts: Vec<Bytes> = (0..frames).map(|part| vec![part; size].into()).collect();
                let most = usize::from(frames) * size;
                let mut buffer = Buffer::default();
                for part in &parts {
                    buffer.push(part.clone(), most.min(HEAP), most);
                }
                assert_eq!(buffer.len(), most);
                assert!(buffer.finish() == parts.concat(), "{frames} of {size}");
            }
        }
    }
}
