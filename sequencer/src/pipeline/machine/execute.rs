//! Runs instructions.

use super::super::field::Field;
use super::super::instruction::{Destination, Instruction, Operand, Operator, Test};
use super::super::program::{Code, Program};
use super::super::state::Externs;
use super::{Machine, Stop};

impl Machine {
    /// Runs code that has no parser statement in it, so that nothing can stop it.
    #[inline]
    pub(super) fn run_whole(
        &mut self,
        program: &Program,
        externs: &mut Externs,
        code: &Code,
        parameters: &[u64],
    ) {
        if !code.is_empty() {
            let stopped = self.run(program, externs, code, parameters);
            debug_assert!(
                stopped.is_ok(),
                "the loader allows `verify` in parsers only"
            );
        }
    }

    /// Runs a stretch of code with an action's parameter words.
    pub(super) fn run(
        &mut self,
        program: &Program,
        externs: &mut Externs,
        code: &Code,
        parameters: &[u64],
    ) -> Result<(), Stop> {
        let instructions = &program.code[..code.end as usize];
        let mut at = code.start as usize;
        // Ends: jumps go forward only.
        while let Some(instruction) = instructions.get(at) {
            at += 1;
            match *instruction {
                Instruction::Narrow {
                    operator,
                    to,
                    left,
                    right,
                } => {
                    let left = self.fetch(left, parameters);
                    let right = self.fetch(right, parameters);
                    self.store(to, operator.narrow(left, right));
                }
                Instruction::Copy { to, from } => {
                    let value = self.fetch(from, parameters);
                    self.store(to, value);
                }
                Instruction::JumpUnless { test, target } => {
                    if !self.test(test, parameters) {
                        at = target as usize;
                    }
                }
                Instruction::Jump { target } => at = target as usize,
                Instruction::Select {
                    wide: false,
                    to,
                    condition,
                    yes,
                    no,
                } => {
                    let chosen = if self.fetch(condition, parameters) == 0 {
                        no
                    } else {
                        yes
                    };
                    let value = self.fetch(chosen, parameters);
                    self.store(to, value);
                }
                Instruction::RegisterRead {
                    to,
                    register,
                    index,
                } => {
                    self.read_register(externs, (to, register), self.fetch(index, parameters));
                }
                Instruction::RegisterWrite {
                    register,
                    index,
                    value,
                } => {
                    let register = &mut externs.registers[usize::from(register)];
                    let index = self.fetch(index, parameters);
                    if let Ok(index) = usize::try_from(index) {
                        if register.is_narrow() {
                            register.write_narrow(index, self.fetch(value, parameters));
                        } else {
                            register.write(index, self.fetch_wide(program, value, parameters));
                        }
                    }
                }
                Instruction::Exit => self.exit = true,
                Instruction::Verify { test, error } => {
                    if !self.test(test, parameters) {
                        return Err(Stop::ParserError(self.fetch(error, parameters)));
                    }
                }
                _ => self.rare(program, externs, instruction, parameters),
            }
        }
        Ok(())
    }

    /// The instructions that a group packet does not need many of.
    fn rare(
        &mut self,
        program: &Program,
        externs: &mut Externs,
        instruction: &Instruction,
        parameters: &[u64],
    ) {
        match *instruction {
            Instruction::Wide {
                operator,
                to,
                left,
                right,
            } => {
                let left = self.fetch_wide(program, left, parameters);
                let right = self.fetch_wide(program, right, parameters);
                self.store_wide(to, operator.wide(left, right));
            }
            Instruction::WideCopy { to, from } => {
                let value = self.fetch_wide(program, from, parameters);
                self.store_wide(to, value);
            }
            Instruction::Select {
                to,
                condition,
                yes,
                no,
                ..
            } => {
                let holds = self.fetch_wide(program, condition, parameters) != 0;
                let value = self.fetch_wide(program, if holds { yes } else { no }, parameters);
                self.store_wide(to, value);
            }
            Instruction::Count { counter, index } => {
                let index = usize::try_from(self.fetch(index, parameters)).ok();
                let cells = &mut externs.counters[usize::from(counter)];
                if let Some(cell) = index.and_then(|index| cells.get_mut(index)) {
                    cell.count(self.ingress_length);
                }
            }
            Instruction::SetValid { header } => self.set_valid(program, header),
            Instruction::SetInvalid { header } => self.set_invalid(program, header),
            Instruction::CopyHeader { to, from } => self.copy_header(program, to, from),
            Instruction::Hash {
                to,
                calculation,
                base,
                max,
            } => {
                let calculation = &program.calculations[usize::from(calculation)];
                let value = calculation.run(&self.vector, &mut self.scratch);
                // As bmv2 has it: a range of 0 is taken for 1, and sums wrap at 64 bits.
                let max = self.fetch(max, parameters).max(1);
                let base = self.fetch(base, parameters);
                to.write(&mut self.vector, (value % max).wrapping_add(base));
            }
            _ => debug_assert!(false, "`run` handles all others"),
        }
    }

    #[inline]
    fn read_register(&mut self, externs: &Externs, (to, register): (Field, u16), index: u64) {
        let register = &externs.registers[usize::from(register)];
        let Ok(index) = usize::try_from(index) else {
            return;
        };
        if register.is_narrow() {
            if let Some(value) = register.read_narrow(index) {
                to.write(&mut self.vector, value);
            }
        } else if let Some(value) = register.read(index) {
            to.write_wide(&mut self.vector, value);
        }
    }

    fn set_valid(&mut self, program: &Program, header: u16) {
        let header = &program.headers[usize::from(header)];
        if self.vector[header.valid] == 0 {
            self.vector[header.offset..header.offset + header.length].fill(0);
            self.vector[header.valid] = 1;
            self.length = self.length.saturating_add(length_of(header.length));
        }
    }

    fn set_invalid(&mut self, program: &Program, header: u16) {
        let header = &program.headers[usize::from(header)];
        if self.vector[header.valid] != 0 {
            self.vector[header.valid] = 0;
            self.length = self.length.saturating_sub(length_of(header.length));
        }
    }

    fn copy_header(&mut self, program: &Program, to: u16, from: u16) {
        let (to, from) = (
            &program.headers[usize::from(to)],
            &program.headers[usize::from(from)],
        );
        self.vector[to.valid] = self.vector[from.valid];
        if self.vector[from.valid] != 0 {
            self.vector
                .copy_within(from.offset..from.offset + from.length, to.offset);
        }
    }

    /// Whether a condition holds.
    #[inline]
    pub(super) fn test(&self, test: Test, parameters: &[u64]) -> bool {
        let left = self.fetch(test.left, parameters);
        let right = self.fetch(test.right, parameters);
        match test.operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            other => other.narrow(left, right) != 0,
        }
    }

    /// The low 64 bits of a value.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits are what is asked for"
    )]
    pub(super) fn fetch(&self, operand: Operand, parameters: &[u64]) -> u64 {
        match operand {
            Operand::Constant(value) => value,
            Operand::Field(field) => field.read(&self.vector),
            Operand::Temporary(index) => self.temporaries[usize::from(index)],
            Operand::Parameter(index) => parameters[usize::from(index)],
            Operand::WideParameter(index) => parameters[usize::from(index) + 1],
            Operand::WideTemporary(index) => self.wide_temporaries[usize::from(index)] as u64,
            Operand::WideConstant { low, .. } => low,
        }
    }

    /// The whole value.
    pub(super) fn fetch_wide(
        &self,
        program: &Program,
        operand: Operand,
        parameters: &[u64],
    ) -> u128 {
        match operand {
            Operand::Field(field) => field.read_wide(&self.vector),
            Operand::WideConstant { index, .. } => program.wide_constants[usize::from(index)],
            Operand::WideTemporary(index) => self.wide_temporaries[usize::from(index)],
            Operand::WideParameter(index) => {
                let index = usize::from(index);
                (u128::from(parameters[index]) << 64) | u128::from(parameters[index + 1])
            }
            _ => self.fetch(operand, parameters).into(),
        }
    }

    #[inline]
    fn store(&mut self, to: Destination, value: u64) {
        match to {
            Destination::Field(field) => field.write(&mut self.vector, value),
            Destination::Temporary(index) => self.temporaries[usize::from(index)] = value,
            Destination::WideTemporary(index) => {
                self.wide_temporaries[usize::from(index)] = value.into();
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "narrow temporaries take the low bits"
    )]
    fn store_wide(&mut self, to: Destination, value: u128) {
        match to {
            Destination::Field(field) => field.write_wide(&mut self.vector, value),
            Destination::Temporary(index) => self.temporaries[usize::from(index)] = value as u64,
            Destination::WideTemporary(index) => self.wide_temporaries[usize::from(index)] = value,
        }
    }
}

/// Headers lie inside the vector, which is far shorter than 2^32 bytes.
fn length_of(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
