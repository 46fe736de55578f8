//! Terms over crashes, lost and damaged files, clocks that are set back, and several controllers.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use proptest::prelude::*;

const NOW_US: u64 = (CLOCK_BEGINS_UNIX_S + 50_000_000) * 1_000_000;
const GROUPS: [GroupId; 2] = [GroupId(1), GroupId(7)];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

fn store(folder: &tempfile::TempDir) -> TermStore {
    TermStore::open(folder.path().join("terms.json"), 0).expect("state file")
}

fn take(store: &TermStore, now_us: u64) -> TakenTerm {
    store
        .take("s1", &GROUPS, EpochNumber::ZERO, now_us)
        .expect("a term")
}

#[test]
fn terms_and_times_grow() {
    let folder = folder();
    let store = store(&folder);
    let mut last = take(&store, NOW_US);
    for step in [0, 0, 1, 5_000_000, 0] {
        let next = take(&store, NOW_US + step);
        assert!(
            next.term > last.term && next.taken_us > last.taken_us,
            "{next:?} {last:?}"
        );
        last = next;
    }
}

#[test]
fn what_was_taken_and_never_written_is_not_given_again() {
    let folder = folder();
    let lost_in_crash = take(&store(&folder), NOW_US);
    // A new process after the crash; its clock was set back by an hour.
    let again = store(&folder);
    let next = take(&again, NOW_US - 3_600_000_000);
    assert!(next.term > lost_in_crash.term && next.taken_us > lost_in_crash.taken_us);
    assert_eq!(again.recorded("s1").expect("state")[&GroupId(7)], next);
}

#[test]
fn a_crash_while_writing_leaves_the_old_state() {
    let folder = folder();
    let before = take(&store(&folder), NOW_US);
    fs::write(
        folder.path().join("terms.json.new"),
        b"{\"schema\":1,\"contr",
    )
    .expect("torn write");
    let store = store(&folder);
    assert_eq!(
        store.recorded("s1").expect("old state")[&GroupId(1)],
        before
    );
    assert!(take(&store, NOW_US).term > before.term);
}

#[test]
fn a_term_that_cannot_be_saved_is_not_given() {
    let folder = folder();
    let store = store(&folder);
    let before = take(&store, NOW_US);
    // A folder in the way of the temporary file.
    fs::create_dir(folder.path().join("terms.json.new")).expect("folder");
    let error = store
        .take("s1", &GROUPS, EpochNumber::ZERO, NOW_US)
        .expect_err("cannot write");
    assert!(error.to_string().contains("terms.json.new"), "{error}");
    assert_eq!(store.recorded("s1").expect("state")[&GroupId(1)], before);
}

#[test]
fn a_lost_file_begins_above_all_that_it_gave() {
    let take = |state: &mut TermState, now_us: u64| {
        state
            .take("s1", &GROUPS, EpochNumber::ZERO, now_us)
            .expect("a term")
    };
    let mut old = TermState::new(0, NOW_US).expect("state");
    let mut now_us = NOW_US;
    // One a second, which is as many as the pauses allow, for an hour.
    for _ in 0..3600 {
        take(&mut old, now_us);
        now_us += 1_000_000;
    }
    let last = take(&mut old, now_us);
    let mut new = TermState::new(0, now_us + 1_000_000).expect("state");
    assert!(take(&mut new, now_us + 1_000_000).term > last.term);
    // A burst after a long quiet time.
    now_us += 3_600_000_000;
    let mut last = take(&mut old, now_us);
    for _ in 1..NEW_FILE_MARGIN {
        last = take(&mut old, now_us);
    }
    let mut new = TermState::new(0, now_us).expect("state");
    assert!(take(&mut new, now_us).term > last.term);
}

#[test]
fn a_file_that_is_lost_on_disk_begins_anew_above() {
    let folder = folder();
    let last = take(&store(&folder), NOW_US);
    fs::remove_file(folder.path().join("terms.json")).expect("lost");
    let next = take(&store(&folder), NOW_US + 1_000_000);
    assert!(next.term > last.term);
}

#[test]
fn what_is_seen_on_a_switch_counts() {
    let folder = folder();
    let seen = EpochNumber(take(&store(&folder), NOW_US).term.0 + 4000);
    fs::remove_file(folder.path().join("terms.json")).expect("lost");
    let next = store(&folder)
        .take("s1", &GROUPS, seen, NOW_US)
        .expect("a term");
    assert!(next.term > seen);
}

#[test]
fn a_damaged_file_is_refused_with_the_way_out() {
    let folder = folder();
    let path = folder.path().join("terms.json");
    take(&store(&folder), NOW_US);
    let good = fs::read_to_string(&path).expect("state");
    let half = good[..good.len() / 2].to_owned();
    let schema = good.replace("\"schema\": 1", "\"schema\": 2");
    let next = good.replace("\"next_counter\": ", "\"next_counter\": 9999999999");
    let small = good.replace("\"next_counter\": ", "\"next_counter\": 0, \"was\": ");
    for damaged in ["", "{}", "null", &half, &schema, &next, &small] {
        fs::write(&path, damaged).expect("damage");
        let error = TermStore::open(&path, 0).expect_err(damaged).to_string();
        assert!(
            error.contains("is damaged") && error.contains("move it away"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).expect("untouched"), damaged);
    }
    fs::write(&path, good).expect("repair");
    TermStore::open(&path, 0).expect("repaired");
}

#[test]
fn a_counter_below_a_recorded_term_is_damage() {
    let mut state = TermState::new(0, NOW_US).expect("state");
    state
        .take("s1", &GROUPS, EpochNumber::ZERO, NOW_US)
        .expect("a term");
    state.next_counter -= 1;
    let error = TermState::from_json(&state.to_json(), 0).expect_err("inconsistent");
    assert!(matches!(error, BadState::Damaged(reason) if reason.contains("next_counter")));
}

#[test]
fn numbers_of_controllers_are_checked() {
    let folder = folder();
    let path = folder.path().join("terms.json");
    take(&store(&folder), NOW_US);
    let error = TermStore::open(&path, 1)
        .expect_err("of controller 0")
        .to_string();
    assert!(
        error.contains("belongs to controller 0, but this is controller 1"),
        "{error}"
    );
    let error = TermStore::open(&path, 4).expect_err("two bits").to_string();
    assert!(
        error.contains("controller number is 4; valid is 0 to 3"),
        "{error}"
    );
}

#[test]
fn controllers_with_their_own_files_never_take_the_same_term() {
    let folders: Vec<_> = (0..CONTROLLERS).map(|_| folder()).collect();
    let mut taken = BTreeSet::new();
    for (controller, folder) in (0..).zip(&folders) {
        let store = TermStore::open(folder.path().join("terms.json"), controller).expect("file");
        for _ in 0..20 {
            assert!(taken.insert(take(&store, NOW_US).term));
        }
    }
}

#[test]
fn controllers_that_share_a_file_never_take_the_same_term() {
    let folder = folder();
    let threads = 4;
    let each = 25;
    let terms: Vec<EpochNumber> = std::thread::scope(|scope| {
        let run = |_| {
            let store = store(&folder);
            scope.spawn(move || {
                (0..each)
                    .map(|_| take(&store, NOW_US).term)
                    .collect::<Vec<_>>()
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(terms.iter().collect::<BTreeSet<_>>().len(), threads * each);
}

#[test]
fn the_last_term_is_given_once() {
    let mut state = TermState::new(3, NOW_US).expect("state");
    let almost = EpochNumber(u32::MAX - 4);
    let last = state
        .take("s1", &GROUPS, almost, NOW_US)
        .expect("the last one");
    assert_eq!(last.term, EpochNumber(u32::MAX));
    let error = state
        .take("s1", &GROUPS, EpochNumber::ZERO, NOW_US)
        .expect_err("no more");
    assert!(
        matches!(error, TermError::Exhausted { used: u32::MAX }),
        "{error}"
    );
    TermState::from_json(&state.to_json(), 3).expect("the end is a valid state");
}

#[test]
fn a_clock_before_2025_is_refused() {
    let error = TermState::new(0, 0).expect_err("1970").to_string();
    assert!(error.contains("set the clock"), "{error}");
}

#[test]
fn terms_are_recorded_for_their_root() {
    let folder = folder();
    let store = store(&folder);
    let old = take(&store, NOW_US);
    let moved = store
        .take("s2", &[GroupId(7)], EpochNumber::ZERO, NOW_US)
        .expect("a term");
    assert_eq!(
        store.recorded("s1").expect("state"),
        BTreeMap::from([(GroupId(1), old)])
    );
    assert_eq!(
        store.recorded("s2").expect("state"),
        BTreeMap::from([(GroupId(7), moved)])
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = TermState::from_json(&bytes, 0);
    }

    #[test]
    fn state_survives_its_text(steps in proptest::collection::vec((0_u32..9, 0_u64..1 << 40), 0..20)) {
        let mut state = TermState::new(2, NOW_US).expect("state");
        let mut last = 0;
        for (group, ahead_us) in steps {
            let taken = state.take("s1", &[GroupId(group)], EpochNumber::ZERO, NOW_US + ahead_us);
            let term = taken.expect("a term").term.0;
            prop_assert!(term > last && term % u32::from(CONTROLLERS) == 2);
            last = term;
            prop_assert_eq!(&TermState::from_json(&state.to_json(), 2), &Ok(state.clone()));
        }
    }
}
