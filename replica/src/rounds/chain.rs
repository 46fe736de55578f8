//! The log of positions: what this replica has voted for, as a digest chain.
//!
//! Position by position a packet or a no-op. The digest at a position covers everything from the
//! beginning up to it, so that equal digests mean equal prefixes: an acknowledgement of one
//! prefix can never count for another.

use super::mutant::Mutant;
use super::proposal::Stored;
use alloc::collections::VecDeque;
use wire::message::rounds::{Footing, Frontier, Value};
use wire::{AgreedTime, Position, SummaryHash};

/// One position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Link {
    /// `None`: a no-op.
    content: Option<Stored>,
    /// The agreed time.
    time: AgreedTime,
    digest: SummaryHash,
}

/// The chain. Links below `below` have been dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Chain {
    below: Footing,
    links: VecDeque<Link>,
    /// Bytes of batches that are held.
    bytes: usize,
    cover: Cover,
}

/// What a digest covers: everything up to its position. The other way is a deliberate break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Cover {
    #[default]
    Everything,
    Last,
}

impl Cover {
    pub(super) fn of(mutant: Option<Mutant>) -> Self {
        match mutant {
            Some(Mutant::DigestOfLast) => Self::Last,
            _ => Self::Everything,
        }
    }
}

impl Chain {
    /// A chain without links that goes on from a prefix.
    pub(super) fn above(below: Footing, cover: Cover) -> Self {
        Self {
            below,
            cover,
            ..Self::default()
        }
    }

    /// The position below the oldest link that is held.
    pub(super) fn base(&self) -> Position {
        self.below.frontier.position
    }

    /// The newest position.
    pub(super) fn head(&self) -> Position {
        Position(self.base().0 + self.links.len() as u64)
    }

    /// The whole chain as a prefix.
    pub(super) fn frontier(&self) -> Frontier {
        self.footing().frontier
    }

    fn footing(&self) -> Footing {
        self.footing_at(self.head()).expect("the head is held")
    }

    /// The prefix up to a position, if it is held or the base.
    pub(super) fn footing_at(&self, position: Position) -> Option<Footing> {
        if position == self.base() {
            return Some(self.below);
        }
        let link = self.links.get(self.index(position)?)?;
        Some(Footing {
            frontier: Frontier {
                position,
                digest: link.digest,
            },
            time: link.time,
        })
    }

    /// Whether this chain begins with a prefix; `None` if that cannot be told: it is longer than
    /// the chain, or its end was dropped.
    pub(super) fn begins_with(&self, prefix: &Frontier) -> Option<bool> {
        let here = self.footing_at(prefix.position)?;
        Some(here.frontier.digest == prefix.digest)
    }

    /// What a position holds.
    pub(super) fn value(&self, position: Position) -> Option<Value<'_>> {
        let link = self.links.get(self.index(position)?)?;
        Some(value_of(link))
    }

    /// The agreed time at a position.
    pub(super) fn time(&self, position: Position) -> Option<AgreedTime> {
        self.footing_at(position).map(|footing| footing.time)
    }

    /// The values above a position, which must not be below the base.
    pub(super) fn values_above(&self, position: Position) -> impl Iterator<Item = Value<'_>> {
        assert!(
            position >= self.base(),
            "positions up to {} are gone, asked above {position}",
            self.base()
        );
        let skip = usize::try_from(position.0 - self.base().0).unwrap_or(usize::MAX);
        self.links.iter().skip(skip).map(value_of)
    }

    /// Adds a value at the head.
    pub(super) fn push(&mut self, value: &Value<'_>) {
        let after = extend(self.cover, &self.footing(), value);
        let content = Stored::of_value(value);
        self.bytes += content.as_ref().map_or(0, Stored::bytes);
        self.links.push_back(Link {
            content,
            time: after.time,
            digest: after.frontier.digest,
        });
    }

    /// Removes the newest link; returns its packet if it had one. Panics if no link is held.
    pub(super) fn pop(&mut self) -> Option<Stored> {
        let link = self.links.pop_back().expect("above what was dropped");
        self.bytes -= link.content.as_ref().map_or(0, Stored::bytes);
        link.content
    }

    /// Drops the oldest links while more than `links` or more than `bytes` are held, but none
    /// above `decided`.
    pub(super) fn truncate(&mut self, decided: Position, links: u64, bytes: usize) {
        while self.base() < decided && (decided.0 - self.base().0 > links || self.bytes > bytes) {
            let link = self.links.pop_front().expect("above the base");
            self.bytes -= link.content.as_ref().map_or(0, Stored::bytes);
            self.below = Footing {
                frontier: Frontier {
                    position: self.base().next(),
                    digest: link.digest,
                },
                time: link.time,
            };
        }
    }

    fn index(&self, position: Position) -> Option<usize> {
        usize::try_from(position.0.checked_sub(self.base().0)?.checked_sub(1)?).ok()
    }

    /// Panics if the chain's own bookkeeping is wrong. Walks what is held above `from`.
    pub(super) fn check(&self, from: Position) {
        let mut before = self.footing_at(from.max(self.base())).expect("held");
        for value in self.values_above(before.frontier.position) {
            let after = extend(self.cover, &before, &value);
            let held = self.footing_at(after.frontier.position);
            assert_eq!(
                held,
                Some(after),
                "the chain at {}",
                after.frontier.position
            );
            before = after;
        }
        let bytes: usize = self
            .links
            .iter()
            .filter_map(|link| link.content.as_ref())
            .map(Stored::bytes)
            .sum();
        assert_eq!(self.bytes, bytes);
    }
}

fn value_of(link: &Link) -> Value<'_> {
    Stored::value_of(link.content.as_ref())
}

/// The prefix after one more value. Time never runs back; a no-op keeps it.
pub(super) fn extend(cover: Cover, before: &Footing, value: &Value<'_>) -> Footing {
    let position = before.frontier.position.next();
    let time = match value {
        Value::NoOp => before.time,
        Value::Packet(proposal) => before.time.max(proposal.time),
    };
    let mut hasher = blake3::Hasher::new();
    if cover == Cover::Everything {
        hasher.update(&before.frontier.digest.0);
    }
    hasher.update(&position.0.to_be_bytes());
    match value {
        Value::NoOp => {
            hasher.update(&[0]);
        }
        Value::Packet(proposal) => {
            let mut fixed = [1; 26];
            fixed[1..9].copy_from_slice(&proposal.time.0.to_be_bytes());
            fixed[9] = proposal.sender;
            fixed[10..18].copy_from_slice(&proposal.incarnation.to_be_bytes());
            fixed[18..].copy_from_slice(&proposal.number.to_be_bytes());
            hasher.update(&fixed);
            hasher.update(proposal.batch.bytes());
        }
    }
    Footing {
        frontier: Frontier {
            position,
            digest: SummaryHash(*hasher.finalize().as_bytes()),
        },
        time,
    }
}

#[cfg(test)]
mod tests {
    use super::super::proposal::foreign;
    use super::*;

    fn packet(number: u64) -> Value<'static> {
        let mut proposal = foreign(AgreedTime(number));
        proposal.number = number;
        Value::Packet(proposal)
    }

    #[test]
    fn a_digest_covers_everything_before_it() {
        let chains = [
            [packet(1), packet(3)],
            [packet(2), packet(3)],
            [Value::NoOp, packet(3)],
        ];
        let ends = chains.map(|values| {
            let mut chain = Chain::default();
            for value in &values {
                chain.push(value);
            }
            chain.check(Position::ZERO);
            chain.frontier()
        });
        assert!(ends[0] != ends[1] && ends[1] != ends[2] && ends[0] != ends[2]);
    }

    /// Else two members could hold different values under one digest: adopting what is decided
    /// would find another value there, though the digests agree.
    #[test]
    fn a_packet_stamped_at_two_times_is_two_values() {
        let at = |time| {
            let mut proposal = foreign(AgreedTime(time));
            proposal.number = 7;
            Value::Packet(proposal)
        };
        let ends = [3, 5].map(|time| {
            let mut chain = Chain::default();
            chain.push(&packet(10));
            chain.push(&at(time));
            assert_eq!(chain.time(Position(2)), Some(AgreedTime(10)));
            chain.frontier()
        });
        assert_ne!(ends[0], ends[1]);
    }

    #[test]
    fn time_is_kept_by_a_no_op_and_never_runs_back() {
        let mut chain = Chain::default();
        for value in [packet(5), Value::NoOp, packet(3), packet(9)] {
            chain.push(&value);
        }
        let times = [1, 2, 3, 4].map(|position| chain.time(Position(position)).map(|t| t.0));
        assert_eq!(times, [Some(5), Some(5), Some(5), Some(9)]);
    }

    #[test]
    fn what_is_dropped_is_decided_and_the_rest_goes_on_from_it() {
        let mut chain = Chain::default();
        for number in 1..=10 {
            chain.push(&packet(number));
        }
        let (at_4, head) = (chain.footing_at(Position(4)), chain.frontier());
        chain.truncate(Position(6), 2, usize::MAX);
        assert_eq!((chain.base(), chain.head()), (Position(4), Position(10)));
        assert_eq!(
            (chain.footing_at(Position(4)), chain.frontier()),
            (at_4, head)
        );
        assert_eq!(chain.value(Position(4)), None);
        assert_eq!(chain.value(Position(5)), Some(packet(5)));
        assert_eq!(chain.begins_with(&head), Some(true));
        let missing = Frontier {
            position: Position(3),
            ..head
        };
        assert_eq!(chain.begins_with(&missing), None);
        chain.check(Position(6));
        chain.pop();
        assert_eq!(chain.head(), Position(9));
    }
}
