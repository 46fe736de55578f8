//! What members hear of their root, for the controller: a root may answer its controller and stamp
//! nothing, because the wire to it is cut or because it is broken.
//!
//! By synchronous rounds every member sends a packet at least every 20 ms and gets it back stamped,
//! so a member whose newest closed round stands still for long hears no root. The controller asks
//! all replicas on their control sockets. When f+1 of the members hear nothing, the root is left for
//! another one, but never faster than members follow: before the next term, f+1 of them must have
//! installed the last one, or a time must have passed that doubles with each term. One member that
//! is deaf can hence do nothing, and a group in which a majority is deaf raises a term now and then.
//!
//! Members change. Each replica tells who votes in the epoch that it has installed, and those of the
//! newest epoch that anybody has told of are counted: not who left, nor a spare that never came in.
//! A change that is decided and whose epoch has not begun changes nothing here, for until then
//! the old members are those who hear the root or do not.
//!
//! Not for Speculative Paxos: an idle group sends nothing, and a member cannot tell that from a
//! root that is silent.

use super::{ControllerState, RoleError, replica_name};
use crate::deployment::{Deployment, GROUP};
use crate::status;
use link::StopFlag;
use replica::Quorum;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use wire::{GroupId, Members, RoundsEpoch, ViewNumber};

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

/// What a replica said last.
#[derive(Clone, Debug)]
struct Heard {
    /// The newest closed round that it knows of.
    closed: u64,
    /// The root's term of the epoch that it has installed.
    term: u32,
    /// Whether it votes at all.
    is_normal: bool,
    /// When `closed` was seen to grow.
    at: Instant,
}

/// Decides from what replicas say when a root is to be left. Knows no clock and no socket.
#[derive(Debug)]
struct Listener {
    /// By replica, members or not.
    replicas: Vec<Option<Heard>>,
    /// The newest epoch that any of them has told of, and who votes in it.
    newest: (RoundsEpoch, Members),
    /// The term that was last seen installed at a root, and since when.
    term: Option<(u32, Instant)>,
    wait: Duration,
}

impl Listener {
    /// Of so many replicas, with these members at first.
    fn new(replicas: usize, members: Members) -> Self {
        Self {
            replicas: vec![None; replicas],
            newest: (RoundsEpoch::default(), members),
            term: None,
            wait: FIRST_WAIT,
        }
    }

    /// Takes in what a replica says; one that says nothing is not counted.
    fn hear(&mut self, index: usize, said: &Value, now: Instant) {
        let before = self.replicas[index].take();
        let (Some(closed), Some(view)) = (said["rounds"]["closed"].as_u64(), said["view"].as_u64())
        else {
            return;
        };
        let epoch = RoundsEpoch::from_view(ViewNumber(view));
        if let Some(members) = status::members_in(&said["rounds"]["members"])
            && epoch > self.newest.0
        {
            self.newest = (epoch, members);
        }
        let at = match before {
            Some(before) if before.closed == closed => before.at,
            _ => now,
        };
        self.replicas[index] = Some(Heard {
            closed,
            term: epoch.term.0,
            is_normal: said["state"] == "normal",
            at,
        });
    }

    /// How many members are well and are so.
    fn count(&self, is: impl Fn(&Heard) -> bool) -> usize {
        let members = self.newest.1.iter();
        let heard = members.filter_map(|id| self.replicas.get(usize::from(id.0))?.as_ref());
        heard.filter(|heard| heard.is_normal && is(heard)).count()
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
        let majority = Quorum::of_members(self.newest.1).majority();
        let installed = self.count(|heard| heard.term >= term) >= majority;
        let deaf = self.count(|heard| now.duration_since(heard.at) >= DEAF) >= majority;
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

/// Listens to all replicas on a thread of its own until `stop`.
pub(super) fn listen(
    deployment: &Deployment,
    state: ControllerState,
    silent: UnboundedSender<(GroupId, String)>,
    stop: StopFlag,
) -> Result<(), RoleError> {
    let sockets: Vec<_> = (0..deployment.replicas)
        .map(|index| deployment.socket(&replica_name(index)))
        .collect();
    let first = Members::first(deployment.quorum().n());
    let work = move || {
        let mut listener = Listener::new(sockets.len(), first);
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

    const FIRST: &[u8] = &[0, 1, 2];

    /// A replica in an epoch of the term whose members are `of`.
    fn says_of(
        listener: &mut Listener,
        (index, of): (usize, &[u8]),
        (closed, term): (u64, u64),
        now: Instant,
    ) {
        let said = json!({
            "state": "normal",
            "view": term << 32,
            "rounds": { "closed": closed, "members": of },
        });
        listener.hear(index, &said, now);
    }

    fn says(listener: &mut Listener, index: usize, what: (u64, u64), now: Instant) {
        says_of(listener, (index, FIRST), what, now);
    }

    /// These replicas, and nobody else, say the same every 100 ms from `from` on; returns when the
    /// root of `term` is left.
    fn left_after(
        listener: &mut Listener,
        saying: &[(usize, &[u8], (u64, u64))],
        term: u32,
        from: Instant,
    ) -> Option<u128> {
        (0..400_u32).map(|step| step * 100).find_map(|at| {
            let now = from + MS * at;
            for (index, members, what) in saying {
                says_of(listener, (*index, members), *what, now);
            }
            listener.is_silent(term, now).then_some(u128::from(at))
        })
    }

    fn of_three() -> Listener {
        Listener::new(3, Members::first(3))
    }

    #[test]
    fn a_majority_that_hears_nothing_leaves_its_root() {
        let begin = Instant::now();
        let all = [0, 1, 2].map(|index| (index, FIRST, (5, 7)));
        assert_eq!(left_after(&mut of_three(), &all, 7, begin), Some(500));
        assert_eq!(left_after(&mut of_three(), &all[1..], 7, begin), Some(500));
        assert_eq!(left_after(&mut of_three(), &all[2..], 7, begin), None);
    }

    /// Five replicas, three members: two of those are a majority, and three of five is not asked.
    #[test]
    fn spares_that_never_came_in_raise_no_quorum() {
        let begin = Instant::now();
        let mut listener = Listener::new(5, Members::first(3));
        let two = [1, 2].map(|index| (index, FIRST, (5, 7)));
        assert_eq!(left_after(&mut listener, &two, 7, begin), Some(500));
    }

    #[test]
    fn the_newest_members_are_counted_whoever_the_first_were() {
        let begin = Instant::now();
        let mut listener = Listener::new(5, Members::first(3));
        let two = [3, 4].map(|index| (index, &[0, 3, 4][..], (5, 7)));
        assert_eq!(left_after(&mut listener, &two, 7, begin), Some(500));
        // Four need three.
        let mut listener = Listener::new(5, Members::first(3));
        let saying = [0, 3, 4].map(|index| (index, &[0, 1, 3, 4][..], (5, 7)));
        assert_eq!(left_after(&mut listener, &saying[1..], 7, begin), None);
        assert_eq!(left_after(&mut listener, &saying, 7, begin), Some(500));
    }

    /// Who was a member before, and thinks that it is, may be deaf as long as it likes; also when
    /// those who know better cannot be asked just now.
    #[test]
    fn who_left_is_not_counted_any_more() {
        let begin = Instant::now();
        let mut listener = Listener::new(5, Members::first(3));
        for step in 0..100 {
            let now = begin + MS * 100 * step;
            for left in [1, 2] {
                says(&mut listener, left, (5, 6), now);
            }
            for member in [0, 3, 4] {
                let closed = u64::from(step);
                says_of(&mut listener, (member, &[0, 3, 4]), (closed, 7), now);
            }
            assert!(!listener.is_silent(7, now), "step {step}");
        }
        let from = begin + MS * 10_000;
        for member in [0, 3, 4] {
            listener.hear(member, &json!({ "state": "unreachable" }), from);
        }
        let old = [1, 2].map(|index| (index, FIRST, (5, 6)));
        assert_eq!(left_after(&mut listener, &old, 7, from), None);
    }

    #[test]
    fn one_deaf_member_raises_nothing() {
        let begin = Instant::now();
        let mut listener = of_three();
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
        let mut listener = of_three();
        let stuck = [0, 1, 2].map(|index| (index, FIRST, (5, 7)));
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
        let mut listener = of_three();
        for step in 0..100 {
            let now = begin + MS * 100 * step;
            let said = json!({
                "state": "reconciling",
                "view": 7_u64 << 32,
                "rounds": { "closed": 5, "members": FIRST },
            });
            for index in 0..3 {
                listener.hear(index, &said, now);
            }
            assert!(!listener.is_silent(7, now));
        }
    }
}
