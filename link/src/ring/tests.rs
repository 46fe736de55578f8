//! Rings: order, wrapping, fullness, and that no wake-up is lost between two threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use proptest::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::{Clock, FRAME_MINIMUM};

/// Nobody waits longer than this for anything in these tests.
const PATIENCE_US: u64 = 60_000_000;

fn received(link: &mut RingLink, limit: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    link.receive(limit, &mut |frame| frames.push(frame.to_vec()))
        .unwrap();
    frames
}

fn is_readable(link: &RingLink) -> bool {
    let descriptor = link.readiness().unwrap();
    let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .unwrap()
        == 1
}

#[test]
fn frames_arrive_in_order_on_both_sides() {
    let (mut a, mut b) = pair(DEFAULT_CAPACITY).unwrap();
    a.send(&[1; 60]);
    a.send(&[2; 1_500]);
    b.send(&[3; 14]);
    assert_eq!(received(&mut b, 10), [vec![1; 60], vec![2; 1_500]]);
    assert_eq!(received(&mut a, 10), [vec![3; 14]]);
    assert_eq!(a.counters().sent.bytes, 1_560);
    assert_eq!(b.counters().received.bytes, 1_560);
}

#[test]
fn a_limit_leaves_the_rest_for_later() {
    let (mut a, mut b) = pair(DEFAULT_CAPACITY).unwrap();
    for value in 0..5 {
        a.send(&[value; 20]);
    }
    assert_eq!(received(&mut b, 3).len(), 3);
    assert!(b.prepare_to_wait());
    assert_eq!(received(&mut b, 3), [vec![3; 20], vec![4; 20]]);
    assert!(!b.prepare_to_wait());
}

#[test]
fn frames_of_a_wrong_length_are_dropped_and_counted() {
    let (mut a, mut b) = pair(DEFAULT_CAPACITY).unwrap();
    a.send(&[0; FRAME_LIMIT + 1]);
    a.send(&[0; 13]);
    a.send(&[0; FRAME_LIMIT]);
    assert_eq!(received(&mut b, 10).len(), 1);
    assert_eq!(a.counters().drops[DropReason::Oversize], 1);
    assert_eq!(a.counters().drops[DropReason::Undersize], 1);
}

#[test]
fn a_full_ring_drops_and_recovers() {
    let (mut a, mut b) = pair(FRAME_LIMIT + LENGTH_BYTES).unwrap();
    for _ in 0..12 {
        a.send(&[7; 1_000]);
    }
    assert_eq!(a.counters().sent.frames, 9);
    assert_eq!(a.counters().drops[DropReason::QueueFull], 3);
    assert_eq!(received(&mut b, 100).len(), 9);
    a.send(&[8; 1_000]);
    assert_eq!(received(&mut b, 100), [vec![8; 1_000]]);
}

#[test]
fn a_capacity_below_one_frame_is_refused() {
    let error = pair(FRAME_LIMIT).err().unwrap().to_string();
    assert_eq!(
        error,
        "the capacity of a ring in bytes is 9216, valid are 9218 and more"
    );
}

#[test]
fn only_an_armed_receiver_is_woken_and_only_by_flush() {
    let (mut a, mut b) = pair(DEFAULT_CAPACITY).unwrap();
    a.send(&[1; 60]);
    a.flush().unwrap();
    assert!(!is_readable(&b));
    assert!(b.prepare_to_wait());
    assert_eq!(received(&mut b, 10).len(), 1);
    assert!(!b.prepare_to_wait());
    a.send(&[2; 60]);
    assert!(!is_readable(&b));
    a.flush().unwrap();
    assert!(is_readable(&b));
    assert_eq!(received(&mut b, 10).len(), 1);
    assert!(!is_readable(&b));
}

proptest! {
    /// The small ring wraps at every offset, also within a length.
    #[test]
    fn any_frames_come_out_as_they_went_in(
        lengths in prop::collection::vec(FRAME_MINIMUM..2_000, 1..60),
        limit in 1_usize..5,
    ) {
        let (mut a, mut b) = pair(FRAME_LIMIT + LENGTH_BYTES).unwrap();
        for (index, length) in lengths.into_iter().enumerate() {
            let frame: Vec<u8> = (0..length).map(|at| (at * 31 + index).to_le_bytes()[0]).collect();
            a.send(&frame);
            prop_assert_eq!(received(&mut b, limit), vec![frame]);
        }
    }
}

/// A million frames, one thread sending and one that sleeps whenever it finds nothing. A lost
/// wake-up leaves the receiver asleep with frames in the ring, which its time limit shows; a
/// frame out of order or altered shows in its number.
#[test]
fn a_million_frames_and_no_lost_wake_up() {
    const FRAMES: u64 = 1_000_000;
    let (mut sender, mut receiver) = pair(DEFAULT_CAPACITY).unwrap();
    let thread = thread::spawn(move || {
        let give_up = Clock.now().plus_us(PATIENCE_US);
        let mut number = 0_u64;
        while number < FRAMES {
            let mut frame = [0; 64];
            frame[..8].copy_from_slice(&number.to_le_bytes());
            sender.send(&frame);
            if sender.counters().sent.frames > number {
                number += 1;
            } else {
                // Full: let the receiver run. It may sleep on frames that were not flushed.
                sender.flush().unwrap();
                assert!(Clock.now() < give_up, "the receiver takes no frames");
                thread::yield_now();
            }
            // Odd batch lengths, and often single frames, so that the receiver sleeps often.
            if number.is_multiple_of(7) || number.is_multiple_of(3) {
                sender.flush().unwrap();
            }
        }
        sender.flush().unwrap();
    });
    let mut expected = 0_u64;
    let mut slept = 0_u64;
    while expected < FRAMES {
        let count = receiver
            .receive(64, &mut |frame| {
                assert_eq!(frame[..8], expected.to_le_bytes());
                expected += 1;
            })
            .unwrap();
        if count == 0 && !receiver.prepare_to_wait() {
            slept += 1;
            let descriptor = receiver.readiness().unwrap();
            let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
            let woken = poll(
                &mut fds,
                Some(&Timespec {
                    tv_sec: 30,
                    tv_nsec: 0,
                }),
            )
            .unwrap();
            assert_eq!(woken, 1, "asleep for 30 s at frame {expected}");
        }
    }
    thread.join().unwrap();
    assert!(
        slept > 0,
        "the receiver never slept, so this run tested nothing"
    );
}

/// The sender sends one frame and waits until it was taken. There is no later frame that could
/// wake the receiver instead, so each lost wake-up is fatal. Both sides dawdle for ever different
/// times, so that frames hit every moment of the receiver's way to sleep.
#[test]
fn each_wake_up_counts() {
    const FRAMES: u64 = 150_000;
    let (mut sender, mut receiver) = pair(DEFAULT_CAPACITY).unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let seen = taken.clone();
    let thread = thread::spawn(move || {
        let give_up = Clock.now().plus_us(PATIENCE_US);
        for number in 1..=FRAMES {
            sender.send(&[1; 60]);
            sender.flush().unwrap();
            let mut looks = 0_u32;
            while seen.load(Ordering::Acquire) < number {
                looks += 1;
                if looks.is_multiple_of(10_000) {
                    if Clock.now() > give_up {
                        return number;
                    }
                    thread::yield_now();
                }
            }
            dawdle(number % 257);
        }
        FRAMES
    });
    let mut number = 0;
    while number < FRAMES {
        let count = receiver.receive(64, &mut |_| {}).unwrap() as u64;
        if count > 0 {
            number += count;
            taken.store(number, Ordering::Release);
            dawdle(number * 7 % 1_021);
        } else if !receiver.prepare_to_wait() {
            let descriptor = receiver.readiness().unwrap();
            let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
            let woken = poll(
                &mut fds,
                Some(&Timespec {
                    tv_sec: 10,
                    tv_nsec: 0,
                }),
            )
            .unwrap();
            assert_eq!(woken, 1, "asleep for 10 s after frame {number}");
        }
    }
    assert_eq!(
        thread.join().unwrap(),
        FRAMES,
        "the receiver does not take frames"
    );
}

fn dawdle(steps: u64) {
    for step in 0..steps {
        std::hint::black_box(step);
    }
}
