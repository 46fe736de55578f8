//! From request to encoded reply without an allocation, under an allocator that counts.

mod steady;

use allocation_counter::measure;
use steady::{COMMIT_EVERY, Server, Sum};

const WARM_UP: u64 = 20_000;
const MEASURED: u64 = 10_000;

/// Lengths vary, so that chunks are never full at the same place.
fn serve(server: &mut Server<Sum>, counts: std::ops::Range<u64>) {
    let operation = [7; 100];
    for count in counts {
        let length = usize::try_from(count % 100).expect("below 100");
        server.serve(&operation[..length]);
    }
}

/// `retained_bytes` of 0 drops each entry as soon as it is committed, so that every reply is
/// saved in the client table; with more, entries wait in the log and chunks take turns.
fn assert_no_allocation(retained_bytes: usize) {
    let mut server = Server::new(Sum::new(true), retained_bytes);
    serve(&mut server, 0..WARM_UP);
    let base = server.history.log().base();
    let info = measure(|| serve(&mut server, WARM_UP..WARM_UP + MEASURED));
    assert_eq!(
        info.count_total, 0,
        "retaining {retained_bytes} bytes: {info:?}"
    );
    let dropped = server.history.log().base().0 - base.0;
    assert!(
        dropped > MEASURED - 2 * COMMIT_EVERY,
        "{dropped} entries were dropped"
    );
    server.history.check_thoroughly();
}

#[test]
fn a_request_allocates_nothing_while_entries_wait_in_the_log() {
    assert_no_allocation(256 << 10);
}

#[test]
fn a_request_allocates_nothing_while_replies_move_to_the_client_table() {
    assert_no_allocation(0);
}
