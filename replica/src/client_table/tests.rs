//! The table alone; together with a log it is tested in `history`.

use super::*;

fn record(table: &mut ClientTable, client: u64, number: u64, slot: u64) -> Replaced {
    table.record(ClientId(client), RequestNumber(number), SlotNumber(slot))
}

fn known(table: &ClientTable) -> Vec<u64> {
    table.iter().map(|(client, _)| client.0).collect()
}

#[test]
fn a_rollback_makes_a_request_new_again() {
    let mut table = ClientTable::default();
    let client = ClientId(1);
    let first = record(&mut table, 1, 1, 4);
    assert_eq!(first, Replaced::default());
    let second = record(&mut table, 1, 2, 9);
    assert_eq!(table.freshness(client, RequestNumber(1)), Freshness::Stale);
    assert_eq!(
        table.freshness(client, RequestNumber(2)),
        Freshness::Repeated(SlotNumber(9))
    );
    table.restore(client, second);
    assert_eq!(table.freshness(client, RequestNumber(2)), Freshness::New);
    assert_eq!(
        table.freshness(client, RequestNumber(1)),
        Freshness::Repeated(SlotNumber(4))
    );
    table.restore(client, first);
    assert!(table.is_empty());
}

#[test]
fn the_least_recently_heard_are_forgotten_a_batch_at_a_time_and_come_back() {
    let mut table = ClientTable::new(32);
    for client in 0..32 {
        // Client 31 was heard first, client 0 last.
        record(&mut table, client, 1, 100 - client);
    }
    record(&mut table, 31, 2, 200);
    let before = table.clone();
    let replaced = record(&mut table, 77, 1, 201);
    let forgotten: Vec<u64> = replaced
        .forgotten
        .iter()
        .map(|(client, _)| client.0)
        .collect();
    assert_eq!(
        forgotten,
        [29, 30],
        "a sixteenth, those with the lowest slots"
    );
    assert_eq!(table.len(), 31);
    assert!(known(&table).contains(&31), "heard again since");
    table.restore(ClientId(77), replaced);
    assert_eq!(table, before);
}

#[test]
fn a_table_for_one_client_remembers_the_last_one() {
    let mut table = ClientTable::new(1);
    record(&mut table, 5, 1, 1);
    record(&mut table, 6, 1, 2);
    assert_eq!(known(&table), [6]);
}

#[test]
fn buffers_of_replies_are_used_again_and_do_not_count_as_state() {
    let mut table = ClientTable::default();
    let fresh = {
        let mut fresh = ClientTable::default();
        record(&mut fresh, 1, 2, 2);
        fresh
    };
    record(&mut table, 1, 1, 1);
    table.save(ClientId(1), SlotNumber(1), (SummaryHash::EMPTY, &[7; 10]));
    let replaced = record(&mut table, 1, 2, 2);
    table.forget(replaced);
    assert_eq!(table.spare.len(), 1);
    assert_eq!(table, fresh);
    table.save(ClientId(1), SlotNumber(2), (SummaryHash::EMPTY, &[8; 9]));
    assert!(table.spare.is_empty());
    assert_eq!(
        table.get(ClientId(1)).unwrap().saved().unwrap().result,
        [8; 9]
    );
}

#[test]
fn a_large_buffer_is_freed() {
    let mut table = ClientTable::default();
    record(&mut table, 1, 1, 1);
    let large = alloc::vec![0; SPARE_RESULT_BYTES_MAX + 1];
    table.save(ClientId(1), SlotNumber(1), (SummaryHash::EMPTY, &large));
    let replaced = record(&mut table, 1, 2, 2);
    table.forget(replaced);
    assert!(table.spare.is_empty());
}

#[test]
#[should_panic(expected = "in order")]
fn an_older_request_cannot_follow_a_newer_one() {
    let mut table = ClientTable::default();
    record(&mut table, 1, 2, 1);
    record(&mut table, 1, 2, 2);
}
