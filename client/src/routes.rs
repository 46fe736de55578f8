//! Where a client's requests go: to an address that stands for the whole group, or to one member
//! at a time.

use crate::core::Rotation;
use link::LinkError;
use wire::{HostAddress, ReplicaId, Tick};

/// How often a request goes to the member that its caller prefers as well, while another one is
/// asked.
const LOOK_HOME_US: u64 = 100_000;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To an address that stands for all members (239.77.x.y with a root), or to the one server
    /// of an unreplicated service.
    Group(HostAddress),
    /// To one member; with each further try to the next one.
    Members {
        /// Where each listens, by index.
        addresses: Vec<HostAddress>,
        /// The one that is asked first until another one answers, unless a caller prefers
        /// another ([`Client::preferring`](crate::Client::preferring)).
        first: usize,
    },
}

/// Whom one request goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// The member that the caller prefers.
    home: usize,
    rotation: Rotation,
}

/// All addresses, and what was learnt of them. The address of a group is like a single member's.
#[derive(Debug)]
pub(crate) struct Routes {
    addresses: Vec<HostAddress>,
    /// For callers that prefer each of the members: whom they ask now. All of them share it, so
    /// that what one learns of a crash serves the others.
    rotations: Vec<Rotation>,
    /// The member that callers without a preference have asked first.
    first: usize,
    /// By member that is preferred: when it is to be looked at next while another one is asked.
    look_home_at: Vec<Tick>,
}

impl Routes {
    pub(crate) fn new(target: &Target) -> Result<Self, LinkError> {
        let (addresses, first) = match target {
            Target::Group(address) => (vec![*address], 0),
            Target::Members { addresses, first } => (addresses.clone(), *first),
        };
        let members = addresses.len();
        if first >= members {
            return Err(LinkError::Setting {
                what: "the member that a client asks first",
                value: format!("{first} of {members}"),
                valid: "0 up to one less than there are members",
            });
        }
        let rotations = (0..members).map(|home| Rotation::new(members, home));
        let rotations = rotations.collect();
        Ok(Self {
            addresses,
            rotations,
            first,
            look_home_at: vec![Tick::default(); members],
        })
    }

    /// The member that callers without a preference have asked first.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// The way of a request whose caller prefers this member (counted round).
    pub(crate) fn route(&self, prefers: usize) -> Route {
        let home = prefers % self.rotations.len();
        Route {
            home,
            rotation: self.rotations[home],
        }
    }

    /// Where this try of a request goes, counted from 1.
    pub(crate) fn address(&self, route: Route, tries: u32) -> HostAddress {
        self.addresses[route.rotation.member(tries)]
    }

    /// A request on this way was answered. If not by the one that was asked first, others ask who
    /// answered from now on, unless they have learnt better since this request began.
    pub(crate) fn answered(&mut self, route: Route, by: ReplicaId) {
        let known = &mut self.rotations[route.home];
        if usize::from(by.0) != route.rotation.member(1) && *known == route.rotation {
            known.answered(by);
        }
    }

    /// The preferred member and its address, if another one is asked and it is time to see whether
    /// this one answers again: a stall or a lost packet sends callers away from a member that
    /// lives, and one that was down comes back.
    pub(crate) fn look_home(
        &mut self,
        route: Route,
        now: Tick,
    ) -> Option<(ReplicaId, HostAddress)> {
        let is_due = self.look_home_at[route.home] <= now;
        if route.rotation.member(1) == route.home || !is_due {
            return None;
        }
        self.look_home_at[route.home] = now.plus_us(LOOK_HOME_US);
        let home = ReplicaId(u8::try_from(route.home).ok()?);
        Some((home, self.addresses[route.home]))
    }

    /// A member that callers prefer answers again.
    pub(crate) fn is_home(&mut self, home: ReplicaId) {
        self.rotations[usize::from(home.0)].answered(home);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> HostAddress {
        HostAddress {
            ip: [10, 0, 0, last],
            port: 9770,
        }
    }

    fn members(first: usize) -> Target {
        Target::Members {
            addresses: (0..3).map(address).collect(),
            first,
        }
    }

    #[test]
    fn a_group_is_asked_with_every_try_whoever_answers() {
        let mut routes = Routes::new(&Target::Group(address(9))).unwrap();
        for prefers in [routes.first(), 1, 7] {
            let route = routes.route(prefers);
            routes.answered(route, ReplicaId(2));
            assert_eq!(routes.address(route, 1), address(9));
            assert_eq!(routes.address(routes.route(prefers), 2), address(9));
        }
    }

    #[test]
    fn what_one_caller_learns_of_a_crash_serves_those_who_prefer_the_same_member() {
        let mut routes = Routes::new(&members(1)).unwrap();
        let first = routes.first();
        let (here, other) = (routes.route(first), routes.route(2));
        assert_eq!(routes.address(here, 1), address(1));
        assert_eq!(routes.address(here, 2), address(2));
        routes.answered(here, ReplicaId(2));
        assert_eq!(routes.address(routes.route(first), 1), address(2));
        // A request under way goes on round from where it began: it reaches everybody in turn.
        assert_eq!(routes.address(here, 3), address(0));
        assert_eq!(routes.address(other, 1), address(2));
        assert_eq!(routes.address(routes.route(0), 1), address(0));
    }

    #[test]
    fn who_answers_again_is_asked_again_whatever_older_requests_learn() {
        let mut routes = Routes::new(&members(1)).unwrap();
        let first = routes.first();
        let before = routes.route(first);
        assert_eq!(routes.look_home(before, Tick(0)), None, "it is asked");
        routes.answered(before, ReplicaId(2));
        let away = routes.route(first);
        let home = (ReplicaId(1), address(1));
        assert_eq!(routes.look_home(away, Tick(0)), Some(home));
        assert_eq!(routes.look_home(away, Tick(0).plus_us(99_999)), None);
        assert_eq!(routes.look_home(away, Tick(0).plus_us(100_000)), Some(home));
        routes.is_home(ReplicaId(1));
        routes.answered(away, ReplicaId(2));
        assert_eq!(routes.address(routes.route(first), 1), address(1));
        // Silent once more.
        routes.answered(routes.route(first), ReplicaId(0));
        assert_eq!(routes.address(routes.route(first), 1), address(0));
    }

    #[test]
    fn a_first_member_that_there_is_not_is_refused() {
        let error = |target| Routes::new(&target).unwrap_err().to_string();
        assert_eq!(
            error(members(3)),
            "the member that a client asks first is 3 of 3, valid are 0 up to one less than there \
             are members"
        );
        let nobody = Target::Members {
            addresses: Vec::new(),
            first: 0,
        };
        assert!(error(nobody).contains("0 of 0"));
    }
}
