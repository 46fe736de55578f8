//! The loop: stopping, deadlines, fairness, failing.

use std::sync::atomic::AtomicU64;
use std::thread;

use super::*;
use crate::ring::{self, RingLink};
use crate::{Link, Waker};

/// Nobody waits longer than this for anything in these tests.
const PATIENCE_US: u64 = 60_000_000;

/// Never has anything to do.
struct Idle {
    waker: Waker,
    deadline: Option<Tick>,
    polls: Arc<AtomicU64>,
}

impl Idle {
    fn new(polls: &Arc<AtomicU64>) -> Self {
        Self {
            waker: Waker::new().unwrap(),
            deadline: None,
            polls: polls.clone(),
        }
    }
}

impl Node for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn poll(&mut self, _now: Tick) -> Result<Poll, NodeError> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Ok(Poll {
            worked: false,
            deadline: self.deadline,
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.waker.arm();
        false
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.waker.as_fd());
    }
}

#[test]
fn a_raised_flag_stops_a_sleeping_loop() {
    let stop = StopFlag::new().unwrap();
    let polls = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (stop, node) = (stop.clone(), Idle::new(&polls));
            thread::spawn(move || run(&mut [Box::new(node)], &stop, WaitPolicy::Block))
        })
        .collect();
    let give_up = Clock.now().plus_us(PATIENCE_US);
    while polls.load(Ordering::Relaxed) < 3 {
        assert!(Clock.now() < give_up, "the loops do not start");
        thread::yield_now();
    }
    let raised = Clock.now();
    stop.stop();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    assert!(Clock.now() < raised.plus_us(PATIENCE_US / 2));
    // Each loop polled once or twice and slept the rest of the time; nothing span.
    assert!(polls.load(Ordering::Relaxed) <= 6, "{polls:?}");
}

#[test]
fn a_flag_that_is_already_raised_stops_before_anything() {
    let stop = StopFlag::new().unwrap();
    stop.stop();
    let polls = Arc::new(AtomicU64::new(0));
    run_nodes(&mut [Idle::new(&polls)], &stop, WaitPolicy::Block).unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 0);
}

/// Wants the time every 2 ms, ten times.
struct Ticking {
    next: Tick,
    left: u32,
    early: u32,
    polls: u32,
    stop: StopFlag,
}

impl Node for Ticking {
    fn name(&self) -> &'static str {
        "ticking"
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        self.polls += 1;
        if now >= self.next {
            self.next = now.plus_us(2_000);
            self.left -= 1;
            if self.left == 0 {
                self.stop.stop();
            }
            return Ok(Poll {
                worked: true,
                deadline: Some(self.next),
            });
        }
        self.early += 1;
        Ok(Poll {
            worked: false,
            deadline: Some(self.next),
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        false
    }

    fn readiness<'a>(&'a self, _descriptors: &mut Descriptors<'a>) {}
}

#[test]
fn the_earliest_deadline_ends_the_sleep() {
    for policy in [WaitPolicy::Block, WaitPolicy::Spin { at_most_us: 50 }] {
        let stop = StopFlag::new().unwrap();
        let started = Clock.now();
        let ticking = Ticking {
            next: started,
            left: 10,
            early: 0,
            polls: 0,
            stop: stop.clone(),
        };
        let polls = Arc::new(AtomicU64::new(0));
        let mut later = Idle::new(&polls);
        later.deadline = Some(started.plus_us(PATIENCE_US));
        let mut nodes: [Box<dyn Node>; 2] = [Box::new(later), Box::new(ticking)];
        run(&mut nodes, &stop, policy).unwrap();
        let passed = Clock.now().since(started);
        assert!(passed >= 18_000_000, "{passed} ns for nine waits of 2 ms");
        assert!(passed < PATIENCE_US * 500, "{passed} ns");
    }
}

#[test]
fn a_blocking_loop_does_not_spin_towards_its_deadline() {
    let stop = StopFlag::new().unwrap();
    let next = Clock.now();
    let mut nodes = [Ticking {
        next,
        left: 10,
        early: 0,
        polls: 0,
        stop: stop.clone(),
    }];
    run_nodes(&mut nodes, &stop, WaitPolicy::Block).unwrap();
    // One early poll in front of each sleep, and one more where a timer fired a little early.
    assert!(nodes[0].early <= 2 * 9, "{} early polls", nodes[0].early);
}

#[test]
fn a_failing_node_ends_the_loop_with_its_name() {
    struct Failing;
    impl Node for Failing {
        fn name(&self) -> &'static str {
            "replica 2"
        }
        fn poll(&mut self, _now: Tick) -> Result<Poll, NodeError> {
            Err("the disk is full".into())
        }
        fn prepare_to_wait(&mut self) -> bool {
            false
        }
        fn readiness<'a>(&'a self, _descriptors: &mut Descriptors<'a>) {}
    }
    let stop = StopFlag::new().unwrap();
    let error = run_nodes(&mut [Failing], &stop, WaitPolicy::Block).unwrap_err();
    assert_eq!(error.to_string(), "replica 2: the disk is full");
}

/// Sends back what it gets until enough frames went by.
struct Echo {
    link: RingLink,
    serves: bool,
    left: u64,
    stop: StopFlag,
    give_up: Tick,
}

impl Node for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        if now > self.give_up {
            return Err(format!("{} frames are missing", self.left).into());
        }
        let mut count = 0;
        if self.serves {
            self.serves = false;
            count = 1;
        }
        count += self.link.receive(16, &mut |_| {})?;
        for _ in 0..count {
            self.link.send(&[1; 60]);
        }
        self.link.flush()?;
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 {
            self.stop.stop();
        }
        Ok(Poll {
            worked: count > 0,
            deadline: Some(self.give_up),
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.link.prepare_to_wait()
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.link.readiness());
    }
}

fn echoes(stop: &StopFlag, rounds: u64) -> (Echo, Echo) {
    let (a, b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
    let give_up = Clock.now().plus_us(PATIENCE_US);
    let first = Echo {
        link: a,
        serves: true,
        left: rounds,
        stop: stop.clone(),
        give_up,
    };
    let second = Echo {
        link: b,
        serves: false,
        left: rounds,
        stop: stop.clone(),
        give_up,
    };
    (first, second)
}

#[test]
fn two_nodes_of_one_thread_play_ping_pong() {
    let stop = StopFlag::new().unwrap();
    let (a, b) = echoes(&stop, 100_000);
    run_nodes(&mut [a, b], &stop, WaitPolicy::Block).unwrap();
}

/// One frame is on its way at any time, so each thread sleeps for each frame.
#[test]
fn two_nodes_of_two_threads_play_ping_pong() {
    for policy in [WaitPolicy::Block, WaitPolicy::for_threads(2)] {
        let stop = StopFlag::new().unwrap();
        let (a, b) = echoes(&stop, 5_000);
        let other = stop.clone();
        let thread = thread::spawn(move || run_nodes(&mut [a], &other, policy));
        run_nodes(&mut [b], &stop, policy).unwrap();
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn spinning_needs_a_spare_core() {
    assert_eq!(WaitPolicy::for_threads(usize::MAX), WaitPolicy::Block);
    assert!(matches!(
        WaitPolicy::for_threads(0),
        WaitPolicy::Spin { at_most_us: 20 }
    ));
}

#[test]
fn one_descriptor_several_times_in_a_row_is_waited_for_once() {
    let waker = Waker::new().unwrap();
    let mut descriptors = Descriptors::default();
    descriptors.add(waker.as_fd());
    descriptors.add(waker.as_fd());
    descriptors.add(None);
    assert_eq!(descriptors.0.len(), 1);
    let again = descriptors.emptied();
    assert!(again.0.is_empty());
    assert!(again.0.capacity() > 0, "the allocation was not kept");
}
