//! Short names for what has none: a summary hash is called by the letters of the log it stands
//! for, a request by its letter.

use replica::history::Log;
use std::collections::BTreeMap;
use wire::{ClientId, RequestNumber, SummaryHash};

/// What a hash stands for.
#[derive(Debug)]
struct Entry {
    name: String,
    request: char,
}

/// The names given so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hashes: BTreeMap<SummaryHash, Entry>,
    letters: BTreeMap<(ClientId, RequestNumber), char>,
    /// How many requests ask for an operation.
    operations: BTreeMap<char, usize>,
}

impl Names {
    /// Names the hashes of a log. The same letters with other agreed times are another log: its
    /// name gets a prime.
    pub(crate) fn learn<U>(&mut self, log: &Log<U>) -> Result<(), String> {
        for (slot, entry) in log.above(log.base()) {
            let letters = String::from_utf8_lossy(entry.result).into_owned();
            let request = self.letter(entry.request.client, entry.request.number);
            if let Some(known) = self.hashes.get(&entry.hash) {
                let name = known.name.trim_end_matches('\'');
                if name != letters || known.request != request {
                    let known = known.request;
                    return Err(format!(
                        "equal hashes at slot {slot} stand for {name} by request {known} and for \
                         {letters} by request {request}"
                    ));
                }
                continue;
            }
            let mut name = letters;
            while self.hashes.values().any(|other| other.name == name) {
                name.push('\'');
            }
            self.hashes.insert(entry.hash, Entry { name, request });
        }
        Ok(())
    }

    /// The letters that a hash stands for.
    pub(crate) fn hash(&self, hash: SummaryHash) -> &str {
        if hash == SummaryHash::EMPTY {
            return "nothing";
        }
        self.hashes.get(&hash).map_or("?", |entry| &entry.name)
    }

    /// The letters of a log up to a hash; none for the empty log.
    pub(crate) fn prefix(&self, hash: SummaryHash) -> &str {
        self.hashes.get(&hash).map_or("", |entry| &entry.name)
    }

    /// Names a new request.
    pub(crate) fn call(
        &mut self,
        client: ClientId,
        number: RequestNumber,
        letter: char,
        operation: u8,
    ) {
        self.letters.insert((client, number), letter);
        *self.operations.entry(char::from(operation)).or_default() += 1;
    }

    /// Whether an operation stands in `state` more often than anybody has asked for it.
    pub(crate) fn has_too_many(&self, state: &str) -> bool {
        let asked = |operation| self.operations.get(&operation).copied().unwrap_or(0);
        let count = |operation| state.chars().filter(|other| *other == operation).count();
        state
            .chars()
            .any(|operation| count(operation) > asked(operation))
    }

    /// A request's letter.
    pub(crate) fn letter(&self, client: ClientId, number: RequestNumber) -> char {
        self.letters.get(&(client, number)).copied().unwrap_or('?')
    }
}
