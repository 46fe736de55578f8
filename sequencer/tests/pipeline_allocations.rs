//! The packet path allocates nothing once its buffers have grown.
#![expect(
    unsafe_code,
    reason = "an allocator that counts can only be written with `unsafe impl`"
)]

mod pipeline_common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use pipeline_common::{Envelope, GroupEntry, Stamp, frame, install_group, root, udp_frame};
use sequencer::pipeline::{Copies, EntrySpec, Match, PortNumber};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test only in this file: another thread's allocations would be counted too.
#[test]
fn process_allocates_nothing_after_warm_up() {
    let mut switch = root();
    let entry = GroupEntry {
        register_index: 3,
        group: 1,
        term: 1,
        shift: 4,
        base: 10,
        members: 5,
        copies: 1,
    };
    install_group(&mut switch, &entry);
    let forward = EntrySpec {
        matches: vec![Match::Lpm {
            value: 0x0A00_0000,
            prefix_length: 8,
        }],
        priority: 0,
        action: "RootIngress.forward.to_port".to_owned(),
        parameters: vec![2, 0x0200_0000_0001],
    };
    switch
        .insert_entry("RootIngress.forward.forward", &forward)
        .unwrap();
    let stamped = frame(&Envelope::to_group(1), &Stamp::unstamped(1, 2), &[7; 1400]);
    let unicast = Envelope {
        destination_ip: 0x0A01_0203,
        ..Envelope::to_group(1)
    };
    let packets = [
        stamped.clone(),
        frame(&unicast, &Stamp::unstamped(1, 2), b"unicast"),
        udp_frame(
            &Envelope {
                destination_port: 53,
                ..unicast
            },
            b"no stamp",
        ),
        stamped[..50].to_vec(),
        frame(
            &Envelope::to_group(1),
            &Stamp::unstamped(1, 77),
            b"wrong member",
        ),
        frame(&Envelope::to_group(2), &Stamp::unstamped(2, 0), b"no route"),
        Vec::new(),
    ];
    let mut out = Copies::new();
    let mut round = |now_us: u64, out: &mut Copies| {
        out.clear();
        for packet in &packets {
            switch.process(now_us, PortNumber(9), packet, out);
        }
        out.len()
    };
    assert_eq!(
        round(0, &mut out),
        7,
        "the group packet five times, the unicast ones once"
    );
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for now_us in 1..10_000 {
        round(now_us, &mut out);
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
}
