//! Calculations, checksums and the deparser.

use alloc::format;
use alloc::vec::Vec;

use super::super::checksum::{Algorithm, Calculation, Checksum, MAX_CALCULATION_BYTES, Piece};
use super::super::error::LoadError;
use super::super::field::Field;
use super::super::instruction::{Instruction, Place, Word};
use super::expression::Tree;
use super::json::Node;
use super::{Loader, Parameters, index};

impl Loader<'_> {
    pub(super) fn load_calculations(&mut self) -> Result<Vec<Calculation>, LoadError> {
        let mut calculations = Vec::new();
        for node in self.root.optional_list("calculations")? {
            node.only(&["algo", "input"])?;
            let algorithm = node.get("algo")?;
            let algorithm = match algorithm.string()? {
                "csum16" => Algorithm::Checksum16,
                "crc16" => Algorithm::Crc16,
                "crc32" => Algorithm::Crc32,
                "identity" => Algorithm::Identity,
                other => return Err(algorithm.unsupported(format!("algorithm `{other}`"))),
            };
            let mut pieces = Vec::new();
            let mut bits = 0;
            for input in node.list("input")? {
                bits += self.load_piece(&input, &mut pieces)?;
                let bytes = bits.div_ceil(8);
                input.at_most("the bytes of a calculation", bytes, MAX_CALCULATION_BYTES)?;
            }
            let at = index(&node, calculations.len())?;
            if self.calculations.insert(node.name()?, at).is_some() {
                return Err(node.invalid("a calculation of this name stands twice"));
            }
            calculations.push(Calculation::new(algorithm, merged(pieces)));
        }
        Ok(calculations)
    }

    /// Adds an input's pieces and gives its bits.
    fn load_piece(&self, node: &Node<'_>, pieces: &mut Vec<Part>) -> Result<usize, LoadError> {
        node.only(&["type", "value", "bitwidth"])?;
        let kind = node.get("type")?;
        match kind.string()? {
            "field" => {
                let value = node.get("value")?;
                let place = self.layout.field(&value)?;
                pieces.push(match (place, self.layout.header_of(&value)?) {
                    (Place::Header(field), Some(header)) => Part::Field {
                        field,
                        valid: header.valid,
                    },
                    (place, _) => Part::Metadata(place),
                });
                Ok(usize::from(place.width()))
            }
            "hexstr" => {
                let width = node.get("bitwidth")?;
                let bits = width.count("the width of a constant", 128)?;
                let bits_byte = u8::try_from(bits).unwrap_or(128);
                let value = node.get("value")?.hex_of_width(bits_byte)?;
                pieces.push(Part::Constant {
                    value,
                    width: bits_byte,
                });
                Ok(bits)
            }
            "header" => {
                let name = node.get("value")?;
                let header = self.layout.instance(&name)?.header(&name)?;
                let header = &self.layout.headers[usize::from(header)];
                let (offset, length, valid) = (header.offset, header.length, header.valid);
                pieces.push(Part::Bytes {
                    offset,
                    length,
                    valid,
                });
                Ok(length * 8)
            }
            other => Err(kind.unsupported(format!("a calculation over `{other}`"))),
        }
    }

    /// All checksums; their indices are those of the JSON.
    pub(super) fn load_checksums(&self) -> Result<Vec<Checksum>, LoadError> {
        let mut checksums = Vec::new();
        for node in self.root.optional_list("checksums")? {
            node.only(&[
                "target",
                "type",
                "calculation",
                "verify",
                "update",
                "if_cond",
            ])?;
            let kind = node.get("type")?;
            if kind.string()? != "generic" {
                let construct = format!("a checksum of type `{}`", kind.string()?);
                return Err(kind.unsupported(construct));
            }
            let name = node.get("calculation")?;
            let calculation = self.calculations.get(name.string()?).copied();
            let calculation = calculation.ok_or_else(|| name.invalid("no such calculation"))?;
            let target_node = node.get("target")?;
            let target = self.layout.written_field(&target_node)?;
            if target.width() > 64 {
                return Err(target_node.unsupported("a checksum of more than 64 bits"));
            }
            index(&node, checksums.len())?;
            checksums.push(Checksum {
                target,
                calculation,
            });
        }
        Ok(checksums)
    }

    /// Emits the verification of checksums: `wrong` becomes 1 if one that must hold does not.
    pub(super) fn emit_verification(&mut self, wrong: Word) -> Result<(), LoadError> {
        for (at, node) in self.root.optional_list("checksums")?.iter().enumerate() {
            if !node.flag("verify", true)? {
                continue;
            }
            let mut past = Vec::new();
            // A checksum in a header that is not there holds.
            if let Some(header) = self.layout.header_of(&node.get("target")?)? {
                let valid = Tree::Field(Place::Word {
                    word: header.valid,
                    width: 1,
                });
                self.branch(node, &valid, false, &mut past)?;
            }
            self.emit_condition_of(node, &mut past)?;
            self.code.push(Instruction::Verify {
                checksum: index(node, at)?,
                wrong,
            });
            self.aim_here(node, past)?;
        }
        Ok(())
    }

    /// Emits the update of checksums.
    pub(super) fn emit_update(&mut self) -> Result<(), LoadError> {
        for (at, node) in self.root.optional_list("checksums")?.iter().enumerate() {
            if node.flag("update", true)? {
                let mut past = Vec::new();
                self.emit_condition_of(node, &mut past)?;
                self.code.push(Instruction::Update {
                    checksum: index(node, at)?,
                });
                self.aim_here(node, past)?;
            }
        }
        Ok(())
    }

    /// Emits a jump for when a checksum's condition does not hold.
    fn emit_condition_of(
        &mut self,
        node: &Node<'_>,
        past: &mut Vec<usize>,
    ) -> Result<(), LoadError> {
        if let Some(condition) = node.optional("if_cond")? {
            let tree = self.truth(&condition, &Parameters::default())?;
            self.branch(&condition, &tree, false, past)?;
        }
        Ok(())
    }

    /// The headers in the order of emission.
    pub(super) fn load_deparser(&mut self) -> Result<Vec<u16>, LoadError> {
        let deparsers = self.root.list("deparsers")?;
        let node = match deparsers.as_slice() {
            [node] => node,
            [] => return Err(self.root.invalid("there is no deparser")),
            [_, second, ..] => return Err(second.unsupported("a second deparser")),
        };
        node.only(&["order", "primitives"])?;
        node.empty("primitives", "a statement in the deparser")?;
        let mut order = Vec::new();
        for name in node.list("order")? {
            order.push(self.layout.instance(&name)?.header(&name)?);
        }
        Ok(order)
    }
}

/// A piece of an input before merging.
enum Part {
    Field {
        field: Field,
        valid: Word,
    },
    Bytes {
        offset: usize,
        length: usize,
        valid: Word,
    },
    Metadata(Place),
    Constant {
        value: u128,
        width: u8,
    },
}

/// A run of neighbouring bits of one header.
struct Run {
    first: usize,
    end: usize,
    valid: Word,
    fields: Vec<Field>,
}

/// Neighbouring fields that together are whole bytes become one piece of bytes.
fn merged(parts: Vec<Part>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut run: Option<Run> = None;
    for part in parts {
        if let Part::Field { field, valid } = part {
            let container = usize::from(field.offset) * 8 + field.container.bytes() * 8;
            let end = container - usize::from(field.shift);
            let first = end - usize::from(field.width);
            match &mut run {
                Some(open) if open.end == first && open.valid == valid => {
                    open.end = end;
                    open.fields.push(field);
                }
                _ => {
                    close(run.take(), &mut pieces);
                    run = Some(Run {
                        first,
                        end,
                        valid,
                        fields: alloc::vec![field],
                    });
                }
            }
            continue;
        }
        close(run.take(), &mut pieces);
        pieces.push(match part {
            Part::Field { field, valid } => Piece::Bits { field, valid },
            Part::Metadata(place) => Piece::Metadata(place),
            Part::Bytes {
                offset,
                length,
                valid,
            } => Piece::Bytes {
                offset,
                length,
                valid,
            },
            Part::Constant { value, width } => Piece::Constant { value, width },
        });
    }
    close(run, &mut pieces);
    pieces
}

fn close(run: Option<Run>, pieces: &mut Vec<Piece>) {
    let Some(run) = run else { return };
    let valid = run.valid;
    if run.first % 8 == 0 && run.end % 8 == 0 {
        let (offset, length) = (run.first / 8, (run.end - run.first) / 8);
        pieces.push(Piece::Bytes {
            offset,
            length,
            valid,
        });
    } else {
        pieces.extend(
            run.fields
                .into_iter()
                .map(|field| Piece::Bits { field, valid }),
        );
    }
}
