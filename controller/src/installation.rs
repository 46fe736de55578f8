//! What a controller does with one switch that it leads, as a value: it asks for one thing, hears
//! the answer, and asks for the next. Pure: no session, no file, no clock.
//!
//! ```text
//! program? ─yes─▶ rules? ─equal──────────────────────────────▶ settled, nothing written
//!    └─no──────────┴─differ─▶ load ─▶ term ─▶ insert, by stages ─▶ read back ─▶ settled
//! ```
//!
//! `controller` carries the questions out over a session and a state file, the simulator in virtual
//! time on a switch that is a value; whoever carries them out may stop between any two of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wire::{EpochNumber, GroupId};

use crate::event::{EventKind, InstalledGroup};
use crate::plan::{Difference, Plan, differences, stages};
use crate::rule::Rule;
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
    /// The rules were inserted.
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
    desired: BTreeSet<Rule>,
    to_insert: VecDeque<Vec<Rule>>,
}

impl Installation {
    /// One that has not begun, and its first question.
    pub fn begin() -> (Self, Ask) {
        (Self::default(), Ask::Program)
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
                match compare(plan, &recorded, &found) {
                    Ok(desired) => Next::Done(Ok(settled(&desired, false))),
                    Err(differences) => {
                        tell(EventKind::Differs { differences });
                        Next::Ask(Ask::Load)
                    }
                }
            }
            Answer::Loaded => {
                let groups: Vec<GroupId> = plan.groups().collect();
                if groups.is_empty() {
                    return self.write(plan, &BTreeMap::new(), tell);
                }
                Next::Ask(Ask::Term {
                    groups,
                    observed: self.observed,
                })
            }
            Answer::Term(taken) => {
                let terms = plan.groups().map(|group| (group, taken)).collect();
                self.write(plan, &terms, tell)
            }
            Answer::Inserted => self.insert_next(tell),
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
        terms: &BTreeMap<GroupId, TakenTerm>,
        tell: &mut dyn FnMut(EventKind),
    ) -> Next {
        self.desired = plan.rules(terms).unwrap_or_default();
        self.to_insert = stages(&self.desired).into();
        self.insert_next(tell)
    }

    fn insert_next(&mut self, tell: &mut dyn FnMut(EventKind)) -> Next {
        if let Some(stage) = self.to_insert.pop_front() {
            return Next::Ask(Ask::Insert(stage));
        }
        tell(EventKind::Installed {
            term: groups_of(&self.desired).first().map(|group| group.term),
            rules: self.desired.len(),
        });
        Next::Ask(Ask::ReadBack)
    }
}

/// The rules that should be there if they are there, else all differences. A group without a
/// recorded term counts as one with term 0, which no switch has.
fn compare(
    plan: &Plan,
    recorded: &BTreeMap<GroupId, TakenTerm>,
    found: &BTreeSet<Rule>,
) -> Result<BTreeSet<Rule>, Vec<Difference>> {
    let never = TakenTerm {
        term: EpochNumber::ZERO,
        taken_us: 0,
    };
    let term = |group| (group, recorded.get(&group).copied().unwrap_or(never));
    let terms: BTreeMap<_, _> = plan.groups().map(term).collect();
    let desired = plan.rules(&terms).unwrap_or_default();
    let differences = differences(&desired, found);
    if differences.is_empty() {
        Ok(desired)
    } else {
        Err(differences)
    }
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
}
