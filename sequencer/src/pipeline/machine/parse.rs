//! The parser: states, extraction, keys.

use super::super::field::wide_ones;
use super::super::program::{KeyPart, NodeIndex, ParserState, ParserStep, Program};
use super::super::state::Externs;
use super::{Machine, Passage, Stop};

impl Machine {
    /// Runs the parser; gives the value for `parser_error`.
    pub(super) fn parse(
        &mut self,
        program: &Program,
        externs: &mut Externs,
        passage: &mut Passage<'_>,
    ) -> u64 {
        let parser = &program.parser;
        let mut at = parser.start;
        while let Some(state) = parser.states.get(usize::from(at)) {
            let next = self
                .parse_steps(program, externs, state, passage)
                .and_then(|()| self.next_state(program, state, passage));
            match next {
                Ok(next) => at = next,
                Err(Stop::ParserError(error)) => return error,
            }
        }
        parser.no_error
    }

    fn parse_steps(
        &mut self,
        program: &Program,
        externs: &mut Externs,
        state: &ParserState,
        passage: &mut Passage<'_>,
    ) -> Result<(), Stop> {
        let too_short = Stop::ParserError(program.parser.packet_too_short);
        for step in &state.steps {
            let rest = passage.frame.get(passage.cursor..).unwrap_or_default();
            match step {
                ParserStep::Extract { header } => {
                    let header = &program.headers[usize::from(*header)];
                    let bytes = rest.get(..header.length).ok_or(too_short)?;
                    self.vector[header.offset..header.offset + header.length]
                        .copy_from_slice(bytes);
                    self.vector[header.valid] = 1;
                    passage.cursor += header.length;
                }
                ParserStep::Run(code) => self.run(program, externs, code, &[])?,
                ParserStep::Lookahead { to, bit, width } => {
                    let value = peek(rest, *bit, *width).ok_or(too_short)?;
                    to.write_wide(&mut self.vector, value);
                }
                ParserStep::Advance { code, bits } => {
                    self.run(program, externs, code, &[])?;
                    let bits = self.fetch_wide(program, *bits, &[]);
                    if !bits.is_multiple_of(8) {
                        return Err(Stop::ParserError(program.parser.invalid_argument));
                    }
                    let bytes = usize::try_from(bits / 8).map_err(|_| too_short)?;
                    passage.cursor += rest.get(..bytes).ok_or(too_short)?.len();
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn next_state(
        &self,
        program: &Program,
        state: &ParserState,
        passage: &Passage<'_>,
    ) -> Result<NodeIndex, Stop> {
        let mut key = 0_u128;
        for part in &state.key {
            let value = match part {
                KeyPart::Field(field) => field.read_wide(&self.vector),
                KeyPart::Lookahead { bit, width } => {
                    let rest = passage.frame.get(passage.cursor..).unwrap_or_default();
                    peek(rest, *bit, *width)
                        .ok_or(Stop::ParserError(program.parser.packet_too_short))?
                }
            };
            // A key of 16 bytes in one part shifts by 128: nothing was before it.
            key = key.checked_shl(part.bytes() * 8).unwrap_or(0) | value;
        }
        let case = state
            .cases
            .iter()
            .find(|case| key & case.mask == case.value);
        Ok(case.map_or(state.otherwise, |case| case.next))
    }
}

/// `width` bits that begin `bit` bits into `bytes`; `None` if there are not as many.
fn peek(bytes: &[u8], bit: u32, width: u8) -> Option<u128> {
    let first = bit as usize;
    let end = first + usize::from(width);
    let bytes = bytes.get(first / 8..end.div_ceil(8))?;
    // At most 17 bytes: the first and the last may be shared with neighbours.
    let (last, before) = bytes.split_last()?;
    let high = before
        .iter()
        .fold(0_u128, |value, &byte| (value << 8) | u128::from(byte));
    let spare = bytes.len() * 8 - (end - first / 8 * 8);
    let value = (high << (8 - spare)) | u128::from(last >> spare);
    Some(value & wide_ones(width))
}
