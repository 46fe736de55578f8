//! What a controller does with one switch that it leads, as a value: it asks for one thing, hears
//! the answer, and asks for the next. Pure: no session, no file, no clock.
//!
//! ```text
//! program? ─yes─▶ rules? ─equal──────────────────────────────▶ settled, nothing written
//!    └─no──────────┴─differ─▶ load ─▶ term ─▶ insert, by stages ─▶ read back ─▶ settled
//!                     └─in routes only─▶ modify ────────────────────┘
//! ```
//!
//! A plan that changes while the switch is as it should be ([`Installation::change`]) is followed
//! without a load if nothing has to go: new groups are inserted with a fresh term, routes are
//! modified. That is how a group moves to another root in the time of a few requests.
//!
//! `controller` carries the questions out over a session and a state file, the simulator in virtual
//! time on a switch that is a value; whoever carries them out may stop between any two of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wire::{EpochNumber, GroupId};

use crate::event::{EventKind, InstalledGroup};
use crate::plan::{Difference, Plan, differences, stages};
use crate::rule::{Place, Rule};
use crate::terms::TakenTerm;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Find out whether the switch runs the very program.
    Program,
    /// Read all rules of the switch, and the terms recorded for its groups.
    Rules,
    /// Load the program anew, which takes all rules away and sets all registers to 0.
    Load,
    /// Take a term for these groups, greater than the one observed; have it on disk.
    Term {
        /// The groups.
        groups: Vec<GroupId>,
        /// The greatest term found on the switch.
        observed: EpochNumber,
    },
    /// Insert rules whose places are free, in any order.
    Insert(Vec<Rule>),
    /// Put routes in the places of others.
    Modify(Vec<Rule>),
    /// Read all rules again.
    ReadBack,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Whether the switch runs the program.
    Program(bool),
    /// To [`Ask::Rules`].
    Rules {
        /// The terms recorded for the groups of the switch.
        recorded: BTreeMap<GroupId, TakenTerm>,
        /// The rules on it.
        found: BTreeSet<Rule>,
    },
    /// The program was loaded and works.
    Loaded,
    /// The term, on disk as used.
    Term(TakenTerm),
    /// The rules were inserted, or modified.
    Inserted,
    /// To [`Ask::ReadBack`].
    ReadBack(BTreeSet<Rule>),
}

/// How it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// With this.
    Ask(Ask),
    /// It is over: settled, or what was read back is not what was written.
    Done(Result<Settled, Vec<Difference>>),
}

/// What a switch was found to be, or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The groups of which the switch is the root.
    pub groups: Vec<InstalledGroup>,
    /// False if nothing was written.
    pub installed: bool,
}

/// One comparison, and the installation that follows from it if there is a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installation {
    observed: EpochNumber,
    /// What the switch has and keeps; empty once the program is loaded anew.
    kept: BTreeSet<Rule>,
    desired: BTreeSet<Rule>,
    to_write: VecDeque<Ask>,
}

impl Installation {
    /// One that has not begun, and its first question.
    pub fn begin() -> (Self, Ask) {
        (Self::default(), Ask::Program)
    }

    /// A new plan for a switch that has exactly `rules`, and the first question.
    pub fn change(
        plan: &Plan,
        rules: BTreeSet<Rule>,
        tell: &mut dyn FnMut(EventKind),
    ) -> (Self, Next) {
        let mut installation = Self {
            observed: greatest_term(&rules),
            kept: rules,
            ..Self::default()
        };
        let groups = plan.groups_missing_in(&installation.kept);
        let observed = installation.observed;
        let next = if installation.is_to_go(plan) {
            Next::Ask(Ask::Load)
        } else if groups.is_empty() {
            installation.write(plan, None, tell)
        } else {
            Next::Ask(Ask::Term { groups, observed })
        };
        (installation, next)
    }

    /// Whether the switch has something that is not in the plan, or not so, and is no route.
    fn is_to_go(&self, plan: &Plan) -> bool {
        let any = TakenTerm {
            term: EpochNumber::ZERO,
            taken_us: 0,
        };
        let desired = plan.rules_beside(&self.kept, Some(any)).unwrap_or_default();
        let differing = differences(&desired, &self.kept);
        !differing
            .iter()
            .all(|it| it.found.is_none() || is_route(it, &desired))
    }

    /// What the switch has when all is done.
    pub fn rules(&self) -> &BTreeSet<Rule> {
        &self.desired
    }

    /// The groups that the switch has when all is done.
    pub fn groups(&self) -> Vec<InstalledGroup> {
        groups_of(&self.desired)
    }

    /// Takes the answer to the last question in. What happened is told by way of `tell`.
    pub fn answer(&mut self, plan: &Plan, answer: Answer, tell: &mut dyn FnMut(EventKind)) -> Next {
        match answer {
            Answer::Program(true) => Next::Ask(Ask::Rules),
            Answer::Program(false) => {
                tell(EventKind::OtherProgram);
                Next::Ask(Ask::Load)
            }
            Answer::Rules { recorded, found } => {
                self.observed = greatest_term(&found);
                let desired = desired(plan, &recorded);
                let differences = differences(&desired, &found);
                if differences.is_empty() {
                    self.desired = desired;
                    return Next::Done(Ok(settled(&self.desired, false)));
                }
                let only_routes = differences.iter().all(|it| is_route(it, &desired));
                tell(EventKind::Differs { differences });
                if !only_routes {
                    return Next::Ask(Ask::Load);
                }
                self.kept = found;
                self.write(plan, None, tell)
            }
            Answer::Loaded => {
                self.kept.clear();
                let groups: Vec<GroupId> = plan.groups().collect();
                if groups.is_empty() {
                    return self.write(plan, None, tell);
                }
                Next::Ask(Ask::Term {
                    groups,
                    observed: self.observed,
                })
            }
            Answer::Term(taken) => self.write(plan, Some(taken), tell),
            Answer::Inserted => self.write_next(tell),
            Answer::ReadBack(found) => {
                let differences = differences(&self.desired, &found);
                if differences.is_empty() {
                    return Next::Done(Ok(settled(&self.desired, true)));
                }
                tell(EventKind::Differs {
                    differences: differences.clone(),
                });
                Next::Done(Err(differences))
            }
        }
    }

    fn write(
        &mut self,
        plan: &Plan,
        taken: Option<TakenTerm>,
        tell: &mut dyn FnMut(EventKind),
    ) -> Next {
        self.desired = plan.rules_beside(&self.kept, taken).unwrap_or_default();
        let places: BTreeSet<Place> = self.kept.iter().map(Rule::place).collect();
        let missing = self.desired.difference(&self.kept).cloned();
        let is_changed = |rule: &Rule| places.contains(&rule.place());
        let (changed, new): (BTreeSet<Rule>, BTreeSet<Rule>) = missing.partition(is_changed);
        let changed: Vec<Rule> = changed.into_iter().collect();
        self.to_write = stages(&new).into_iter().map(Ask::Insert).collect();
        if !changed.is_empty() {
            self.to_write.push_back(Ask::Modify(changed));
        }
        self.write_next(tell)
    }

    fn write_next(&mut self, tell: &mut dyn FnMut(EventKind)) -> Next {
        if let Some(ask) = self.to_write.pop_front() {
            return Next::Ask(ask);
        }
        tell(EventKind::Installed {
            term: groups_of(&self.desired).first().map(|group| group.term),
            rules: self.desired.len(),
        });
        Next::Ask(Ask::ReadBack)
    }
}

/// The rules that should be there. A group without a recorded term counts as one with term 0, which
/// no switch has.
fn desired(plan: &Plan, recorded: &BTreeMap<GroupId, TakenTerm>) -> BTreeSet<Rule> {
    let never = TakenTerm {
        term: EpochNumber::ZERO,
        taken_us: 0,
    };
    let term = |group| (group, recorded.get(&group).copied().unwrap_or(never));
    let terms: BTreeMap<_, _> = plan.groups().map(term).collect();
    plan.rules(&terms).unwrap_or_default()
}

/// Whether a difference is a route that goes elsewhere.
fn is_route(difference: &Difference, desired: &BTreeSet<Rule>) -> bool {
    let is_it =
        |rule: &Rule| matches!(rule, Rule::Route { .. }) && rule.place() == difference.place;
    difference.found.is_some() && desired.iter().any(is_it)
}

fn settled(rules: &BTreeSet<Rule>, installed: bool) -> Settled {
    Settled {
        groups: groups_of(rules),
        installed,
    }
}

fn groups_of(rules: &BTreeSet<Rule>) -> Vec<InstalledGroup> {
    let groups = rules.iter().filter_map(|rule| match rule {
        Rule::Group(rule) => Some(InstalledGroup {
            group: rule.group,
            term: rule.term,
            round_base: rule.round_base,
        }),
        _ => None,
    });
    groups.collect()
}

fn greatest_term(rules: &BTreeSet<Rule>) -> EpochNumber {
    let terms = groups_of(rules).into_iter().map(|group| group.term);
    terms.max().unwrap_or(EpochNumber::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Group, Topology};

    fn plan() -> Plan {
        let mut topology = Topology::single(3).expect("three hosts");
        topology
            .add_group(Group::of_hosts(1, ["h1", "h2"]))
            .expect("group 1");
        Plan::new(&topology, "s1").expect("a plan")
    }

    fn taken(term: u32) -> TakenTerm {
        TakenTerm {
            term: EpochNumber(term),
            taken_us: 1_000,
        }
    }

    /// Plays a switch that is `found` at first and takes what is written.
    fn play(found: &BTreeSet<Rule>, recorded: u32, next_term: u32) -> (Settled, Vec<Ask>) {
        let plan = plan();
        let mut written = BTreeSet::new();
        let mut asked = Vec::new();
        let (mut installation, mut ask) = Installation::begin();
        loop {
            asked.push(ask.clone());
            let answer = match ask {
                Ask::Program => Answer::Program(!found.is_empty()),
                Ask::Rules => Answer::Rules {
                    recorded: BTreeMap::from([(GroupId(1), taken(recorded))]),
                    found: found.clone(),
                },
                Ask::Load => Answer::Loaded,
                Ask::Term { .. } => Answer::Term(taken(next_term)),
                Ask::Insert(rules) => {
                    written.extend(rules);
                    Answer::Inserted
                }
                Ask::Modify(rules) => panic!("nothing to modify: {rules:?}"),
                Ask::ReadBack => Answer::ReadBack(written.clone()),
            };
            match installation.answer(&plan, answer, &mut |_| {}) {
                Next::Ask(next) => ask = next,
                Next::Done(done) => return (done.expect("no difference"), asked),
            }
        }
    }

    #[test]
    fn an_empty_switch_gets_everything_and_its_groups_last() {
        let (settled, asked) = play(&BTreeSet::new(), 0, 9);
        assert!(settled.installed);
        assert_eq!(settled.groups[0].term, EpochNumber(9));
        assert_eq!(asked[..2], [Ask::Program, Ask::Load]);
        assert!(matches!(asked[2], Ask::Term { .. }));
        let Some([Ask::Insert(last), Ask::ReadBack]) = asked.last_chunk() else {
            panic!("{asked:?}");
        };
        assert!(last.iter().all(|rule| matches!(rule, Rule::Group(_))));
    }

    #[test]
    fn a_switch_as_it_should_be_is_left_alone() {
        let terms = BTreeMap::from([(GroupId(1), taken(7))]);
        let rules = plan().rules(&terms).expect("a term for the group");
        let (settled, asked) = play(&rules, 7, 9);
        assert!(!settled.installed);
        assert_eq!(asked, [Ask::Program, Ask::Rules]);
    }

    #[test]
    fn a_term_that_nobody_recorded_is_replaced_by_a_greater_one() {
        let terms = BTreeMap::from([(GroupId(1), taken(7))]);
        let rules = plan().rules(&terms).expect("a term for the group");
        let (settled, asked) = play(&rules, 6, 9);
        assert!(settled.installed);
        assert!(asked.iter().any(|ask| matches!(
            ask,
            Ask::Term {
                observed: EpochNumber(7),
                ..
            }
        )));
    }

    #[test]
    fn what_is_read_back_must_be_what_was_written() {
        let plan = plan();
        let (mut installation, _) = Installation::begin();
        installation.answer(&plan, Answer::Term(taken(3)), &mut |_| {});
        let next = installation.answer(&plan, Answer::ReadBack(BTreeSet::new()), &mut |_| {});
        assert!(matches!(next, Next::Done(Err(differences)) if !differences.is_empty()));
    }

    fn roots() -> (Plan, Plan, Plan, Plan) {
        use crate::placement::{Failover, News, Placement};
        let mut topology = Topology::dual_root(3).expect("three hosts");
        topology
            .add_group(Group::of_hosts(1, ["h1", "h2"]))
            .expect("group 1");
        let mut failover = Failover::new(&topology, Placement::preferred(&topology));
        let from = failover
            .placement()
            .seat(GroupId(1))
            .expect("it")
            .root
            .clone();
        let to = if from == "s2" { "s3" } else { "s2" };
        let plan = |switch: &str, failover: &Failover| {
            Plan::placed(&topology, switch, failover.placement()).expect("a plan")
        };
        let (standby, leaf) = (plan(to, &failover), plan("s1", &failover));
        failover.on_news(to, &News::Ready(vec![]));
        failover.on_news(&from, &News::Lost);
        failover.on_news(to, &News::Written(vec![GroupId(1)]));
        (standby, plan(to, &failover), leaf, plan("s1", &failover))
    }

    #[test]
    fn a_group_that_moves_is_inserted_with_a_fresh_term_and_nothing_is_loaded() {
        let (before, after, _, _) = roots();
        let has = before.rules(&BTreeMap::new()).expect("no groups");
        let (mut installation, next) = Installation::change(&after, has.clone(), &mut |_| {});
        assert!(matches!(next, Next::Ask(Ask::Term { .. })), "{next:?}");
        let next = installation.answer(&after, Answer::Term(taken(5)), &mut |_| {});
        let Next::Ask(Ask::Insert(rules)) = next else {
            panic!("{next:?}");
        };
        assert!(matches!(&rules[..], [Rule::Group(rule)] if rule.term.0 == 5));
        let next = installation.answer(&after, Answer::Inserted, &mut |_| {});
        assert_eq!(next, Next::Ask(Ask::ReadBack));
        let read = has.into_iter().chain(rules).collect();
        let next = installation.answer(&after, Answer::ReadBack(read), &mut |_| {});
        assert!(matches!(next, Next::Done(Ok(settled)) if settled.groups.len() == 1));
        // Going back takes something away, which only a load does: no term survives it.
        let has = installation.rules().clone();
        let (_, next) = Installation::change(&before, has, &mut |_| {});
        assert_eq!(next, Next::Ask(Ask::Load));
    }

    #[test]
    fn a_route_that_leads_elsewhere_is_modified_also_when_found_so() {
        let (_, _, before, after) = roots();
        let has = before.rules(&BTreeMap::new()).expect("no groups");
        let (_, next) = Installation::change(&after, has.clone(), &mut |_| {});
        let is_one_route = |next: &Next| match next {
            Next::Ask(Ask::Modify(rules)) => matches!(rules[..], [Rule::Route { .. }]),
            _ => false,
        };
        assert!(is_one_route(&next), "{next:?}");
        let (mut installation, _) = Installation::begin();
        let found = Answer::Rules {
            recorded: BTreeMap::new(),
            found: has,
        };
        let next = installation.answer(&after, found, &mut |_| {});
        assert!(is_one_route(&next), "{next:?}");
    }
}
