//! Bytes of log entries, in chunks: put at the end, taken away at both ends, never elsewhere.
//!
//! A chunk that holds nothing any more is used again, so a log that grows at one end and is cut
//! at the other allocates nothing. Which chunk a payload lies in is nobody's business: a
//! [`Place`] is valid for the arena that gave it and is never compared.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Payloads share a chunk up to this many bytes; a longer payload gets a chunk of its own. Two
/// neighbours hold more than one chunk could, so at most about half of the memory is unused.
/// Small in unit tests, so that they pass from chunk to chunk all the time.
const CHUNK_BYTES: usize = if cfg!(test) { 96 } else { 64 << 10 };

/// Empty chunks kept for the next payloads (2 MiB at most); what comes on top is freed.
const SPARE_CHUNKS_MAX: usize = 32;

/// Where a payload lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    chunk: u64,
    start: u32,
    len: u32,
}

impl Place {
    /// The payload's length in bytes.
    pub(super) fn len(self) -> usize {
        size(self.len)
    }
}

#[derive(Clone, Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Payloads in it that have not been released.
    live: usize,
}

/// The chunks, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    /// The number of the oldest chunk; the others follow without holes.
    first: u64,
    chunks: VecDeque<Chunk>,
    spare: Vec<Vec<u8>>,
}

impl Arena {
    /// Copies a payload that consists of two parts.
    pub(super) fn put(&mut self, front: &[u8], back: &[u8]) -> Place {
        let len = front.len() + back.len();
        let fits = |chunk: &Chunk| chunk.bytes.len() + len <= CHUNK_BYTES;
        if !self.chunks.back().is_some_and(fits) {
            let bytes = self.empty_chunk(len);
            self.chunks.push_back(Chunk { bytes, live: 0 });
        }
        let number = self.first + (self.chunks.len() as u64 - 1);
        let chunk = self.chunks.back_mut().expect("there is one now");
        let start = chunk.bytes.len();
        reserve(&mut chunk.bytes, len);
        chunk.bytes.extend_from_slice(front);
        chunk.bytes.extend_from_slice(back);
        chunk.live += 1;
        Place {
            chunk: number,
            start: narrow(start),
            len: narrow(len),
        }
    }

    /// The payload at `place`.
    pub(super) fn get(&self, place: Place) -> &[u8] {
        let chunk = &self.chunks[self.index(place)];
        &chunk.bytes[size(place.start)..][..size(place.len)]
    }

    /// Gives up the oldest payload.
    pub(super) fn release_oldest(&mut self, place: Place) {
        assert_eq!(place.chunk, self.first, "the oldest payload goes first");
        let chunk = self.chunks.front_mut().expect("it holds the payload");
        chunk.live -= 1;
        if chunk.live == 0 {
            let chunk = self.chunks.pop_front().expect("it was just there");
            self.first += 1;
            self.recycle(chunk);
        }
    }

    /// Gives up the newest payload.
    pub(super) fn release_newest(&mut self, place: Place) {
        let index = self.index(place);
        assert_eq!(
            index + 1,
            self.chunks.len(),
            "the newest payload goes first"
        );
        let chunk = &mut self.chunks[index];
        let start = size(place.start);
        assert_eq!(chunk.bytes.len(), start + size(place.len));
        chunk.bytes.truncate(start);
        chunk.live -= 1;
        if chunk.live == 0 {
            let chunk = self.chunks.pop_back().expect("it was just there");
            self.recycle(chunk);
        }
    }

    fn empty_chunk(&mut self, len: usize) -> Vec<u8> {
        if len > CHUNK_BYTES {
            return Vec::with_capacity(len);
        }
        self.spare.pop().unwrap_or_default()
    }

    fn recycle(&mut self, chunk: Chunk) {
        let mut bytes = chunk.bytes;
        if bytes.capacity() <= CHUNK_BYTES && self.spare.len() < SPARE_CHUNKS_MAX {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    fn index(&self, place: Place) -> usize {
        usize::try_from(place.chunk - self.first).expect("chunks are held in memory")
    }

    /// Panics unless the payloads at `places`, oldest first, are all that the chunks hold.
    pub(super) fn check(&self, places: impl Iterator<Item = Place>) {
        let mut live = alloc::vec![0; self.chunks.len()];
        let mut ends = alloc::vec![0; self.chunks.len()];
        for place in places {
            let index = self.index(place);
            live[index] += 1;
            assert!(size(place.start) >= ends[index], "payloads overlap");
            ends[index] = size(place.start) + size(place.len);
        }
        for (index, chunk) in self.chunks.iter().enumerate() {
            assert!(chunk.live > 0, "an empty chunk was not recycled");
            assert_eq!(chunk.live, live[index], "payloads of chunk {index}");
            assert_eq!(chunk.bytes.len(), ends[index], "end of chunk {index}");
        }
        assert!(self.spare.len() <= SPARE_CHUNKS_MAX);
    }
}

/// Makes room by doubling, but never beyond a chunk: what grows further could not be recycled.
fn reserve(bytes: &mut Vec<u8>, more: usize) {
    let needed = bytes.len() + more;
    if needed > bytes.capacity() {
        let doubled = (2 * bytes.capacity()).min(CHUNK_BYTES);
        bytes.reserve_exact(needed.max(doubled) - bytes.len());
    }
}

fn narrow(len: usize) -> u32 {
    u32::try_from(len).expect("operations and results are shorter than 4 GiB")
}

fn size(len: u32) -> usize {
    len.try_into().expect("it came from a usize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Put(usize, usize),
        Oldest,
        Newest,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..40_usize, 0..40_usize).prop_map(|(a, b)| Step::Put(a, b)),
            1 => (0..300_usize, 0..300_usize).prop_map(|(a, b)| Step::Put(a, b)),
            2 => Just(Step::Oldest),
            2 => Just(Step::Newest),
        ]
    }

    proptest! {
        #[test]
        fn payloads_stay_what_they_are(steps in prop::collection::vec(step(), 0..200)) {
            let mut arena = Arena::default();
            let mut model: VecDeque<(Place, Vec<u8>)> = VecDeque::new();
            for (tag, step) in (0_u8..).zip(steps) {
                match step {
                    Step::Put(a, b) => {
                        let payload = alloc::vec![tag; a + b];
                        let place = arena.put(&payload[..a], &payload[a..]);
                        model.push_back((place, payload));
                    }
                    Step::Oldest => {
                        if let Some((place, _)) = model.pop_front() {
                            arena.release_oldest(place);
                        }
                    }
                    Step::Newest => {
                        if let Some((place, _)) = model.pop_back() {
                            arena.release_newest(place);
                        }
                    }
                }
                for (place, payload) in &model {
                    prop_assert_eq!(arena.get(*place), payload.as_slice());
                }
                arena.check(model.iter().map(|(place, _)| *place));
            }
        }
    }

    #[test]
    fn an_emptied_chunk_is_used_again_and_an_oversized_one_is_freed() {
        let mut arena = Arena::default();
        let small = arena.put(&[1; CHUNK_BYTES], &[]);
        let large = arena.put(&[2; CHUNK_BYTES], &[2]);
        assert_eq!(arena.chunks.len(), 2);
        arena.release_oldest(small);
        arena.release_oldest(large);
        assert_eq!((arena.chunks.len(), arena.spare.len()), (0, 1));
        let again = arena.put(&[3], &[4]);
        assert_eq!((arena.get(again), arena.spare.len()), (&[3, 4][..], 0));
    }
}
