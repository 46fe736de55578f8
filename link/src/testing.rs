//! What tests of several modules share.

use std::io::Write;

/// Says that a test was skipped and how to have it run. The handle is written directly: the test
/// harness keeps what passing tests print through macros to itself.
pub(crate) fn skip(what: &str, how: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skip: {what}: {how}");
}
