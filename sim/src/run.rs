//! One run from beginning to end; an assertion of a core that does not hold is a violation like
//! the others.

use crate::settings::Settings;
use crate::world::{Blueprint, Outcome, World};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a run is still wanted is asked once in so many steps.
const WANTED_EVERY: u32 = 1_024;

thread_local! {
    /// The text of the panic that the run on this thread ended with; `None` outside of runs.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on panics in runs are remembered instead of printed; others are as before.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            let in_run = PANIC.with_borrow_mut(|text| {
                let Some(text) = text else {
                    return false;
                };
                let place = panic
                    .location()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let what = panic.payload_as_str().unwrap_or("a panic without a text");
                *text = format!("{what} ({place})");
                true
            });
            if !in_run {
                print(panic);
            }
        }));
    });
}

/// Takes one step. False: the run is over, because of a failed assertion perhaps.
pub fn step(world: &mut World<'_>) -> bool {
    guarded(world, World::step)
}

/// Runs a seed to its end.
pub fn run(settings: &Settings, seed: u64, blueprint: &Blueprint) -> Outcome {
    let mut world = World::new(settings, seed, blueprint, false);
    guarded(&mut world, |world| {
        while world.step() {}
        false
    });
    world.outcome()
}

/// The same; `None` as soon as somebody raises `enough`, for a group that never heals is watched
/// for long.
pub fn run_unless(
    enough: &AtomicBool,
    settings: &Settings,
    seed: u64,
    blueprint: &Blueprint,
) -> Option<Outcome> {
    let mut world = World::new(settings, seed, blueprint, false);
    let mut goes_on = true;
    while goes_on {
        if enough.load(Ordering::Relaxed) {
            return None;
        }
        goes_on = guarded(&mut world, |world| (0..WANTED_EVERY).all(|_| world.step()));
    }
    Some(world.outcome())
}

fn guarded<'b>(world: &mut World<'b>, work: impl FnOnce(&mut World<'b>) -> bool) -> bool {
    watch_panics();
    PANIC.set(Some(String::new()));
    let done = catch_unwind(AssertUnwindSafe(|| work(world)));
    let text = PANIC.take().unwrap_or_default();
    if let Ok(more) = done {
        more
    } else {
        world.fail_assertion(text);
        false
    }
}
