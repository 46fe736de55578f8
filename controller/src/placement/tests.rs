//! Groups that move, in which order, and those that stay.

use super::*;
use crate::topology::Group;
use proptest::prelude::*;

const KV: GroupId = GroupId(1);

fn topology(groups: u16) -> Topology {
    let mut topology = Topology::dual_root(3).expect("three hosts");
    for id in 1..=groups {
        let group = Group::of_hosts(id, ["h1", "h2", "h3"]);
        topology.add_group(group).expect("a group");
    }
    topology
}

/// Both roots ready; the active one's name first.
fn ready() -> (Failover, String, String) {
    let topology = topology(1);
    let roots = topology.roots_of(&topology.groups[0]);
    let [active, other] = [roots[0].name.clone(), roots[1].name.clone()];
    let mut failover = Failover::new(&topology, Placement::preferred(&topology));
    assert_eq!(failover.on_news(&active, &News::Ready(vec![KV])), []);
    assert_eq!(failover.on_news(&other, &News::Ready(vec![])), []);
    (failover, active, other)
}

fn seat(failover: &Failover) -> (&str, &str) {
    let seat = failover.placement().seat(KV).expect("the group");
    (&seat.root, &seat.routed_to)
}

#[test]
fn groups_spread_over_the_roots_and_keep_their_order() {
    let topology = topology(200);
    let firsts = |name: &str| {
        let is_first = |group: &&Group| topology.root_of(group).expect("a root").name == name;
        topology.groups.iter().filter(is_first).count()
    };
    assert_eq!(firsts("s2") + firsts("s3"), 200);
    assert!((70..=130).contains(&firsts("s2")), "{}", firsts("s2"));
}

#[test]
fn packets_follow_only_when_the_group_is_written() {
    let (mut failover, active, other) = ready();
    let moves = failover.on_news(&active, &News::Lost);
    assert!(moves.len() == 1 && !moves[0].done, "{moves:?}");
    assert_eq!(seat(&failover), (other.as_str(), active.as_str()));
    let moves = failover.on_news(&other, &News::Written(vec![KV]));
    assert!(moves.len() == 1 && moves[0].done, "{moves:?}");
    assert_eq!(seat(&failover), (other.as_str(), other.as_str()));
}

#[test]
fn a_root_that_returns_gets_nothing_back() {
    let (mut failover, active, other) = ready();
    failover.on_news(&active, &News::Lost);
    failover.on_news(&other, &News::Written(vec![KV]));
    assert_eq!(failover.on_news(&other, &News::Ready(vec![KV])), []);
    assert_eq!(failover.on_news(&active, &News::Ready(vec![])), []);
    assert_eq!(seat(&failover), (other.as_str(), other.as_str()));
    failover.on_news(&other, &News::Lost);
    assert_eq!(seat(&failover).0, active);
}

#[test]
fn nothing_moves_to_a_root_that_is_not_ready() {
    let (mut failover, active, other) = ready();
    failover.on_news(&other, &News::Lost);
    assert_eq!(failover.on_news(&active, &News::Lost), []);
    assert_eq!(seat(&failover), (active.as_str(), active.as_str()));
    // Whoever is ready first has it.
    let moves = failover.on_news(&other, &News::Ready(vec![]));
    assert_eq!(moves.len(), 1);
    assert_eq!(seat(&failover), (other.as_str(), active.as_str()));
}

#[test]
fn a_controller_that_restarts_finds_groups_where_they_are() {
    let topology = topology(1);
    let roots = topology.roots_of(&topology.groups[0]);
    let recorded = BTreeMap::from([(KV, roots[1].name.clone())]);
    let placement = Placement::recorded(&topology, &recorded);
    assert_eq!(placement.seat(KV).expect("it").root, roots[1].name);
    let gone = BTreeMap::from([(KV, "s9".to_owned())]);
    let placement = Placement::recorded(&topology, &gone);
    assert_eq!(placement.seat(KV).expect("it").root, roots[0].name);
}

#[test]
fn a_root_that_members_do_not_hear_is_left_once() {
    let (mut failover, active, other) = ready();
    let moves = failover.on_silence(KV, &active);
    assert!(moves.len() == 1 && !moves[0].done, "{moves:?}");
    // Packets still go to the old root: what is said of it is old.
    assert_eq!(failover.on_silence(KV, &active), []);
    assert_eq!(failover.on_silence(KV, &other), []);
    failover.on_news(&other, &News::Written(vec![KV]));
    assert_eq!(failover.on_silence(KV, &active), []);
    // With nowhere to go it stays.
    failover.on_news(&active, &News::Lost);
    assert_eq!(failover.on_silence(KV, &other), []);
}

proptest! {
    /// Whatever happens: packets go only where the group was written, and a group whose root is
    /// lost while another one is ready is not left there.
    #[test]
    fn no_history_leads_astray(history in prop::collection::vec((0..2_usize, 0..3_u8), 0..40)) {
        let (mut failover, active, other) = ready();
        let names = [active.clone(), other];
        let mut written = vec![active];
        let mut health = [true, true];
        for (which, what) in history {
            let has_it = seat(&failover).0 == names[which];
            let groups = if has_it { vec![KV] } else { Vec::new() };
            let news = match what {
                0 => News::Lost,
                1 => News::Ready(groups.clone()),
                _ => News::Written(groups.clone()),
            };
            match what {
                0 => health[which] = false,
                1 => health[which] = true,
                _ => {}
            }
            if has_it && what > 0 {
                written.push(names[which].clone());
            }
            failover.on_news(&names[which], &news);
            let (root, routed_to) = seat(&failover);
            prop_assert!(written.iter().any(|name| name == routed_to));
            let at = names.iter().position(|name| name == root).expect("a root");
            prop_assert!(health[at] || !health[1 - at], "left at a lost root");
        }
    }
}
