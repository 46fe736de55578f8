//! Panics of a core as errors: an assertion that a scenario trips is named with its line.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What the error of a panic begins with.
pub(crate) const PANICKED: &str = "panicked";

static HOOK: Once = Once::new();

/// Runs `step`; a panic in it is an error with its message, and prints nothing.
pub(crate) fn catch(step: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(step));
    QUIET.set(false);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("{PANICKED}: {}", text.unwrap_or_default()))
    })
}
