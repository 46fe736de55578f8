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

use super::PortNumber;
use super::checksum::{MAX_CALCULATION_BYTES, Scratch};
use super::copies::Copies;
use super::field::Field;
use super::instruction::{MAX_TEMPORARIES, Test};
use super::program::{Code, Program};
use super::state::{Externs, Live, State};

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

/// The memory a packet is worked on in. Reused from packet to packet.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    vector: Box<[u8]>,
    /// The vector as ingress left it, while copies are made.
    kept: Box<[u8]>,
    temporaries: [u64; MAX_TEMPORARIES],
    wide_temporaries: [u128; MAX_TEMPORARIES],
    scratch: Scratch,
    /// Length of the packet with the headers added and removed so far.
    length: u32,
    /// Length of the frame as it came in: what counters count.
    ingress_length: u32,
    exit: bool,
}

/// Why instructions stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The parser records this error.
    ParserError(u64),
}

impl Machine {
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            vector: program.fresh_vector.clone(),
            kept: program.fresh_vector.clone(),
            temporaries: [0; MAX_TEMPORARIES],
            wide_temporaries: [0; MAX_TEMPORARIES],
            scratch: [0; MAX_CALCULATION_BYTES],
            length: 0,
            ingress_length: 0,
            exit: false,
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
        self.exit = false;
        self.vector.copy_from_slice(&program.fresh_vector);
        intrinsic
            .ingress_port
            .write(&mut self.vector, port.0.into());
        intrinsic
            .packet_length
            .write(&mut self.vector, length.into());
        self.write_if(intrinsic.ingress_timestamp, now_us);

        let live = &mut state.live;
        let mut passage = Passage {
            now_us,
            frame,
            cursor: 0,
        };
        let error = self.parse(program, &mut live.externs, &mut passage);
        self.write_if(intrinsic.parser_error, error);
        let wrong = self.verify_checksums(program, &mut live.externs);
        self.write_if(intrinsic.checksum_error, wrong.into());

        self.control(program, live, program.ingress);
        self.replicate(program, state, passage, out);
    }

    fn write_if(&mut self, field: Option<Field>, value: u64) {
        if let Some(field) = field {
            field.write(&mut self.vector, value);
        }
    }

    /// Whether any checksum that must hold does not.
    fn verify_checksums(&mut self, program: &Program, externs: &mut Externs) -> bool {
        let mut wrong = false;
        for checksum in &program.verified {
            if self.vector[checksum.target_valid] != 0
                && self.holds(program, externs, checksum.condition.as_ref())
            {
                let calculation = &program.calculations[usize::from(checksum.calculation)];
                let computed = calculation.run(&self.vector, &mut self.scratch);
                wrong |= computed != checksum.target.read(&self.vector);
            }
        }
        wrong
    }

    fn update_checksums(&mut self, program: &Program, externs: &mut Externs) {
        for checksum in &program.updated {
            if self.holds(program, externs, checksum.condition.as_ref()) {
                let calculation = &program.calculations[usize::from(checksum.calculation)];
                let computed = calculation.run(&self.vector, &mut self.scratch);
                checksum.target.write(&mut self.vector, computed);
            }
        }
    }

    fn holds(
        &mut self,
        program: &Program,
        externs: &mut Externs,
        condition: Option<&(Code, Test)>,
    ) -> bool {
        condition.is_none_or(|(code, test)| {
            self.run_whole(program, externs, code, &[]);
            self.test(*test, &[])
        })
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
        let group = intrinsic
            .multicast_group
            .map_or(0, |field| field.read(&self.vector));
        let port = intrinsic.egress_spec.read(&self.vector);
        if group != 0 {
            let Some(replicas) = u16::try_from(group)
                .ok()
                .and_then(|id| state.groups.get(id))
            else {
                out.losses_mut().without_group += 1;
                return;
            };
            intrinsic
                .instance_type
                .write(&mut self.vector, INSTANCE_REPLICATION);
            let length = self.length;
            self.kept.copy_from_slice(&self.vector);
            for (number, replica) in replicas.iter().enumerate() {
                if number > 0 {
                    self.vector.copy_from_slice(&self.kept);
                    self.length = length;
                }
                self.write_if(intrinsic.egress_rid, replica.rid.into());
                self.egress(program, &mut state.live, replica.port, passage, out);
            }
        } else if port == DROP_PORT {
            out.losses_mut().in_ingress += 1;
        } else {
            intrinsic
                .instance_type
                .write(&mut self.vector, INSTANCE_NORMAL);
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
        passage: Passage<'_>,
        out: &mut Copies,
    ) {
        let intrinsic = &program.intrinsic;
        let priority = intrinsic
            .priority
            .map_or(0, |field| field.read(&self.vector));
        self.write_if(intrinsic.egress_timestamp, passage.now_us);
        self.write_if(intrinsic.enqueue_timestamp, passage.now_us);
        intrinsic.egress_port.write(&mut self.vector, port.0.into());
        // One more than the drop port: with its 9 bits the field becomes 0.
        intrinsic.egress_spec.write(&mut self.vector, DROP_PORT + 1);
        intrinsic
            .packet_length
            .write(&mut self.vector, self.length.into());
        self.control(program, live, program.egress);
        if intrinsic.egress_spec.read(&self.vector) == DROP_PORT {
            out.losses_mut().in_egress += 1;
            return;
        }
        self.update_checksums(program, &mut live.externs);
        let begin = out.begin();
        for &header in &program.deparser {
            let header = &program.headers[usize::from(header)];
            if self.vector[header.valid] != 0 {
                out.part(&self.vector[header.offset..header.offset + header.length]);
            }
        }
        out.part(passage.frame.get(passage.cursor..).unwrap_or_default());
        out.finish(begin, port, u8::try_from(priority).unwrap_or(u8::MAX));
    }
}
