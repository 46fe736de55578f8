//! What members hear of their root, for the controller: a root may answer its controller and stamp
//! nothing, because the wire to it is cut or because it is broken.
//!
//! By synchronous rounds every member sends a packet at least every 20 ms and gets it back stamped,
//! so a member whose newest closed round stands still for long hears no root. The controller asks
//! the members on their control sockets. When f+1 of them hear nothing, the root is left for
//! another one, but never faster than members follow: before the next term, f+1 of them must have
//! installed the last one, or a time must have passed that doubles with each term. One member that
//! is deaf can hence do nothing, and a group in which a majority is deaf raises a term now and then.
//!
//! Not for Speculative Paxos: an idle group sends nothing, and a member cannot tell that from a
//! root that is silent.

use super::{ControllerState, RoleError, replica_name};
use crate::deployment::{Deployment, GROUP};
use crate::status;
use link::StopFlag;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use wire::GroupId;

/// How often members are asked.
const EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// A member that hears nothing for so long is deaf: 25 of its packets did not come back.
const DEAF: Duration = Duration::from_millis(500);
/// How long a term is given at first if members do not install it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// And at most.
const LONGEST_WAIT: Duration = Duration::from_secs(32);

/// What a member said last.
#[derive(Clone, Debug)]
struct Member {
    /// The newest closed round that it knows of.
    closed: u64,
    /// The root's term in which it votes.
    term: u32,
    /// Whether it votes at all.
    is_normal: bool,
    /// When `closed` was seen to grow.
    heard: Instant,
}

/// Decides from what members say when a root is to be left. Knows no clock and no socket.
#[derive(Debug)]
struct Listener {
    members: Vec<Option<Member>>,
    /// The term that was last seen installed at a root, and since when.
    term: Option<(u32, Instant)>,
    wait: Duration,
}

impl Listener {
    fn new(members: usize) -> Self {
        Self {
            members: vec![None; members],
            term: None,
            wait: FIRST_WAIT,
        }
    }

    /// Takes in what a member says; one that says nothing is not counted.
    fn hear(&mut self, index: usize, said: &Value, now: Instant) {
        let before = self.members[index].take();
        let Some(closed) = said["rounds"]["closed"].as_u64() else {
            return;
        };
        let epoch = said["epoch"]
            .as_str()
            .and_then(|epoch| epoch.split_once('.'));
        let term = epoch.and_then(|(term, _)| term.parse().ok()).unwrap_or(0);
        let heard = match before {
            Some(before) if before.closed == closed => before.heard,
            _ => now,
        };
        self.members[index] = Some(Member {
            closed,
            term,
            is_normal: said["state"] == "normal",
            heard,
        });
    }

    /// Whether the root that has this term is to be left now.
    fn is_silent(&mut self, term: u32, now: Instant) -> bool {
        let since = match self.term {
            Some((known, since)) if known == term => since,
            _ => {
                self.term = Some((term, now));
                now
            }
        };
        let majority = self.members.len() / 2 + 1;
        let count = |is: &dyn Fn(&Member) -> bool| {
            let members = self.members.iter().flatten();
            members.filter(|member| is(member)).count()
        };
        let installed = count(&|it| it.is_normal && it.term >= term) >= majority;
        let deaf = count(&|it| it.is_normal && now.duration_since(it.heard) >= DEAF) >= majority;
        if installed && !deaf {
            self.wait = FIRST_WAIT;
        }
        let held = now.duration_since(since);
        let may = held >= self.wait || (installed && held >= DEAF);
        if !(deaf && may) {
            return false;
        }
        if !installed {
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
        // Said once; the next time is counted from here, or from the next term.
        self.term = Some((term, now));
        true
    }
}

/// Listens to members on a thread of its own until `stop`.
pub(super) fn listen(
    deployment: &Deployment,
    state: ControllerState,
    silent: UnboundedSender<(GroupId, String)>,
    stop: StopFlag,
) -> Result<(), RoleError> {
    let sockets: Vec<_> = (0..deployment.replicas)
        .map(|index| deployment.socket(&replica_name(index)))
        .collect();
    let work = move || {
        let mut listener = Listener::new(sockets.len());
        while !stop.is_raised() {
            // A signal may end the wait early; then members are asked a little earlier.
            let _ = poll(
                &mut [PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN)],
                Some(&EVERY),
            );
            for (index, socket) in sockets.iter().enumerate() {
                listener.hear(index, &status::ask(socket), Instant::now());
            }
            let Some((root, term)) = state.root() else {
                continue;
            };
            let told = listener.is_silent(term, Instant::now())
                && silent.send((GroupId(GROUP.into()), root)).is_err();
            if told {
                return;
            }
        }
    };
    thread::Builder::new().name("members".into()).spawn(work)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MS: Duration = Duration::from_millis(1);

    fn says(listener: &mut Listener, index: usize, (closed, term): (u64, u32), now: Instant) {
        let said = json!({
            "state": "normal",
            "epoch": format!("{term}.0"),
            "rounds": { "closed": closed },
        });
        listener.hear(index, &said, now);
    }

    /// All members say the same every 100 ms from `from` on; returns when the root is left.
    fn left_after(
        listener: &mut Listener,
        says_of: &[(u64, u32)],
        term: u32,
        from: Instant,
    ) -> Option<u128> {
        (0..400_u32).map(|step| step * 100).find_map(|at| {
            let now = from + MS * at;
            for (index, what) in says_of.iter().enumerate() {
                says(listener, index, *what, now);
            }
            listener.is_silent(term, now).then_some(u128::from(at))
        })
    }

    #[test]
    fn a_majority_that_hears_nothing_leaves_its_root() {
        let begin = Instant::now();
        let mut listener = Listener::new(3);
        let left = left_after(&mut listener, &[(5, 7), (5, 7), (5, 7)], 7, begin);
        assert_eq!(left, Some(500));
    }

    #[test]
    fn one_deaf_member_raises_nothing() {
        let begin = Instant::now();
        let mut listener = Listener::new(3);
        for step in 0..100 {
            let now = begin + MS * 100 * step;
            says(&mut listener, 0, (5, 7), now);
            for index in 1..3 {
                says(&mut listener, index, (u64::from(step), 7), now);
            }
            assert!(!listener.is_silent(7, now), "step {step}");
        }
    }

    #[test]
    fn members_that_cannot_follow_are_given_longer_and_longer() {
        let begin = Instant::now();
        let mut listener = Listener::new(3);
        let stuck = [(5, 7), (5, 7), (5, 7)];
        let mut from = begin;
        let mut waits = Vec::new();
        // The new roots' terms 8, 9, … are never heard of.
        for term in 8..12 {
            let after = left_after(&mut listener, &stuck, term, from).expect("some time");
            waits.push(after);
            from += MS * u32::try_from(after).expect("short") + MS * 100;
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000]);
    }

    #[test]
    fn members_that_do_not_vote_say_nothing_of_the_root() {
        let begin = Instant::now();
        let mut listener = Listener::new(3);
        for step in 0..100 {
            let now = begin + MS * 100 * step;
            let said = json!({
                "state": "reconciling", "epoch": "7.1", "rounds": { "closed": 5 },
            });
            for index in 0..3 {
                listener.hear(index, &said, now);
            }
            assert!(!listener.is_silent(7, now));
        }
    }
}
