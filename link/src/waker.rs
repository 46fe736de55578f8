//! Waking a sleeping thread, at no cost while it runs.
//!
//! A writer that made a system call for each frame would spend more on waking than on the frame,
//! and a running reader needs no waking. So the reader says when it is about to sleep, and the
//! writer makes the call (a write to an eventfd) only then. This is the flag protocol used by
//! `ring` and `inbox`; the queue itself belongs to them.
//!
//! # The race, and why both sides have a fence
//!
//! The reader *arms* and then looks at the queue; the writer fills the queue and then looks at
//! the flag. Without the fences a processor may let each side's look overtake its own store:
//!
//! 1. the reader sets the flag to "asleep"; the store waits in its store buffer;
//! 2. the writer publishes a frame; that store waits in the other store buffer;
//! 3. the reader looks at the queue: empty, since 2 is not visible yet;
//! 4. the writer looks at the flag: "running", since 1 is not visible yet, and makes no call;
//! 5. the reader sleeps. The frame lies in the queue and nobody will say so.
//!
//! With a sequentially consistent fence between store and look on both sides, 3 and 4 cannot
//! both see the old value: either the reader finds the frame or the writer finds the flag.
//!
//! # The late write, and why notifications are accounted for
//!
//! 1. the reader arms; the writer changes the flag to "notified", and is preempted before its
//!    write to the eventfd;
//! 2. the reader, woken by something else, disarms and drains the eventfd: it is still empty;
//! 3. the writer goes on and writes. Nobody expects that write any more: every later sleep would
//!    end at once and the reader would spin for ever.
//!
//! So the reader counts the notifications it saw announced and drains until it got as many.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};

use crate::LinkError;

/// A thread's bell: any thread rings it, one thread waits for it.
///
/// Clones are the same bell. All links and inboxes of one thread may share one, and should when
/// there are many: the thread then sleeps on a single descriptor.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// One of `RUNNING`, `ASLEEP`, `NOTIFIED`.
    state: AtomicU8,
    /// Announced notifications whose write was not drained yet. Only the waiting thread uses it.
    owed: AtomicU64,
    event: OwnedFd,
}

/// The waiting thread looks by itself; writers do nothing.
const RUNNING: u8 = 0;
/// The waiting thread sleeps or is about to; the next writer must ring.
const ASLEEP: u8 = 1;
/// A writer rings or rang; others need not.
const NOTIFIED: u8 = 2;

impl Waker {
    /// Makes a bell; its thread counts as running.
    pub fn new() -> Result<Self, LinkError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| LinkError::io("create an eventfd", errno))?;
        Ok(Self(Arc::new(Shared {
            state: AtomicU8::new(RUNNING),
            owed: AtomicU64::new(0),
            event,
        })))
    }

    /// Writer: wakes the waiting thread if it sleeps. Call it after what it is to find was
    /// published.
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        let state = &self.0.state;
        if state.load(Ordering::Relaxed) != ASLEEP {
            return;
        }
        let won = state.compare_exchange(ASLEEP, NOTIFIED, Ordering::AcqRel, Ordering::Relaxed);
        if won.is_ok() {
            // The counter cannot overflow: a write happens once per arming. A retry after a
            // signal is all that this call ever needs.
            while write(&self.0.event, &1_u64.to_ne_bytes()) == Err(Errno::INTR) {}
        }
    }

    /// Waiting thread: from now on writers ring. Look at the queue after this, before sleeping.
    pub fn arm(&self) {
        self.change_state(ASLEEP);
        fence(Ordering::SeqCst);
    }

    /// Waiting thread: it runs again. One load when it was not armed.
    pub fn disarm(&self) {
        let shared = &*self.0;
        if shared.state.load(Ordering::Relaxed) != RUNNING {
            self.change_state(RUNNING);
        }
        if shared.owed.load(Ordering::Relaxed) > 0 {
            self.drain();
        }
    }

    fn change_state(&self, new: u8) {
        if self.0.state.swap(new, Ordering::AcqRel) == NOTIFIED {
            self.0.owed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn drain(&self) {
        let mut count = [0_u8; 8];
        // An empty eventfd means that the ringing thread did not get to its write yet; the debt
        // stays and the next disarm tries again.
        if let Ok(8) = read(&self.0.event, &mut count) {
            let paid = u64::from_ne_bytes(count);
            let owed = self.0.owed.load(Ordering::Relaxed);
            self.0
                .owed
                .store(owed.saturating_sub(paid), Ordering::Relaxed);
        }
    }
}

impl AsFd for Waker {
    /// Readable once the bell was rung, until the waiting thread disarms.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(waker: &Waker) -> bool {
        let mut fds = [PollFd::new(waker, PollFlags::IN)];
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
    fn a_running_thread_is_not_rung() {
        let waker = Waker::new().unwrap();
        waker.wake();
        assert!(!is_readable(&waker));
    }

    #[test]
    fn an_armed_thread_is_rung_once_until_it_disarms() {
        let waker = Waker::new().unwrap();
        waker.arm();
        assert!(!is_readable(&waker));
        waker.wake();
        waker.wake();
        assert!(is_readable(&waker));
        waker.disarm();
        assert!(!is_readable(&waker));
        waker.wake();
        assert!(!is_readable(&waker));
    }

    #[test]
    fn arming_twice_keeps_the_ring() {
        let waker = Waker::new().unwrap();
        waker.arm();
        waker.wake();
        waker.arm();
        assert!(is_readable(&waker));
        waker.disarm();
        assert!(!is_readable(&waker));
    }

    #[test]
    fn a_late_write_is_drained_later() {
        let waker = Waker::new().unwrap();
        waker.arm();
        // The writer announced its ring and was preempted before the write.
        waker.0.state.store(NOTIFIED, Ordering::Relaxed);
        waker.disarm();
        assert_eq!(waker.0.owed.load(Ordering::Relaxed), 1);
        write(&waker.0.event, &1_u64.to_ne_bytes()).unwrap();
        waker.arm();
        assert!(is_readable(&waker));
        waker.disarm();
        assert_eq!(waker.0.owed.load(Ordering::Relaxed), 0);
        assert!(!is_readable(&waker));
    }

    /// The first race of this file's introduction, as often as it takes to see a processor's
    /// store buffers at work: both sides start each round together, and afterwards one of them
    /// must have seen the other.
    #[test]
    fn a_store_does_not_hide_from_both_sides() {
        const ROUNDS: u64 = 50_000;
        let waker = Waker::new().unwrap();
        // Each round has its own flag, so that no side waits for a reset.
        let published: Arc<Vec<AtomicU8>> =
            Arc::new((0..ROUNDS).map(|_| AtomicU8::new(0)).collect());
        let ready = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let meet = |ready: &[AtomicU64; 2], side: usize, step: u64| {
            ready[side].store(step, Ordering::Release);
            let mut looks = 0_u32;
            while ready[1 - side].load(Ordering::Acquire) < step {
                looks += 1;
                if looks.is_multiple_of(500) {
                    std::thread::yield_now();
                }
            }
        };
        let writer = {
            let (waker, published, ready) = (waker.clone(), published.clone(), ready.clone());
            std::thread::spawn(move || {
                for (step, flag) in (0..).step_by(2).zip(published.iter()) {
                    meet(&ready, 0, step + 1);
                    flag.store(1, Ordering::Relaxed);
                    waker.wake();
                    meet(&ready, 0, step + 2);
                }
            })
        };
        let mut missed = 0;
        for (step, flag) in (0..).step_by(2).zip(published.iter()) {
            meet(&ready, 1, step + 1);
            // What the other side sees late, this side has to do late.
            for spin in 0..step % 401 {
                std::hint::black_box(spin);
            }
            waker.arm();
            let found = flag.load(Ordering::Relaxed) == 1;
            meet(&ready, 1, step + 2);
            missed += u64::from(!found && !is_readable(&waker));
            waker.disarm();
        }
        writer.join().unwrap();
        assert_eq!(missed, 0, "frames that nobody would have said a word about");
    }
}
