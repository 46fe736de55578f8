//! What is on the way between replicas: it moves by command only.

use super::command::Handling;
use super::names::Names;
use super::pattern::Pattern;
use super::render;
use wire::ReplicaId;
use wire::message::Message;

/// One message on the way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) from: ReplicaId,
    pub(crate) to: ReplicaId,
    pub(crate) bytes: Vec<u8>,
    /// By the bulk channel, without a stamp header.
    pub(crate) bulk: bool,
    held: bool,
}

impl Parcel {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).expect("what a replica sends can be parsed")
    }

    fn is_meant_by(&self, pattern: &Pattern) -> bool {
        pattern.matches(self.from, self.to, &self.message())
    }
}

/// Everything on the way, in the order of sending.
#[derive(Debug, Default)]
pub(crate) struct Network {
    parcels: Vec<Parcel>,
    holds: Vec<Pattern>,
    cuts: Vec<Pattern>,
}

impl Network {
    pub(crate) fn send(&mut self, from: ReplicaId, to: ReplicaId, bytes: &[u8], bulk: bool) {
        let mut parcel = Parcel {
            from,
            to,
            bytes: bytes.to_vec(),
            bulk,
            held: false,
        };
        parcel.held = self.holds.iter().any(|hold| parcel.is_meant_by(hold));
        if !self.cuts.iter().any(|cut| parcel.is_meant_by(cut)) {
            self.parcels.push(parcel);
        }
    }

    /// The next message that nobody holds back.
    pub(crate) fn next(&mut self) -> Option<Parcel> {
        let index = self.parcels.iter().position(|parcel| !parcel.held)?;
        Some(self.parcels.remove(index))
    }

    /// Does with the messages meant by `pattern` what can be done here; returns those to deliver.
    pub(crate) fn handle(
        &mut self,
        handling: Handling,
        pattern: &Pattern,
        names: &Names,
    ) -> Result<Vec<Parcel>, String> {
        match handling {
            Handling::Deliver => self.take(pattern, names),
            Handling::Drop => self.take(pattern, names).map(|_| Vec::new()),
            Handling::Copy => {
                let taken = self.take(pattern, names)?;
                self.parcels.extend(taken.iter().cloned());
                Ok(taken)
            }
            Handling::Hold => {
                self.mark(pattern, true);
                self.holds.push(pattern.clone());
                Ok(Vec::new())
            }
            Handling::Release => {
                self.mark(pattern, false);
                remove(&mut self.holds, pattern, "held")
            }
            Handling::Cut => {
                self.cuts.push(pattern.clone());
                Ok(Vec::new())
            }
            Handling::Mend => remove(&mut self.cuts, pattern, "cut"),
        }
    }

    fn mark(&mut self, pattern: &Pattern, held: bool) {
        for parcel in &mut self.parcels {
            if parcel.is_meant_by(pattern) {
                parcel.held = held;
            }
        }
    }

    fn take(&mut self, pattern: &Pattern, names: &Names) -> Result<Vec<Parcel>, String> {
        let meant = |parcel: &mut Parcel| parcel.is_meant_by(pattern);
        let taken: Vec<_> = self.parcels.extract_if(.., meant).collect();
        if taken.is_empty() {
            let mut there = self.show(&Pattern::any(), names);
            if there.is_empty() {
                there.push("nothing".into());
            }
            let there = there.join("\n  ");
            return Err(format!(
                "no `{pattern}` is on the way; on the way are:\n  {there}"
            ));
        }
        Ok(taken)
    }

    /// The messages meant by `pattern`, one line each.
    pub(crate) fn show(&self, pattern: &Pattern, names: &Names) -> Vec<String> {
        let meant = self
            .parcels
            .iter()
            .filter(|parcel| parcel.is_meant_by(pattern));
        meant
            .map(|parcel| {
                let held = if parcel.held { ", held back" } else { "" };
                let text = render::message(&parcel.message(), names);
                format!("{} -> {}: {text}{held}", parcel.from, parcel.to)
            })
            .collect()
    }
}

fn remove(rules: &mut Vec<Pattern>, pattern: &Pattern, how: &str) -> Result<Vec<Parcel>, String> {
    let Some(index) = rules.iter().position(|rule| rule == pattern) else {
        return Err(format!("no `{pattern}` was {how} before"));
    };
    rules.remove(index);
    Ok(Vec::new())
}
