//! The cache: questions, patience, bounds.

use super::*;

const US: u64 = 1_000;

fn ip(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [10, 0, high, low]
}

fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

fn asked(cache: &mut NeighbourCache, now: Tick) -> Vec<[u8; 4]> {
    let mut asked = Vec::new();
    cache.ask(now, &mut |ip| asked.push(ip));
    asked
}

#[test]
fn an_answer_releases_the_frames_in_order() {
    let mut cache = NeighbourCache::default();
    let now = Tick(0);
    for number in [1, 2] {
        assert_eq!(cache.lookup(ip(1), now), Lookup::Asking);
        assert!(cache.hold(ip(1), &[number; 20]));
    }
    assert_eq!(cache.lookup(ip(2), now), Lookup::Asking);
    assert!(cache.hold(ip(2), &[3; 20]));
    assert_eq!(asked(&mut cache, now), [ip(1), ip(2)]);
    cache.learn(ip(1), mac(1), false, now);
    let mut released = Vec::new();
    cache.release(&mut |mac, frame| released.push((mac, frame.clone())));
    assert_eq!(released, [(mac(1), vec![1; 20]), (mac(1), vec![2; 20])]);
    assert_eq!(cache.lookup(ip(1), now), Lookup::Known(mac(1)));
    assert_eq!(cache.held.len(), 1);
}

#[test]
fn questions_are_repeated_ever_slower_and_then_given_up() {
    let mut cache = NeighbourCache::default();
    let mut now = Tick(5);
    cache.lookup(ip(1), now);
    assert!(cache.hold(ip(1), &[1; 20]));
    let mut waits = Vec::new();
    while let Some(deadline) = cache.deadline() {
        waits.push(deadline.since(now) / US / 1_000);
        now = deadline;
        let mut questions = 0;
        let dropped = cache.ask(now, &mut |_| questions += 1);
        let is_last = waits.len() == QUESTIONS as usize + 1;
        assert_eq!(questions, u64::from(!is_last));
        assert_eq!(dropped, u64::from(is_last));
    }
    assert_eq!(waits, [0, 10, 20, 40, 80, 160, 320]);
    assert!(cache.held.is_empty());
    assert_eq!(
        cache.lookup(ip(1), now),
        Lookup::Asking,
        "a later frame begins anew"
    );
}

#[test]
fn an_old_answer_is_used_while_it_is_asked_for_again() {
    let mut cache = NeighbourCache::default();
    cache.learn(ip(1), mac(1), true, Tick(0));
    let fresh = Tick(FRESH_US * US);
    assert_eq!(cache.lookup(ip(1), fresh), Lookup::Known(mac(1)));
    assert_eq!(cache.deadline(), None);
    let old = Tick(FRESH_US * US + 1);
    assert_eq!(cache.lookup(ip(1), old), Lookup::Known(mac(1)));
    assert_eq!(asked(&mut cache, old), [ip(1)]);
    cache.learn(ip(1), mac(2), false, old);
    assert_eq!(cache.lookup(ip(1), old), Lookup::Known(mac(2)));
    assert_eq!(cache.deadline(), None);
}

#[test]
fn nobody_fills_the_cache_unasked() {
    let mut cache = NeighbourCache::default();
    cache.learn(ip(1), mac(1), false, Tick(0));
    assert_eq!(cache.lookup(ip(1), Tick(0)), Lookup::Asking);
}

#[test]
fn a_full_cache_forgets_the_oldest_answer_but_no_question() {
    let mut cache = NeighbourCache::default();
    let limit = u16::try_from(NEIGHBOUR_LIMIT).unwrap();
    for number in 0..limit {
        cache.learn(ip(number), mac(1), true, Tick(u64::from(1_000 - number)));
    }
    assert_eq!(cache.lookup(ip(limit), Tick(2_000)), Lookup::Asking);
    assert_eq!(cache.entries.len(), NEIGHBOUR_LIMIT);
    assert!(cache.find(ip(limit - 1)).is_err(), "the oldest answer went");
    assert!(cache.find(ip(0)).is_ok());
    for number in limit + 1..2 * limit {
        assert_eq!(cache.lookup(ip(number), Tick(2_000)), Lookup::Asking);
    }
    assert_eq!(cache.lookup(ip(3 * limit), Tick(2_000)), Lookup::Full);
    assert_eq!(cache.entries.len(), NEIGHBOUR_LIMIT);
}

#[test]
fn held_frames_are_bounded() {
    let mut cache = NeighbourCache::default();
    let held = (0..100).filter(|_| cache.hold(ip(1), &[0; 20])).count();
    assert_eq!(held, HELD_PER_NEIGHBOUR);
    let held = (0..100)
        .filter(|&number| cache.hold(ip(100 + number), &[0; 20]))
        .count();
    assert_eq!(held, 100);
    let held = (0..100)
        .filter(|&number| cache.hold(ip(300 + number), &[0; 20]))
        .count();
    assert_eq!(held, HELD_LIMIT - 100 - HELD_PER_NEIGHBOUR);
}
