//! Faults: the same by seed, as often as asked for, and nothing but what was asked for.

use proptest::prelude::*;

use super::impairment::HELD_BACK_US;
use super::*;
use crate::ring::{self, RingLink};
use crate::{DropReason, FRAME_LIMIT};

const SEED: u64 = 20_261_121;

fn percent(text: &str) -> Probability {
    text.parse().unwrap()
}

fn everything() -> FaultPlan {
    FaultPlan {
        down: false,
        loss: percent("10%"),
        duplication: percent("10%"),
        reordering: percent("10%"),
        delay_us: 50,
        jitter_us: 10,
    }
}

fn numbered(number: u32) -> [u8; 60] {
    let mut frame = [0; 60];
    frame[..4].copy_from_slice(&number.to_le_bytes());
    frame
}

fn number_of(frame: &[u8]) -> u32 {
    u32::from_le_bytes(*frame.first_chunk().unwrap())
}

/// An end with faults and the bare other end.
fn faulty(seed: u64, plan: FaultPlan) -> (Faults<RingLink>, RingLink) {
    let (a, b) = ring::pair(FRAME_LIMIT * 8).unwrap();
    (Faults::new(a, seed, FaultControl::new(plan)), b)
}

fn drain(link: &mut impl Link, into: &mut Vec<(Tick, u32)>, now: Tick) {
    link.receive(usize::MAX, &mut |frame| into.push((now, number_of(frame))))
        .unwrap();
}

/// Sends `count` frames 7 µs apart through the outgoing faults; when and what came out.
fn outgoing_log(seed: u64, plan: FaultPlan, count: u32) -> (Vec<(Tick, u32)>, FaultCounts) {
    let (mut link, mut wire) = faulty(seed, plan);
    let mut log = Vec::new();
    let mut now = Tick(1);
    for number in 0..count {
        link.advance(now);
        link.send(&numbered(number));
        link.flush().unwrap();
        drain(&mut wire, &mut log, now);
        now = now.plus_us(7);
    }
    loop {
        let deadline = link.advance(now);
        drain(&mut wire, &mut log, now);
        let Some(deadline) = deadline else { break };
        assert!(deadline > now, "due frames left already");
        now = deadline;
    }
    (log, link.counts(Direction::Outgoing))
}

/// The same through the incoming faults of the receiving end.
fn incoming_log(seed: u64, plan: FaultPlan, count: u32) -> Vec<(Tick, u32)> {
    let (mut link, mut wire) = faulty(seed, plan);
    let mut log = Vec::new();
    let mut now = Tick(1);
    for number in 0..count {
        wire.send(&numbered(number));
        link.advance(now);
        drain(&mut link, &mut log, now);
        now = now.plus_us(7);
    }
    while let Some(deadline) = link.advance(now) {
        now = deadline.max(now);
        link.advance(now);
        drain(&mut link, &mut log, now);
    }
    log
}

fn numbers(log: &[(Tick, u32)]) -> Vec<u32> {
    log.iter().map(|&(_, number)| number).collect()
}

#[test]
fn the_same_seed_decides_the_same() {
    let (first, counts) = outgoing_log(SEED, everything(), 5_000);
    let (second, again) = outgoing_log(SEED, everything(), 5_000);
    assert_eq!(first, second);
    assert_eq!(counts, again);
    let (other, _) = outgoing_log(SEED + 1, everything(), 5_000);
    assert_ne!(first, other);
    assert_eq!(
        incoming_log(SEED, everything(), 5_000),
        incoming_log(SEED, everything(), 5_000)
    );
    assert_ne!(
        numbers(&incoming_log(SEED, everything(), 5_000)),
        numbers(&first)
    );
}

#[test]
fn one_more_fault_does_not_change_what_the_others_hit() {
    let loss_only = FaultPlan {
        loss: percent("5%"),
        ..FaultPlan::default()
    };
    let (log, _) = outgoing_log(SEED, loss_only, 5_000);
    let more = FaultPlan {
        duplication: percent("5%"),
        delay_us: 100,
        jitter_us: 20,
        ..loss_only
    };
    let (mut with_more, _) = outgoing_log(SEED, more, 5_000);
    with_more.dedup_by_key(|&mut (_, number)| number);
    assert_eq!(numbers(&log), numbers(&with_more));
}

#[test]
fn faults_are_as_frequent_as_asked_for() {
    let frames = 200_000;
    let plan = FaultPlan {
        loss: percent("1%"),
        duplication: percent("2%"),
        reordering: percent("0.5%"),
        ..FaultPlan::default()
    };
    let (log, counts) = outgoing_log(SEED, plan, frames);
    // Five standard deviations of a binomial distribution on each side of its mean.
    assert!((1_777..=2_223).contains(&counts.lost), "{counts:?}");
    assert!((3_647..=4_273).contains(&counts.duplicated), "{counts:?}");
    assert!((832..=1_148).contains(&counts.held_back), "{counts:?}");
    let expected = u64::from(frames) - counts.lost + counts.duplicated;
    assert_eq!(log.len() as u64, expected);
    let late = log.windows(2).filter(|pair| pair[1].1 < pair[0].1).count() as u64;
    assert!(
        late >= counts.held_back * 9 / 10,
        "{late} of {counts:?} came late"
    );
}

#[test]
fn a_frame_held_back_is_overtaken_by_one_to_three() {
    let plan = FaultPlan {
        reordering: percent("1%"),
        ..FaultPlan::default()
    };
    let (log, counts) = outgoing_log(SEED, plan, 50_000);
    let log = numbers(&log);
    let mut late = 0;
    for (place, &number) in log.iter().enumerate() {
        let overtakers = log[..place]
            .iter()
            .rev()
            .take(10)
            .filter(|&&other| other > number);
        let overtakers = overtakers.count();
        assert!(overtakers <= 4, "{overtakers} overtook {number}");
        late += u64::from(overtakers > 0);
    }
    assert!(
        late > 0 && late <= counts.held_back,
        "{late} late, {counts:?}"
    );
}

#[test]
fn a_frame_nobody_follows_is_held_back_for_a_bounded_time() {
    let (mut link, mut wire) = faulty(
        SEED,
        FaultPlan {
            reordering: Probability::ALWAYS,
            ..FaultPlan::default()
        },
    );
    let mut log = Vec::new();
    link.advance(Tick(5));
    link.send(&numbered(1));
    drain(&mut wire, &mut log, Tick(5));
    assert!(log.is_empty());
    let deadline = link.advance(Tick(6)).unwrap();
    assert_eq!(deadline, Tick(5).plus_us(HELD_BACK_US));
    assert_eq!(link.advance(deadline), None);
    drain(&mut wire, &mut log, deadline);
    assert_eq!(log.len(), 1);
}

#[test]
fn no_plan_changes_nothing() {
    let (log, counts) = outgoing_log(SEED, FaultPlan::default(), 100);
    assert_eq!(numbers(&log), (0..100).collect::<Vec<_>>());
    assert_eq!(counts, FaultCounts::default());
    assert_eq!(
        numbers(&incoming_log(SEED, FaultPlan::default(), 100)).len(),
        100
    );
}

#[test]
fn a_link_goes_down_and_up_while_it_runs() {
    let (mut link, mut wire) = faulty(SEED, FaultPlan::default());
    let control = link.control().clone();
    link.send(&numbered(1));
    control.set(Direction::Outgoing, FaultPlan::link_down());
    link.send(&numbered(2));
    wire.send(&numbered(3));
    let mut log = Vec::new();
    drain(&mut link, &mut log, Tick(0));
    control.set_both(FaultPlan::link_down());
    wire.send(&numbered(4));
    drain(&mut link, &mut log, Tick(0));
    control.set_both(FaultPlan::default());
    link.send(&numbered(5));
    assert_eq!(numbers(&log), [3]);
    log.clear();
    drain(&mut wire, &mut log, Tick(0));
    assert_eq!(numbers(&log), [1, 5]);
    assert_eq!(link.counters().drops[DropReason::LinkDown], 2);
    assert_eq!(
        (link.counters().sent.frames, link.counters().received.frames),
        (2, 1)
    );
}

#[test]
fn a_received_frame_that_is_due_prevents_sleep() {
    let plan = FaultPlan {
        delay_us: 10,
        ..FaultPlan::default()
    };
    let (mut link, mut wire) = faulty(SEED, plan);
    wire.send(&numbered(1));
    link.advance(Tick(0));
    let mut log = Vec::new();
    drain(&mut link, &mut log, Tick(0));
    assert!(!link.prepare_to_wait());
    assert_eq!(link.advance(Tick(10_000)), Some(Tick(10_000)));
    assert!(link.prepare_to_wait());
    drain(&mut link, &mut log, Tick(10_000));
    assert_eq!(log.len(), 1);
    assert!(!link.prepare_to_wait());
}

#[test]
fn held_frames_are_bounded() {
    let plan = FaultPlan {
        delay_us: u32::MAX,
        ..FaultPlan::default()
    };
    let (mut link, _wire) = faulty(SEED, plan);
    for number in 0..20_000 {
        link.send(&numbered(number));
    }
    assert_eq!(
        link.counters().drops[DropReason::FaultOverflow],
        20_000 - 16_384
    );
}

#[test]
fn a_receive_limit_holds_for_duplicates_too() {
    let plan = FaultPlan {
        duplication: Probability::ALWAYS,
        ..FaultPlan::default()
    };
    let (mut link, mut wire) = faulty(SEED, plan);
    for number in 0..10 {
        wire.send(&numbered(number));
    }
    let mut total = 0;
    loop {
        let count = link.receive(3, &mut |_| {}).unwrap();
        assert!(count <= 3);
        total += count;
        if count == 0 {
            break;
        }
    }
    assert_eq!(total, 20);
}

proptest! {
    /// Delay with jitter keeps the order, and each frame comes within the jitter of its delay.
    #[test]
    fn delay_keeps_order_and_time(
        seed in any::<u64>(),
        delay_us in 0_u32..200,
        jitter_us in 0_u32..100,
        count in 1_u32..200,
    ) {
        let plan = FaultPlan { delay_us, jitter_us, ..FaultPlan::default() };
        let (log, _) = outgoing_log(seed, plan, count);
        prop_assert_eq!(numbers(&log), (0..count).collect::<Vec<_>>());
        let earliest = delay_us.saturating_sub(jitter_us);
        // The log is read when frames are sent, every 7 µs, or at deadlines.
        let latest = delay_us + jitter_us + 7;
        for (at, number) in log {
            let took = at.since(Tick(1).plus_us(7 * u64::from(number))) / 1_000;
            prop_assert!((u64::from(earliest)..=u64::from(latest)).contains(&took), "{took} µs");
        }
    }

    /// Without loss every frame comes out once, and once more if doubled.
    #[test]
    fn nothing_is_lost_that_was_not_asked_for(seed in any::<u64>(), count in 1_u32..500) {
        let plan = FaultPlan { loss: Probability::NEVER, ..everything() };
        let (log, counts) = outgoing_log(seed, plan, count);
        let mut seen = numbers(&log);
        prop_assert_eq!(seen.len() as u64, u64::from(count) + counts.duplicated);
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
    }
}
