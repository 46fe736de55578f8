//! Runs instructions.

use super::super::field::{load, ones, store, wide_ones};
use super::super::instruction::{Access, Instruction, Operator, Three, Word};
use super::super::program::{Address, Program};
use super::super::state::Live;
use super::{Machine, Passage};

impl Machine {
    /// Runs code from an address to its end.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each instruction, none of them long"
    )]
    pub(super) fn run(
        &mut self,
        program: &Program,
        live: &mut Live,
        passage: &mut Passage<'_>,
        start: Address,
    ) {
        let mut at = start as usize;
        // Ends: jumps go forward only.
        while let Some(instruction) = program.code.get(at) {
            at += 1;
            match instruction {
                Instruction::Add(three) => self.operate(*three, Operator::Add),
                Instruction::Subtract(three) => self.operate(*three, Operator::Subtract),
                Instruction::Multiply(three) => self.operate(*three, Operator::Multiply),
                Instruction::ShiftLeft(three) => self.operate(*three, Operator::ShiftLeft),
                Instruction::ShiftRight(three) => self.operate(*three, Operator::ShiftRight),
                Instruction::And(three) => self.operate(*three, Operator::And),
                Instruction::Or(three) => self.operate(*three, Operator::Or),
                Instruction::ExclusiveOr(three) => self.operate(*three, Operator::ExclusiveOr),
                Instruction::Minimum(three) => self.operate(*three, Operator::Minimum),
                Instruction::Equal(three) => self.operate(*three, Operator::Equal),
                Instruction::NotEqual(three) => self.operate(*three, Operator::NotEqual),
                Instruction::Less(three) => self.operate(*three, Operator::Less),
                Instruction::LessOrEqual(three) => self.operate(*three, Operator::LessOrEqual),
                Instruction::Move { to, from } => self.words.set(*to, self.words.get(*from)),
                Instruction::Copy { to, width, from } => {
                    self.words.set(*to, self.words.get(*from) & ones(*width));
                }
                Instruction::Select {
                    to,
                    width,
                    condition,
                    yes,
                    no,
                } => {
                    let chosen = if self.words.get(*condition) == 0 {
                        no
                    } else {
                        yes
                    };
                    self.words.set(*to, self.words.get(*chosen) & ones(*width));
                }
                Instruction::LoadOne(access) => {
                    let [byte] = load(&self.vector, access.offset);
                    self.loaded(*access, byte.into());
                }
                Instruction::LoadTwo(access) => {
                    let bytes = load(&self.vector, access.offset);
                    self.loaded(*access, u16::from_be_bytes(bytes).into());
                }
                Instruction::LoadFour(access) => {
                    let bytes = load(&self.vector, access.offset);
                    self.loaded(*access, u32::from_be_bytes(bytes).into());
                }
                Instruction::LoadEight(access) => {
                    let bytes = load(&self.vector, access.offset);
                    self.loaded(*access, u64::from_be_bytes(bytes));
                }
                Instruction::StoreOne(access) => self.store_low::<1>(*access),
                Instruction::StoreTwo(access) => self.store_low::<2>(*access),
                Instruction::StoreFour(access) => self.store_low::<4>(*access),
                Instruction::StoreEight(access) => self.store_low::<8>(*access),
                Instruction::Store { field, from } => {
                    field.write(&mut self.vector, self.words.get(*from));
                }
                Instruction::Jump { target } => at = *target as usize,
                Instruction::JumpIfEqual(branch) => {
                    if self.words.get(branch.left) == self.words.get(branch.right) {
                        at = branch.target as usize;
                    }
                }
                Instruction::JumpIfNotEqual(branch) => {
                    if self.words.get(branch.left) != self.words.get(branch.right) {
                        at = branch.target as usize;
                    }
                }
                Instruction::JumpIfLess(branch) => {
                    if self.words.get(branch.left) < self.words.get(branch.right) {
                        at = branch.target as usize;
                    }
                }
                Instruction::JumpIfLessOrEqual(branch) => {
                    if self.words.get(branch.left) <= self.words.get(branch.right) {
                        at = branch.target as usize;
                    }
                }
                Instruction::RegisterRead {
                    to,
                    width,
                    register,
                    index,
                } => {
                    let register = &live.externs.registers[usize::from(*register)];
                    if let Some(value) = register.read_narrow(self.cell(*index)) {
                        self.words.set(*to, value & ones(*width));
                    }
                }
                Instruction::RegisterWrite {
                    register,
                    index,
                    value,
                } => {
                    let register = &mut live.externs.registers[usize::from(*register)];
                    register.write_narrow(self.cell(*index), self.words.get(*value));
                }
                Instruction::ApplyOne { table, key } => {
                    at = self.apply_one(program, live, (*table, *key)) as usize;
                }
                Instruction::Apply { table } => at = self.apply(program, live, *table) as usize,
                Instruction::Extract { header, short } => {
                    if self.extract(program, passage, *header).is_none() {
                        at = *short as usize;
                    }
                }
                Instruction::Lookahead {
                    to,
                    width,
                    bit,
                    short,
                } => {
                    if self.look_ahead(passage, (*bit, *width), *to).is_none() {
                        at = *short as usize;
                    }
                }
                Instruction::Advance { bytes, short } => {
                    if passage.advance(self.words.get(*bytes)).is_none() {
                        at = *short as usize;
                    }
                }
                Instruction::End => return,
                // All named: without a rest the compiler needs no range check to find the arm.
                Instruction::Wide { .. }
                | Instruction::WideCopy { .. }
                | Instruction::WideSelect { .. }
                | Instruction::WideLoad { .. }
                | Instruction::WideStore { .. }
                | Instruction::WideRegisterRead { .. }
                | Instruction::WideRegisterWrite { .. }
                | Instruction::Count { .. }
                | Instruction::SetValid { .. }
                | Instruction::SetInvalid { .. }
                | Instruction::CopyHeader { .. }
                | Instruction::Hash { .. }
                | Instruction::Verify { .. }
                | Instruction::Update { .. } => self.rare(program, live, instruction),
            }
        }
    }

    #[inline]
    fn loaded(&mut self, access: Access, container: u64) {
        self.words.set(
            access.word,
            (container >> access.shift) & ones(access.width),
        );
    }

    /// Stores the low `N` bytes of a word.
    #[inline]
    fn store_low<const N: usize>(&mut self, access: Access) {
        let bytes = self.words.get(access.word).to_be_bytes();
        if let Some(low) = bytes.last_chunk::<N>() {
            store(&mut self.vector, access.offset, *low);
        }
    }

    #[inline]
    fn operate(&mut self, three: Three, operator: Operator) {
        let (left, right) = (self.words.get(three.left), self.words.get(three.right));
        self.words
            .set(three.to, operator.narrow(left, right) & ones(three.width));
    }

    /// An index into a register or counter. Wider ones than `usize` are beyond any array.
    #[inline]
    fn cell(&self, index: Word) -> usize {
        usize::try_from(self.words.get(index)).unwrap_or(usize::MAX)
    }

    /// The instructions that are few on a packet's way, or long themselves.
    #[inline(never)]
    fn rare(&mut self, program: &Program, live: &mut Live, instruction: &Instruction) {
        match *instruction {
            Instruction::Count { counter, index } => {
                let cells = &mut live.externs.counters[usize::from(counter)];
                if let Some(cell) = cells.get_mut(self.cell(index)) {
                    cell.count(self.ingress_length);
                }
            }
            Instruction::SetValid { header } => self.set_valid(program, header),
            Instruction::SetInvalid { header } => self.set_invalid(program, header),
            Instruction::CopyHeader { to, from } => self.copy_header(program, to, from),
            Instruction::Hash {
                to,
                width,
                calculation,
                base,
                max,
            } => {
                let calculation = &program.calculations[usize::from(calculation)];
                let value = calculation.run(&self.words, &self.vector, &mut self.scratch);
                // As bmv2 has it: a range of 0 is taken for 1, and sums wrap at 64 bits.
                let value = value % self.words.get(max).max(1);
                let value = value.wrapping_add(self.words.get(base));
                self.words.set(to, value & ones(width));
            }
            Instruction::Verify { checksum, wrong } => {
                let checksum = &program.checksums[usize::from(checksum)];
                let calculation = &program.calculations[usize::from(checksum.calculation)];
                let computed = calculation.run(&self.words, &self.vector, &mut self.scratch);
                if computed != checksum.target.read(&self.words, &self.vector) {
                    self.words.set(wrong, 1);
                }
            }
            Instruction::Update { checksum } => {
                let checksum = &program.checksums[usize::from(checksum)];
                let calculation = &program.calculations[usize::from(checksum.calculation)];
                let computed = calculation.run(&self.words, &self.vector, &mut self.scratch);
                checksum
                    .target
                    .write(&mut self.words, &mut self.vector, computed);
            }
            _ => self.wide(live, instruction),
        }
    }

    /// The instructions on values above 64 bits.
    fn wide(&mut self, live: &mut Live, instruction: &Instruction) {
        match *instruction {
            Instruction::Wide {
                operator,
                to,
                left,
                right,
            } => {
                let value = operator.wide(self.words.wide(left), self.words.wide(right));
                self.words.set_wide(to, value);
            }
            Instruction::WideCopy { to, width, from } => {
                let value = self.words.wide(from) & wide_ones(width);
                self.words.set_wide(to, value);
            }
            Instruction::WideSelect {
                to,
                condition,
                yes,
                no,
            } => {
                let chosen = if self.words.get(condition) == 0 {
                    no
                } else {
                    yes
                };
                self.words.set_wide(to, self.words.wide(chosen));
            }
            Instruction::WideLoad { to, field } => {
                self.words.set_wide(to, field.read_wide(&self.vector));
            }
            Instruction::WideStore { field, from } => {
                field.write_wide(&mut self.vector, self.words.wide(from));
            }
            Instruction::WideRegisterRead {
                to,
                width,
                register,
                index,
            } => {
                let register = &live.externs.registers[usize::from(register)];
                if let Some(value) = register.read(self.cell(index)) {
                    self.words.set_wide(to, value & wide_ones(width));
                }
            }
            Instruction::WideRegisterWrite {
                register,
                index,
                value,
            } => {
                let register = &mut live.externs.registers[usize::from(register)];
                register.write(self.cell(index), self.words.wide(value));
            }
            _ => debug_assert!(false, "`run` and `rare` handle all others"),
        }
    }

    fn set_valid(&mut self, program: &Program, header: u16) {
        let header = &program.headers[usize::from(header)];
        if self.words.get(header.valid) == 0 {
            self.vector[header.offset..header.offset + header.length].fill(0);
            self.words.set(header.valid, 1);
            self.length = self.length.saturating_add(length_of(header.length));
        }
    }

    fn set_invalid(&mut self, program: &Program, header: u16) {
        let header = &program.headers[usize::from(header)];
        if self.words.get(header.valid) != 0 {
            self.words.set(header.valid, 0);
            self.length = self.length.saturating_sub(length_of(header.length));
        }
    }

    fn copy_header(&mut self, program: &Program, to: u16, from: u16) {
        let (to, from) = (
            &program.headers[usize::from(to)],
            &program.headers[usize::from(from)],
        );
        let valid = self.words.get(from.valid);
        self.words.set(to.valid, valid);
        if valid != 0 {
            self.vector
                .copy_within(from.offset..from.offset + from.length, to.offset);
        }
    }
}

/// Headers lie inside the vector, which is far shorter than 2^32 bytes.
fn length_of(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
