//! What came back: latencies, counts and times of one or many clients.
//!
//! Latencies go from the *intended* start to the reply, into histograms of nanoseconds that are
//! right to three significant digits (reports are in µs). Each client or thread has a recorder of
//! its own; they are merged at the end, and merging loses nothing.

use std::io::{self, Write};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::timeline::Timeline;

/// Latencies above this, one hour in ns, are recorded as this.
pub const MAX_LATENCY_NS: u64 = 3_600_000_000_000;

const SIGNIFICANT_DIGITS: u8 = 3;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeClass {
    /// Answered on the protocol's fast path.
    Fast,
    /// Answered, but only after the slow path: a retry, a synchronization, a vote.
    Slow,
    /// Not answered, or refused.
    Failed,
}

impl OutcomeClass {
    /// All classes, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Slow, Self::Failed];

    /// The word for it in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Failed => "failed",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// One operation that ended; times in ns since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the schedule meant it to start, however late it was sent.
    pub intended_ns: u64,
    /// When its reply came, or when the client gave up.
    pub ended_ns: u64,
    /// How it ended.
    pub class: OutcomeClass,
}

/// Two recorders that do not belong to one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "recorders with warm-ups of {ours_ns} ns and {theirs_ns} ns cannot be merged: give all \
         clients of a run the same"
)]
pub struct MergeError {
    /// Warm-up of the recorder merged into.
    pub ours_ns: u64,
    /// Warm-up of the other.
    pub theirs_ns: u64,
}

/// Collects the samples of one or more clients of a run.
#[derive(Clone, Debug)]
pub struct Recorder {
    pub(crate) warm_up_ns: u64,
    pub(crate) latencies: [Histogram<u64>; OutcomeClass::ALL.len()],
    pub(crate) start_delays: Histogram<u64>,
    pub(crate) timeline: Timeline,
    pub(crate) warm_up_requests: u64,
    pub(crate) rollbacks: u64,
}

impl Recorder {
    /// A recorder that leaves out operations whose intended start is before `warm_up_ns`.
    pub fn new(warm_up_ns: u64) -> Self {
        Self {
            warm_up_ns,
            latencies: OutcomeClass::ALL.map(|_| histogram()),
            start_delays: histogram(),
            timeline: Timeline::default(),
            warm_up_requests: 0,
            rollbacks: 0,
        }
    }

    /// Records an operation that ended. Those of the warm-up stand in the timeline only.
    pub fn record(&mut self, sample: Sample) {
        // Clocks of two cores may differ by a little: such an operation took no time.
        let latency_ns = sample
            .ended_ns
            .saturating_sub(sample.intended_ns)
            .min(MAX_LATENCY_NS);
        self.timeline
            .record(sample.class, sample.ended_ns, latency_ns);
        if sample.intended_ns < self.warm_up_ns {
            self.warm_up_requests += 1;
        } else {
            add(&mut self.latencies[sample.class.index()], latency_ns);
        }
    }

    /// Records that the generator sent a request at `sent_ns` that was meant for `intended_ns`
    /// although its client was free: the lateness of the generator itself.
    pub fn record_start(&mut self, intended_ns: u64, sent_ns: u64) {
        if intended_ns >= self.warm_up_ns {
            let delay_ns = sent_ns.saturating_sub(intended_ns).min(MAX_LATENCY_NS);
            add(&mut self.start_delays, delay_ns);
        }
    }

    /// Adds rollbacks that replicas counted.
    pub fn add_rollbacks(&mut self, rollbacks: u64) {
        self.rollbacks += rollbacks;
    }

    /// Adds all that another recorder of the same run collected.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.warm_up_ns != other.warm_up_ns {
            return Err(MergeError {
                ours_ns: self.warm_up_ns,
                theirs_ns: other.warm_up_ns,
            });
        }
        let ours = self.latencies.iter_mut().chain([&mut self.start_delays]);
        for (ours, theirs) in ours.zip(other.latencies.iter().chain([&other.start_delays])) {
            ours.add(theirs)
                .expect("histograms that resize themselves have room for each other");
        }
        self.timeline.merge(&other.timeline);
        self.warm_up_requests += other.warm_up_requests;
        self.rollbacks += other.rollbacks;
        Ok(())
    }

    /// Operations of a class after the warm-up.
    pub fn count(&self, class: OutcomeClass) -> u64 {
        self.latencies[class.index()].len()
    }

    /// Writes the histograms as CSV: `class,latency_us,count`, one line for each latency seen.
    pub fn write_csv(&self, writer: &mut (impl Write + ?Sized)) -> io::Result<()> {
        writeln!(writer, "class,latency_us,count")?;
        for class in OutcomeClass::ALL {
            for step in self.latencies[class.index()].iter_recorded() {
                let ns = step.value_iterated_to();
                let count = step.count_at_value();
                writeln!(
                    writer,
                    "{},{}.{:03},{count}",
                    class.name(),
                    ns / 1000,
                    ns % 1000
                )?;
            }
        }
        Ok(())
    }
}

/// An empty histogram that resizes itself.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new(SIGNIFICANT_DIGITS).expect("three significant digits are supported")
}

fn add(histogram: &mut Histogram<u64>, ns: u64) {
    histogram
        .record(ns)
        .expect("a histogram that resizes itself has room for an hour");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(intended_ns: u64, ended_ns: u64, class: OutcomeClass) -> Sample {
        Sample {
            intended_ns,
            ended_ns,
            class,
        }
    }

    #[test]
    fn latency_counts_from_the_intended_start() {
        let mut recorder = Recorder::new(0);
        recorder.record(sample(1_000, 8_120, OutcomeClass::Fast));
        recorder.record(sample(9_000, 8_000, OutcomeClass::Slow));
        recorder.record(sample(0, u64::MAX, OutcomeClass::Failed));
        let max = |class: OutcomeClass| recorder.latencies[class.index()].max();
        let close = |found: u64, expected: u64| found.abs_diff(expected) <= expected / 1000;
        assert!(
            close(max(OutcomeClass::Fast), 7_120),
            "{}",
            max(OutcomeClass::Fast)
        );
        assert_eq!(max(OutcomeClass::Slow), 0);
        assert!(close(max(OutcomeClass::Failed), MAX_LATENCY_NS));
    }

    #[test]
    fn warm_up_is_left_out() {
        let mut recorder = Recorder::new(1_000);
        recorder.record(sample(999, 5_000, OutcomeClass::Fast));
        recorder.record(sample(1_000, 5_000, OutcomeClass::Fast));
        recorder.record_start(999, 2_000);
        recorder.record_start(1_000, 2_000);
        assert_eq!(recorder.count(OutcomeClass::Fast), 1);
        assert_eq!(recorder.warm_up_requests, 1);
        assert_eq!(recorder.start_delays.len(), 1);
    }

    #[test]
    fn merging_is_as_if_one_had_seen_it_all() {
        let samples: Vec<Sample> = (0..3_000_u64)
            .map(|at| {
                let class = OutcomeClass::ALL[usize::try_from(at % 3).unwrap()];
                sample(at * 1_000, at * 1_777 + 10, class)
            })
            .collect();
        let mut whole = Recorder::new(5_000);
        let mut parts = [Recorder::new(5_000), Recorder::new(5_000)];
        for (at, sample) in samples.iter().enumerate() {
            whole.record(*sample);
            parts[at % 2].record(*sample);
        }
        whole.add_rollbacks(5);
        parts[0].add_rollbacks(2);
        parts[1].add_rollbacks(3);
        let [mut merged, other] = parts;
        merged.merge(&other).unwrap();
        let labels = crate::summary::Labels::default;
        assert_eq!(
            merged.summary(labels(), 9_000_000),
            whole.summary(labels(), 9_000_000)
        );
        let error = merged.merge(&Recorder::new(1)).unwrap_err();
        assert!(error.to_string().contains("warm-ups of 5000 ns and 1 ns"));
    }

    #[test]
    fn histogram_is_written_by_class() {
        let mut recorder = Recorder::new(0);
        for ended in [1_500, 1_500, 2] {
            recorder.record(sample(0, ended, OutcomeClass::Fast));
        }
        recorder.record(sample(0, 40, OutcomeClass::Failed));
        let mut text = Vec::new();
        recorder.write_csv(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "class,latency_us,count\nfast,0.002,1\nfast,1.500,2\nfailed,0.040,1\n"
        );
    }
}
