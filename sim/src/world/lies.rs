//! A root that lies: what becomes of its registers and copies.
//!
//! The program is the committed one; before and after a packet its registers are put to what it
//! would not have in them. See [`Lie`] for the ways.

use super::root::SEQUENCE;
use crate::schedule::Lie;
use sequencer::pipeline::Switch;

/// The group's other registers, all at index 0.
const START_OF_TERM: &str = "RootIngress.stamp.start_of_term";
const CURRENT_ROUND: &str = "RootIngress.stamp.current_round";
const REGISTERS: [&str; 7] = [
    "RootIngress.stamp.term_of_group",
    START_OF_TERM,
    SEQUENCE,
    CURRENT_ROUND,
    "RootIngress.stamp.heard_members",
    "RootIngress.stamp.closed_round",
    "RootIngress.stamp.closed_members",
];

/// A lie that is being told.
#[derive(Debug)]
pub(super) struct Lying {
    item: usize,
    lie: Lie,
    /// Packets of the group since it began.
    packets: u64,
    /// The count of the second root, or of the first while the second counts.
    other_count: Option<u128>,
}

impl Lying {
    pub(super) fn new(item: usize, lie: Lie) -> Self {
        Self {
            item,
            lie,
            packets: 0,
            other_count: None,
        }
    }

    pub(super) fn item(&self) -> usize {
        self.item
    }

    /// A packet of the group comes from `host` at `now_us` of the switch's clock; returns the time
    /// that the switch takes it for.
    pub(super) fn before_packet(&mut self, switch: &mut Switch, now_us: u64, host: usize) -> u64 {
        self.packets += 1;
        let turn = |every: u64| self.packets.is_multiple_of(every);
        match self.lie {
            Lie::Repeats { every } if turn(every) => count_back(switch, 1),
            Lie::TwoFaced { .. } if self.is_second() => count_back(switch, 1),
            Lie::CountsBack { every, by } if turn(every) => count_back(switch, by),
            Lie::RoundsRunBack { every, by_us } if turn(every) => {
                write(switch, CURRENT_ROUND, 0);
                let start = u64::try_from(read(switch, START_OF_TERM)).expect("48 bits");
                return now_us.saturating_sub(by_us).max(start);
            }
            Lie::Forgets if self.packets == 1 => {
                for register in REGISTERS {
                    write(switch, register, 0);
                }
            }
            Lie::TwoRoots { hosts } if hosts.has_replica(host) => self.change_roots(switch),
            _ => {}
        }
        now_us
    }

    /// The packet has its number.
    pub(super) fn after_packet(&mut self, switch: &mut Switch, host: usize) {
        match self.lie {
            Lie::TwoRoots { hosts } if hosts.has_replica(host) => self.change_roots(switch),
            _ => {}
        }
    }

    fn change_roots(&mut self, switch: &mut Switch) {
        let count = read(switch, SEQUENCE);
        let other = self.other_count.replace(count).unwrap_or(count);
        write(switch, SEQUENCE, other);
    }

    /// Of the two packets with one number, whether the newest one is the first.
    fn is_first(&self) -> bool {
        matches!(self.lie, Lie::TwoFaced { every, .. } if self.packets % (every + 1) == every)
    }

    fn is_second(&self) -> bool {
        matches!(self.lie, Lie::TwoFaced { every, .. } if self.packets.is_multiple_of(every + 1))
    }

    /// Whether a host does not get the newest packet.
    pub(super) fn withholds_from(&self, host: usize) -> bool {
        let Lie::TwoFaced { hosts, .. } = self.lie else {
            return false;
        };
        let gets_first = hosts.has_replica(host);
        (self.is_first() && !gets_first) || (self.is_second() && gets_first)
    }
}

fn count_back(switch: &mut Switch, by: u64) {
    let count = read(switch, SEQUENCE);
    write(switch, SEQUENCE, count.saturating_sub(by.into()));
}

fn read(switch: &Switch, register: &str) -> u128 {
    let cell = switch.read_register(register, 0);
    cell.expect("the committed program has this register")
}

fn write(switch: &mut Switch, register: &str, value: u128) {
    let written = switch.write_register(register, 0, value);
    written.expect("the committed program has this register");
}
