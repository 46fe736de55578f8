//! How it is known that the switch has done all that a frame makes it do, without a pause.
//!
//! After a case's frame, one marked frame for each port goes into the same port of the switch.
//! bmv2 takes the frames of a port in order, has one thread for all of ingress, one queue and one
//! thread for a port's egress, and one thread that sends. So when the mark has come out of a port,
//! whatever the case's frame made leave there has come out before it, and was counted before it.
//! Resubmission, recirculation and clones would break that; the programs have none.
//!
//! The marked frames are forwarded by entries of their own, one for each port, for addresses that
//! no case uses; they touch no register and no counter.

use sequencer::cases::Action;
use sequencer::pipeline::{EntrySpec, Match};

const ETHERNET_LENGTH: usize = 14;
const IPV4_LENGTH: usize = 20;
/// A protocol number for experiments (RFC 3692), so that no program looks further than IPv4.
const PROTOCOL: u8 = 253;
const MARK: &[u8; 8] = b"barrier ";

/// The entry that sends the marks of a port there; none if the program's table is not known here.
pub(crate) fn entry(program: &str, port: u16) -> Option<Action> {
    if program != "root" {
        return None;
    }
    let entry = EntrySpec {
        matches: vec![Match::Lpm {
            value: u32::from_be_bytes(address(port)).into(),
            prefix_length: 32,
        }],
        priority: 0,
        action: "RootIngress.forward.to_port".to_owned(),
        parameters: vec![port.into(), 0x0200_0000_00fe],
    };
    let table = "RootIngress.forward.forward".to_owned();
    Some(Action::Insert { table, entry })
}

/// The mark that is to leave a port; `number` tells it from those of other barriers.
pub(crate) fn frame(port: u16, number: u64) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0xFD, 2, 0, 0, 0, 0, 0xFE, 8, 0];
    let mut header = [0; IPV4_LENGTH];
    let length = u16::try_from(IPV4_LENGTH + MARK.len() + size_of::<u64>());
    header[0] = 0x45;
    header[2..4].copy_from_slice(&length.unwrap().to_be_bytes());
    header[8] = 64;
    header[9] = PROTOCOL;
    header[12..16].copy_from_slice(&address(u16::MAX));
    header[16..20].copy_from_slice(&address(port));
    let checksum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    frame.extend(header);
    frame.extend(MARK);
    frame.extend(number.to_be_bytes());
    frame
}

/// The number of a mark; none if the frame is something else.
pub(crate) fn number(frame: &[u8]) -> Option<u64> {
    let payload = frame.get(ETHERNET_LENGTH + IPV4_LENGTH..)?;
    let number = payload.strip_prefix(MARK)?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// Of the block for benchmarks (RFC 2544): 198.18.0.0/16 with the port in the last two bytes.
fn address(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [198, 18, high, low]
}

/// The Internet checksum (RFC 1071) of a header whose own checksum is still 0.
fn checksum(header: &[u8; IPV4_LENGTH]) -> u16 {
    let words = header.chunks_exact(2);
    let mut sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
