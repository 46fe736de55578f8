//! Runs a packet through the flat program: parser, ingress, replication, egress, deparser.
//!
//! Order of things, as bmv2's simple_switch has it:
//! 1. all metadata is zero, the intrinsic fields are set, the parser runs; a parser error is
//!    recorded and the packet goes on to ingress with what was extracted before;
//! 2. checksums are verified into `checksum_error`, then ingress runs;
//! 3. a multicast group, if set, wins over `egress_spec`; else port 511 drops, else unicast;
//! 4. each copy starts egress from the vector as ingress left it, with its own `egress_rid` and
//!    `egress_port` and a cleared `egress_spec`; port 511 drops the copy;
//! 5. checksums are updated, valid headers are emitted in order, then what was never parsed.
//!
//! Copies run to completion one after the other and are appended in that order, so the frames of
//! one port keep first-in first-out order by construction: there is no queue and no second thread
//! in which one could overtake another.
//!
//! Loops are bounded: nodes and parser states form no cycle and jumps go forward only (the loader
//! refuses anything else), and a group has at most `MAX_REPLICAS` replicas.

mod control;
mod execute;
mod parse;

use alloc::boxed::Box;
use alloc::vec;

use super::PortNumber;
use super::checksum::{MAX_CALCULATION_BYTES, Scratch};
use super::copies::Copies;
use super::field::ones;
use super::instruction::Words;
use super::program::{Program, Slot};
use super::state::{Live, State};

/// The port that means "drop": `egress_spec` of this value.
pub(crate) const DROP_PORT: u64 = 511;

/// The longest frame that is processed, in bytes; longer ones are dropped and counted.
pub const MAX_FRAME_BYTES: usize = 65_535;

/// `instance_type` of a packet that goes to one port.
const INSTANCE_NORMAL: u64 = 0;

/// `instance_type` of a copy made by a multicast group.
const INSTANCE_REPLICATION: u64 = 5;

/// What a packet carries through the switch besides its headers.
#[derive(Clone, Copy, Debug)]
struct Passage<'a> {
    now_us: u64,
    frame: &'a [u8],
    /// Where the unparsed rest begins.
    cursor: usize,
}

impl<'a> Passage<'a> {
    /// What is not parsed yet.
    fn rest(&self) -> &'a [u8] {
        self.frame.get(self.cursor..).unwrap_or_default()
    }
}

/// The memory a packet is worked on in. Reused from packet to packet.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    words: Words,
    /// The bytes of all headers.
    vector: Box<[u8]>,
    /// Words and vector as ingress left them, while copies are made.
    kept_words: Box<[u64]>,
    kept_vector: Box<[u8]>,
    scratch: Scratch,
    /// Length of the packet with the headers added and removed so far.
    length: u32,
    /// Length of the frame as it came in: what counters count.
    ingress_length: u32,
}

impl Machine {
    pub(crate) fn new(program: &Program) -> Self {
        let vector = vec![0; program.vector_bytes].into_boxed_slice();
        Self {
            words: Words::new(&program.constants),
            kept_words: vec![0; program.packet_words].into_boxed_slice(),
            kept_vector: vector.clone(),
            vector,
            scratch: [0; MAX_CALCULATION_BYTES],
            length: 0,
            ingress_length: 0,
        }
    }

    /// See [`super::Switch::process`].
    pub(crate) fn process(
        &mut self,
        program: &Program,
        state: &mut State,
        (now_us, port): (u64, PortNumber),
        frame: &[u8],
        out: &mut Copies,
    ) {
        let Some(length) = u32::try_from(frame.len())
            .ok()
            .filter(|_| frame.len() <= MAX_FRAME_BYTES)
        else {
            out.losses_mut().oversized += 1;
            return;
        };
        let intrinsic = &program.intrinsic;
        self.length = length;
        self.ingress_length = length;
        self.words.first_mut(program.packet_words).fill(0);
        self.vector.fill(0);
        self.write(intrinsic.ingress_port, port.0.into());
        self.write(intrinsic.packet_length, length.into());
        self.write(intrinsic.ingress_timestamp, now_us);
        let mut passage = Passage {
            now_us,
            frame,
            cursor: 0,
        };
        self.run(program, &mut state.live, &mut passage, program.ingress);
        self.replicate(program, state, passage, out);
    }

    #[inline]
    fn write(&mut self, slot: Slot, value: u64) {
        self.words.set(slot.word, value & ones(slot.width));
    }

    #[inline]
    fn read(&self, slot: Slot) -> u64 {
        self.words.get(slot.word)
    }

    /// What happens between ingress and egress.
    fn replicate(
        &mut self,
        program: &Program,
        state: &mut State,
        passage: Passage<'_>,
        out: &mut Copies,
    ) {
        let intrinsic = &program.intrinsic;
        let group = self.read(intrinsic.multicast_group);
        let port = self.read(intrinsic.egress_spec);
        if group != 0 {
            let Some(replicas) = u16::try_from(group)
                .ok()
                .and_then(|id| state.groups.get(id))
            else {
                out.losses_mut().without_group += 1;
                return;
            };
            self.write(intrinsic.instance_type, INSTANCE_REPLICATION);
            let (count, length) = (program.packet_words, self.length);
            self.kept_words.copy_from_slice(self.words.first(count));
            self.kept_vector.copy_from_slice(&self.vector);
            for (number, replica) in replicas.iter().enumerate() {
                if number > 0 {
                    self.words
                        .first_mut(count)
                        .copy_from_slice(&self.kept_words);
                    self.vector.copy_from_slice(&self.kept_vector);
                    self.length = length;
                }
                self.write(intrinsic.egress_rid, replica.rid.into());
                self.egress(program, &mut state.live, replica.port, passage, out);
            }
        } else if port == DROP_PORT {
            out.losses_mut().in_ingress += 1;
        } else {
            self.write(intrinsic.instance_type, INSTANCE_NORMAL);
            // `egress_spec` has at most 16 bits: checked at load.
            let port = PortNumber(u16::try_from(port).unwrap_or(u16::MAX));
            self.egress(program, &mut state.live, port, passage, out);
        }
    }

    /// Takes one copy through egress and the deparser.
    fn egress(
        &mut self,
        program: &Program,
        live: &mut Live,
        port: PortNumber,
        mut passage: Passage<'_>,
        out: &mut Copies,
    ) {
        let intrinsic = &program.intrinsic;
        let priority = self.read(intrinsic.priority);
        self.write(intrinsic.egress_timestamp, passage.now_us);
        self.write(intrinsic.enqueue_timestamp, passage.now_us);
        self.write(intrinsic.egress_port, port.0.into());
        // One more than the drop port: with its 9 bits the field becomes 0.
        self.write(intrinsic.egress_spec, DROP_PORT + 1);
        self.write(intrinsic.packet_length, self.length.into());
        self.run(program, live, &mut passage, program.egress);
        if self.read(intrinsic.egress_spec) == DROP_PORT {
            out.losses_mut().in_egress += 1;
            return;
        }
        let begin = out.begin();
        self.deparse(program, out);
        out.part(passage.rest());
        out.finish(begin, port, u8::try_from(priority).unwrap_or(u8::MAX));
    }

    /// Emits the valid headers in order, neighbours in the vector at once.
    #[inline]
    fn deparse(&self, program: &Program, out: &mut Copies) {
        let mut run = 0..0;
        for &header in &program.deparser {
            let header = &program.headers[usize::from(header)];
            if self.words.get(header.valid) != 0 {
                if header.offset != run.end {
                    out.part(&self.vector[run]);
                    run = header.offset..header.offset;
                }
                run.end = header.offset + header.length;
            }
        }
        out.part(&self.vector[run]);
    }
}
