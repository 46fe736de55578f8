//! The result of a run in one value: for `summary.json`, for comparisons, for a table.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::recorder::{OutcomeClass, Recorder, histogram};
use crate::table::{Column, Table, three_digits};

/// Version of the JSON form of [`Summary`].
pub const SCHEMA: u32 = 1;

/// Share of the offered load, in percent, below which a run is said not to have kept up.
const KEPT_UP_PERCENT: f64 = 99.0;

/// Which time the numbers are in. Virtual times never stand beside real ones unlabelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The time of this world.
    #[default]
    Wall,
    /// The time of a simulation.
    Virtual,
}

/// What a recorder cannot know about its run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// What ran, for example the protocol.
    pub name: String,
    /// Which time the numbers are in.
    pub clock: Clock,
    /// How receivers wait for packets: `block`, `spin 20us`, `run to completion`, …
    pub wait: String,
    /// Requests per second that were offered; `None` for a closed loop.
    pub offered_ops: Option<u64>,
}

/// Latencies of a set of operations, in µs; all `None` if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Arithmetic mean.
    pub mean_us: Option<f64>,
    /// Half were no slower.
    pub p50_us: Option<f64>,
    /// 90 % were no slower.
    pub p90_us: Option<f64>,
    /// 99 % were no slower.
    pub p99_us: Option<f64>,
    /// 99.9 % were no slower.
    pub p999_us: Option<f64>,
    /// The slowest.
    pub max_us: Option<f64>,
}

/// Latencies by how operations ended, in µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyByClass {
    /// Of the fast path.
    pub fast: Latency,
    /// Of the slow path.
    pub slow: Latency,
    /// Until clients gave up or were refused.
    pub failed: Latency,
}

/// One second of a run, warm-up included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondSummary {
    /// Number of the second from the start of the run.
    pub second: u64,
    /// Operations that ended on the fast path.
    pub fast: u64,
    /// Operations that ended on the slow path.
    pub slow: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Mean latency of the successful ones, in µs.
    pub mean_us: Option<f64>,
    /// Greatest latency of the successful ones, in µs.
    pub max_us: Option<f64>,
}

/// The result of a run. Latencies are those of successful operations unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this form: [`SCHEMA`].
    pub schema: u32,
    /// What ran, and how.
    #[serde(flatten)]
    pub labels: Labels,
    /// Operations that ended after the warm-up, however they ended.
    pub requests: u64,
    /// Of these, those on the fast path.
    pub fast: u64,
    /// Of these, those on the slow path.
    pub slow: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Operations of the warm-up, which are not in the numbers above.
    pub warm_up_requests: u64,
    /// Length of the warm-up, in s.
    pub warm_up_s: f64,
    /// Length of the measurement after the warm-up, in s.
    pub duration_s: f64,
    /// Successful operations per second.
    pub throughput_ops: f64,
    /// Latencies of the successful operations.
    #[serde(flatten)]
    pub latency: Latency,
    /// Share of successful operations that took the fast path, 0 to 1.
    pub fast_path_share: Option<f64>,
    /// Rollbacks, as far as replicas were asked.
    pub rollbacks: u64,
    /// Longest time without any reply, in µs; below 1000 it is a lower bound.
    pub longest_gap_us: f64,
    /// How late the generator was at the 99th percentile, in µs, if it was measured.
    pub start_delay_p99_us: Option<f64>,
    /// Operations too late for the timeline and the longest gap.
    pub beyond_timeline: u64,
    /// Latencies by class.
    pub by_class: LatencyByClass,
    /// The run, second by second; seconds in which nothing ended are left out.
    pub timeline: Vec<SecondSummary>,
}

impl Recorder {
    /// Sums up a run that ended at `end_ns` after its start; replies that came later extend it.
    pub fn summary(&self, labels: Labels, end_ns: u64) -> Summary {
        let [fast, slow, failed] = OutcomeClass::ALL.map(|class| self.count(class));
        let mut successful = histogram();
        for class in [OutcomeClass::Fast, OutcomeClass::Slow] {
            successful
                .add(&self.latencies[class.index()])
                .expect("histograms that resize themselves have room for each other");
        }
        let end_ns = end_ns.max(self.timeline.last_reply_ns());
        let duration_s = micros(end_ns.saturating_sub(self.warm_up_ns)) / 1e6;
        let answered = fast + slow;
        let per_second = if duration_s > 0.0 {
            float(answered) / duration_s
        } else {
            0.0
        };
        let [by_fast, by_slow, by_failed] =
            OutcomeClass::ALL.map(|class| Latency::of(&self.latencies[class.index()]));
        Summary {
            schema: SCHEMA,
            labels,
            requests: answered + failed,
            fast,
            slow,
            failed,
            warm_up_requests: self.warm_up_requests,
            warm_up_s: micros(self.warm_up_ns) / 1e6,
            duration_s,
            throughput_ops: (per_second * 1000.0).round() / 1000.0,
            latency: Latency::of(&successful),
            fast_path_share: (answered > 0).then(|| float(fast) / float(answered)),
            rollbacks: self.rollbacks,
            longest_gap_us: micros(self.timeline.longest_gap_ns(self.warm_up_ns, end_ns)),
            start_delay_p99_us: Latency::of(&self.start_delays).p99_us,
            beyond_timeline: self.timeline.beyond(),
            by_class: LatencyByClass {
                fast: by_fast,
                slow: by_slow,
                failed: by_failed,
            },
            timeline: self.timeline_summary(),
        }
    }

    fn timeline_summary(&self) -> Vec<SecondSummary> {
        let summarize = |(number, second): (u64, &crate::timeline::Second)| {
            let [fast, slow, failed] = second.counts;
            let answered = u128::from(fast + slow);
            let mean_ns = second.latency_sum_ns.checked_div(answered);
            SecondSummary {
                second: number,
                fast,
                slow,
                failed,
                mean_us: mean_ns.map(|ns| micros(u64::try_from(ns).unwrap_or(u64::MAX))),
                max_us: (answered > 0).then(|| micros(second.latency_max_ns)),
            }
        };
        self.timeline.seconds().map(summarize).collect()
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        // A quantile is the greatest latency of its bucket: up to 0.1 % too high, never too low.
        let at = |quantile| Some(micros(histogram.value_at_quantile(quantile)));
        Self {
            mean_us: Some((histogram.mean()).round() / 1000.0),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: Some(micros(histogram.max())),
        }
    }
}

impl Summary {
    /// What a reader must know before believing the numbers, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(offered) = self.labels.offered_ops {
            let reached = self.throughput_ops;
            if reached * 100.0 < float(offered) * KEPT_UP_PERCENT {
                warnings.push(format!(
                    "{} ops/s were offered and {} answered: the system or the load generator \
                     was the bottleneck",
                    three_digits(float(offered)),
                    three_digits(reached),
                ));
            }
        }
        if let (Some(delay), Some(median)) = (self.start_delay_p99_us, self.latency.p50_us)
            && delay > median
        {
            warnings.push(format!(
                "requests were sent {} µs late at p99, more than the median latency: the load \
                 generator was the bottleneck",
                three_digits(delay),
            ));
        }
        if self.beyond_timeline > 0 {
            warnings.push(format!(
                "{} operations ended after {} s: the timeline and the longest gap leave them out",
                self.beyond_timeline,
                crate::timeline::MAX_SECONDS,
            ));
        }
        warnings
    }

    /// A table of runs, one row each.
    pub fn table(summaries: &[Self]) -> Table {
        let mut table = Table::new(vec![
            Column::text("run"),
            Column::text("clock"),
            Column::text("wait"),
            Column::number("requests"),
            Column::number("failed"),
            Column::number("ops/s"),
            Column::number("p50 (µs)"),
            Column::number("p90 (µs)"),
            Column::number("p99 (µs)"),
            Column::number("p99.9 (µs)"),
            Column::number("max (µs)"),
            Column::number("fast path (%)"),
            Column::number("rollbacks"),
            Column::number("longest gap (µs)"),
        ]);
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), three_digits);
        for summary in summaries {
            let Latency {
                p50_us,
                p90_us,
                p99_us,
                p999_us,
                max_us,
                ..
            } = summary.latency;
            let clock = match summary.labels.clock {
                Clock::Wall => "wall",
                Clock::Virtual => "virtual",
            };
            table.row(vec![
                summary.labels.name.clone(),
                clock.to_owned(),
                summary.labels.wait.clone(),
                summary.requests.to_string(),
                summary.failed.to_string(),
                three_digits(summary.throughput_ops),
                number(p50_us),
                number(p90_us),
                number(p99_us),
                number(p999_us),
                number(max_us),
                number(summary.fast_path_share.map(|share| share * 100.0)),
                summary.rollbacks.to_string(),
                three_digits(summary.longest_gap_us),
            ]);
        }
        table
    }
}

fn micros(ns: u64) -> f64 {
    float(ns) / 1000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and ns below 2^53; a report is no ledger"
)]
fn float(integer: u64) -> f64 {
    integer as f64
}

#[cfg(test)]
mod tests;
