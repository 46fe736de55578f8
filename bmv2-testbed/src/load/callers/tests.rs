//! A load with the times passed by hand.

use super::*;
use bench::preset::Preset;
use wire::{SlotNumber, SummaryHash};

const MS: u64 = 1_000_000;

fn load(preset: Preset, arrivals: Arrivals, clients: u32) -> (Load, StopFlag) {
    let mut config = preset.config();
    config.keys = 4;
    let stop = StopFlag::new().unwrap();
    let settings = LoadSettings {
        workload: Workload::new(config, 7).unwrap(),
        arrivals,
        clients,
        warm_up: Duration::from_millis(2),
        duration: Duration::from_millis(8),
    };
    (Load::new(&settings, stop.clone()).unwrap(), stop)
}

fn answer() -> Answer {
    Answer {
        result: Box::default(),
        path: Path::Fast,
        slot: SlotNumber(1),
        hash: SummaryHash::EMPTY,
    }
}

#[test]
fn keys_have_values_before_the_run_begins() {
    let closed = Arrivals::Closed { think_us: 0 };
    let (mut load, _) = load(Preset::YcsbC, closed, 2);
    let mut asked_before = 0;
    while load.progress().elapsed().is_none() {
        match load.next(Tick(MS)) {
            Some(call) if load.begun.is_none() => {
                asked_before += 1;
                load.finished(Tick(MS), call.token, Ok(answer()));
            }
            Some(_) | None => {}
        }
    }
    // Four keys, and a first operation of each client.
    let measured = load.recorder.count(OutcomeClass::Fast);
    assert_eq!((asked_before, measured), (4 + 2, 0));
}

#[test]
fn a_closed_loop_asks_until_the_end_and_then_stops_the_thread() {
    let closed = Arrivals::Closed { think_us: 0 };
    let (mut load, stop) = load(Preset::Null, closed, 1);
    let mut now = Tick(100 * MS);
    while !stop.is_raised() {
        let call = load.next(now).expect("free and due");
        assert!(load.next(now).is_none(), "one operation at a time");
        now = now.plus_us(1_000);
        load.finished(now, call.token, Ok(answer()));
    }
    let loaded = load.finish().unwrap();
    assert_eq!(
        loaded.recorder.count(OutcomeClass::Fast),
        8,
        "10 ms, 2 of warm-up"
    );
    assert_eq!(loaded.end_ns, 10 * MS);
}

#[test]
fn in_an_open_loop_latency_counts_from_the_intended_time() {
    let constant = Arrivals::Constant {
        rate_per_second: 1_000,
    };
    let (mut load, stop) = load(Preset::Null, constant, 1);
    // However long the group takes to answer at all, the run begins afterwards.
    let before = load.next(Tick(0)).unwrap();
    assert!(load.next(Tick(50 * MS)).is_none() && load.begun.is_none());
    load.finished(Tick(100 * MS), before.token, Ok(answer()));
    let start = 100 * MS;
    // The first answer takes 5 ms; the requests of ms 1 to 5 are late by then.
    let first = load.next(Tick(start)).unwrap();
    load.finished(Tick(start + 5 * MS), first.token, Ok(answer()));
    let mut now = Tick(start + 5 * MS);
    while !stop.is_raised() {
        match load.next(now) {
            Some(call) => load.finished(now, call.token, Ok(answer())),
            None => now = load.deadline().expect("more to come"),
        }
    }
    let loaded = load.finish().unwrap();
    let summary = loaded
        .recorder
        .summary(bench::summary::Labels::default(), loaded.end_ns);
    assert_eq!((summary.requests, summary.warm_up_requests), (8, 2));
    let slowest = summary.latency.max_us.unwrap();
    assert!((2_990.0..3_010.0).contains(&slowest), "{slowest}");
    assert_eq!(
        summary.start_delay_p99_us,
        Some(0.0),
        "the generator was never late"
    );
}

#[test]
fn a_load_that_is_stopped_before_it_began_has_no_result() {
    let closed = Arrivals::Closed { think_us: 0 };
    let (load, _) = load(Preset::YcsbA, closed, 1);
    let error = load.finish().unwrap_err().to_string();
    assert!(error.contains("before its run began"), "{error}");
}
