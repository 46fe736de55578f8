//! Who on the wire has which Ethernet address: a fixed table, or a bounded cache fed by ARP.
//!
//! The cache asks, remembers, asks again before an answer gets old, holds a bounded number of
//! frames for addresses it does not know yet, and gives up after a bounded number of questions.
//! It makes no frames and reads no clock: the endpoint does the former and passes the time.

use wire::Tick;

use super::MacAddress;

/// How an endpoint finds the Ethernet address of a unicast IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Neighbours {
    /// Ask by ARP.
    #[default]
    Arp,
    /// Look it up; never ask.
    Fixed(FixedNeighbours),
}

/// A table of neighbours given at construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixedNeighbours {
    /// Pairs of IPv4 and Ethernet address.
    pub table: Vec<([u8; 4], MacAddress)>,
    /// For every address the table does not have, such as a gateway's; `None` drops them.
    pub otherwise: Option<MacAddress>,
}

/// Most neighbours remembered; the one confirmed longest ago makes room.
pub(super) const NEIGHBOUR_LIMIT: usize = 256;
/// Most frames held for all unknown neighbours together.
pub(super) const HELD_LIMIT: usize = 128;
/// Most frames held for one unknown neighbour.
pub(super) const HELD_PER_NEIGHBOUR: usize = 16;
/// Questions before giving up.
pub(super) const QUESTIONS: u32 = 6;
/// Time from the first question to the second; it doubles with each further one.
pub(super) const FIRST_RETRY_US: u64 = 10_000;
/// Age at which an answer is asked for again, while it is still used.
pub(super) const FRESH_US: u64 = 30_000_000;

/// What the cache knows of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Its Ethernet address.
    Known(MacAddress),
    /// Nothing yet; a question is due. Hold the frame.
    Asking,
    /// Nothing, and there is no room to ask for more.
    Full,
}

/// The cache behind [`Neighbours::Arp`].
#[derive(Debug, Default)]
pub(super) struct NeighbourCache {
    /// Ordered by address.
    entries: Vec<Entry>,
    /// Frames for unknown addresses, oldest first.
    held: Vec<Held>,
    /// Buffers of frames that were released.
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Entry {
    ip: [u8; 4],
    mac: Option<MacAddress>,
    /// When `mac` was last heard.
    confirmed: Tick,
    question: Option<Question>,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    asked: u32,
    next: Tick,
}

#[derive(Debug)]
struct Held {
    ip: [u8; 4],
    frame: Vec<u8>,
}

impl NeighbourCache {
    /// Looks `ip` up and notes a question if the answer is missing or old.
    pub(super) fn lookup(&mut self, ip: [u8; 4], now: Tick) -> Lookup {
        let question = Some(Question {
            asked: 0,
            next: now,
        });
        match self.find(ip) {
            Ok(index) => {
                let entry = &mut self.entries[index];
                let Some(mac) = entry.mac else {
                    return Lookup::Asking;
                };
                if entry.question.is_none() && entry.confirmed.plus_us(FRESH_US) < now {
                    entry.question = question;
                }
                Lookup::Known(mac)
            }
            Err(_) if !self.make_room() => Lookup::Full,
            Err(_) => {
                self.insert(Entry {
                    ip,
                    mac: None,
                    confirmed: now,
                    question,
                });
                Lookup::Asking
            }
        }
    }

    /// Keeps a copy of `frame` until `ip` is known; false if it has no room.
    pub(super) fn hold(&mut self, ip: [u8; 4], frame: &[u8]) -> bool {
        let for_ip = self.held.iter().filter(|held| held.ip == ip).count();
        if self.held.len() >= HELD_LIMIT || for_ip >= HELD_PER_NEIGHBOUR {
            return false;
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(frame);
        self.held.push(Held { ip, frame: copy });
        true
    }

    /// Notes that `ip` has `mac`. Addresses nobody here asked about are remembered only if
    /// `wanted`: otherwise any host could fill the cache.
    pub(super) fn learn(&mut self, ip: [u8; 4], mac: MacAddress, wanted: bool, now: Tick) {
        match self.find(ip) {
            Ok(index) => {
                let entry = &mut self.entries[index];
                entry.mac = Some(mac);
                entry.confirmed = now;
                entry.question = None;
            }
            Err(_) if wanted && self.make_room() => {
                self.insert(Entry {
                    ip,
                    mac: Some(mac),
                    confirmed: now,
                    question: None,
                });
            }
            Err(_) => {}
        }
    }

    /// Calls `each` with the Ethernet address and the frame, oldest first, for every held frame
    /// whose address is known by now.
    pub(super) fn release(&mut self, each: &mut dyn FnMut(MacAddress, &mut Vec<u8>)) {
        let entries = &self.entries;
        let spare = &mut self.spare;
        self.held.retain_mut(|held| {
            let found = entries.binary_search_by_key(&held.ip, |entry| entry.ip);
            let Some(mac) = found.ok().and_then(|index| entries[index].mac) else {
                return true;
            };
            each(mac, &mut held.frame);
            spare.push(std::mem::take(&mut held.frame));
            false
        });
    }

    /// Calls `ask` for every address whose question is due and forgets those asked about too
    /// often. Returns the number of frames dropped with them.
    pub(super) fn ask(&mut self, now: Tick, ask: &mut dyn FnMut([u8; 4])) -> u64 {
        let before = self.held.len();
        let held = &mut self.held;
        self.entries.retain_mut(|entry| {
            let Some(question) = &mut entry.question else {
                return true;
            };
            if question.next > now {
                return true;
            }
            if question.asked == QUESTIONS {
                held.retain(|held| held.ip != entry.ip);
                return false;
            }
            ask(entry.ip);
            question.next = now.plus_us(FIRST_RETRY_US << question.asked);
            question.asked += 1;
            true
        });
        (before - self.held.len()) as u64
    }

    /// When the next question is due.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.entries
            .iter()
            .filter_map(|entry| entry.question)
            .map(|question| question.next)
            .min()
    }

    fn find(&self, ip: [u8; 4]) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&ip, |entry| entry.ip)
    }

    fn insert(&mut self, entry: Entry) {
        if let Err(index) = self.find(entry.ip) {
            self.entries.insert(index, entry);
        }
    }

    /// Makes room for one more entry; false if all of a full cache are being asked about.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < NEIGHBOUR_LIMIT {
            return true;
        }
        let settled = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.question.is_none());
        let Some((oldest, _)) = settled.min_by_key(|(_, entry)| entry.confirmed) else {
            return false;
        };
        self.entries.remove(oldest);
        true
    }
}

#[cfg(test)]
mod tests;
