//! Registers and counters: arrays of cells.
//!
//! P4Runtime 1.4, sections "`CounterEntry`" and "`RegisterEntry`".

use std::ops::Range;

use p4runtime::p4info::{Counter, P4Info, Register};
use p4runtime::v1::{self, p4_data::Data, update::Type};
use p4runtime::{Code, bytestring};

use super::Running;
use crate::pipeline::CounterValue;
use crate::server::Failure;

/// What a message says a counter has counted.
pub(super) fn counter_from(data: &v1::CounterData) -> Result<CounterValue, Failure> {
    let count = |value: i64, what: &str| {
        u64::try_from(value)
            .map_err(|_| Failure::invalid(format!("{what} is {value}, valid is 0 or more")))
    };
    Ok(CounterValue {
        packets: count(data.packet_count, "packet_count")?,
        bytes: count(data.byte_count, "byte_count")?,
    })
}

/// What a counter has counted. What is beyond the message's range is said to be its end.
pub(super) fn counter_to(value: CounterValue) -> v1::CounterData {
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    v1::CounterData {
        byte_count: count(value.bytes),
        packet_count: count(value.packets),
    }
}

/// The cells that an index means: one, or all.
fn cells(index: Option<v1::Index>, size: u64, what: &str) -> Result<Range<u64>, Failure> {
    let Some(v1::Index { index }) = index else {
        return Ok(0..size);
    };
    let Ok(at) = u64::try_from(index) else {
        let message = format!("{what}: index is {index}, valid is 0 or more");
        return Err(Failure::invalid(message));
    };
    if at >= size {
        let message = format!("{what}: index is {index}, but it has {size} cells");
        return Err(Failure::new(Code::OutOfRange, message));
    }
    Ok(at..at + 1)
}

fn index(at: u64) -> v1::Index {
    v1::Index {
        index: i64::try_from(at).unwrap_or(i64::MAX),
    }
}

fn only_modify(kind: Type, what: &str) -> Result<(), Failure> {
    if kind == Type::Modify {
        return Ok(());
    }
    Err(Failure::invalid(format!("{what} can only be modified")))
}

fn register_of(info: &P4Info, id: u32) -> Result<&Register, Failure> {
    info.register_by_id(id).ok_or_else(|| {
        let valid: Vec<String> = info
            .registers()
            .iter()
            .map(|r| format!("{} {}", r.id, r.alias))
            .collect();
        let valid = valid.join(", ");
        Failure::invalid(format!(
            "the program has no register with id {id}, valid: {valid}"
        ))
    })
}

fn bits_of(register: &Register) -> Result<u32, Failure> {
    register
        .bitwidth
        .ok_or_else(|| Failure::unimplemented(&format!("{}: not a bit<W>", register.name)))
}

fn counter_of(info: &P4Info, id: u32) -> Result<&Counter, Failure> {
    info.counter_by_id(id).ok_or_else(|| {
        let valid: Vec<String> = info
            .counters()
            .iter()
            .map(|c| format!("{} {}", c.id, c.alias))
            .collect();
        let valid = valid.join(", ");
        Failure::invalid(format!(
            "the program has no counter with id {id}, valid: {valid}"
        ))
    })
}

impl Running {
    pub(super) fn write_register(
        &mut self,
        kind: Type,
        entry: &v1::RegisterEntry,
    ) -> Result<(), Failure> {
        only_modify(kind, "a register")?;
        let config = self.config();
        let register = register_of(&config.info, entry.register_id)?;
        let what = format!("register {}", register.name);
        let Some(Data::Bitstring(bytes)) = entry.data.as_ref().and_then(|data| data.data.as_ref())
        else {
            return Err(Failure::invalid(format!(
                "{what}: data must be a bitstring"
            )));
        };
        let value = bytestring::decode(bytes, bits_of(register)?)
            .map_err(|error| Failure::value(&what, &error))?;
        for at in cells(entry.index, register.size, &what)? {
            self.switch.write_register(&register.name, at, value)?;
        }
        Ok(())
    }

    pub(super) fn write_counter(
        &mut self,
        kind: Type,
        entry: &v1::CounterEntry,
    ) -> Result<(), Failure> {
        only_modify(kind, "a counter")?;
        let config = self.config();
        let counter = counter_of(&config.info, entry.counter_id)?;
        let cells = cells(
            entry.index,
            counter.size,
            &format!("counter {}", counter.name),
        )?;
        if let Some(data) = &entry.data {
            let value = counter_from(data)?;
            for at in cells {
                self.switch.write_counter(&counter.name, at, value)?;
            }
        }
        Ok(())
    }

    pub(super) fn read_registers(
        &self,
        filter: &v1::RegisterEntry,
    ) -> Result<Vec<v1::RegisterEntry>, Failure> {
        let info = &self.config.info;
        let registers = match filter.register_id {
            0 => info.registers(),
            id => std::slice::from_ref(register_of(info, id)?),
        };
        let mut entries = Vec::new();
        for register in registers {
            bits_of(register)?;
            for at in cells(
                filter.index,
                register.size,
                &format!("register {}", register.name),
            )? {
                let value = self.switch.read_register(&register.name, at)?;
                let data = Data::Bitstring(bytestring::encode(value));
                entries.push(v1::RegisterEntry {
                    register_id: register.id,
                    index: Some(index(at)),
                    data: Some(v1::P4Data { data: Some(data) }),
                });
            }
        }
        Ok(entries)
    }

    pub(super) fn read_counters(
        &self,
        filter: &v1::CounterEntry,
    ) -> Result<Vec<v1::CounterEntry>, Failure> {
        let info = &self.config.info;
        let counters = match filter.counter_id {
            0 => info.counters(),
            id => std::slice::from_ref(counter_of(info, id)?),
        };
        let mut entries = Vec::new();
        for counter in counters {
            for at in cells(
                filter.index,
                counter.size,
                &format!("counter {}", counter.name),
            )? {
                let value = self.switch.read_counter(&counter.name, at)?;
                entries.push(v1::CounterEntry {
                    counter_id: counter.id,
                    index: Some(index(at)),
                    data: Some(counter_to(value)),
                });
            }
        }
        Ok(entries)
    }
}
