//! Everything that a replica keeps has a bound: a slow replica or client never grows another's
//! memory without end. Which bounds there are, a protocol says itself (`Member::bounds`).

use super::{Invariant, Sight};
use crate::world::Member;
use wire::ReplicaId;

/// Bounds may cost time linear in the log, so they are looked at once in so many steps.
const EVERY: u64 = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BoundedMemory {
    steps: u64,
}

fn check(replica: ReplicaId, member: &dyn Member) -> Result<(), String> {
    match member
        .bounds()
        .iter()
        .find(|bounded| bounded.value > bounded.bound)
    {
        None => Ok(()),
        Some(over) => Err(format!(
            "replica {replica} has {} {}, the bound is {}",
            over.value, over.name, over.bound
        )),
    }
}

impl Invariant for BoundedMemory {
    fn name(&self) -> &'static str {
        "bounded_memory"
    }

    fn paper(&self) -> &'static str {
        "ours, beside NSDI'15 section 4.3: synchronization lets logs be truncated"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Step(step) => {
                self.steps += 1;
                if self.steps.is_multiple_of(EVERY) {
                    check(step.replica, step.member)?;
                }
                Ok(())
            }
            Sight::End(end) => {
                let mut members = end.members.iter();
                members.try_for_each(|(replica, member)| check(*replica, *member))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FakeLog, ended, step};
    use super::*;
    use crate::world::Bounded;

    fn swollen() -> FakeLog {
        let mut log = FakeLog::of(&["a"]);
        log.bounds = vec![Bounded {
            name: "deferred requests",
            value: 11,
            bound: 10,
        }];
        log
    }

    #[test]
    fn what_is_over_its_bound_is_named() {
        let mut invariant = BoundedMemory::default();
        ended(&[&swollen()], |end| {
            let seen = invariant.see(end).unwrap_err();
            assert_eq!(seen, "replica 0 has 11 deferred requests, the bound is 10");
        });
    }

    #[test]
    fn it_is_noticed_within_some_steps() {
        let mut invariant = BoundedMemory::default();
        let log = swollen();
        let found = (0..EVERY).any(|_| invariant.see(&step(0, &log)).is_err());
        assert!(found);
    }
}
