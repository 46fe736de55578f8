//! One measurement of one contestant in one place: the raw results that tables and plots are made
//! of, and their form as CSV.

use crate::summary::Clock;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write};

/// What contestants are measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Replicas in the group; one server counts as a group of any size.
    pub replicas: usize,
    /// Clients that ask at the same time.
    pub clients: u32,
    /// Frames lost on purpose, in parts per million.
    pub loss_ppm: u32,
    /// Frames overtaken on purpose, in parts per million.
    pub reorder_ppm: u32,
    /// Requests a second of all clients together; `None`: each asks again as soon as it was
    /// answered.
    pub rate_per_second: Option<u64>,
}

impl Place {
    /// A closed loop on a network without faults.
    pub fn closed(replicas: usize, clients: u32) -> Self {
        Self {
            replicas,
            clients,
            loss_ppm: 0,
            reorder_ppm: 0,
            rate_per_second: None,
        }
    }

    /// The same at this many requests a second.
    #[must_use]
    pub fn at_rate(self, rate: u64) -> Self {
        Self {
            rate_per_second: Some(rate),
            ..self
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas, {} clients", self.replicas, self.clients)?;
        for (ppm, what) in [(self.loss_ppm, "lost"), (self.reorder_ppm, "overtaken")] {
            if ppm > 0 {
                write!(f, ", {} % {what}", f64::from(ppm) / 1e4)?;
            }
        }
        if let Some(rate) = self.rate_per_second {
            write!(f, ", {rate} requests/s")?;
        }
        Ok(())
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Answered requests a second.
    pub throughput_ops: Option<f64>,
    /// Half of the requests took no longer, in µs.
    pub p50_us: Option<f64>,
    /// 99 % took no longer, in µs.
    pub p99_us: Option<f64>,
    /// Processor time a request of the dearest replica, in µs.
    pub bottleneck_us: Option<f64>,
    /// Requests a second that one core for that replica would give.
    pub capacity_ops: Option<f64>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Who, as named on the command line.
    pub contestant: String,
    /// In which time.
    pub clock: Clock,
    /// With what.
    #[serde(flatten)]
    pub place: Place,
    /// Measurements of the same turn are compared with each other.
    pub turn: u32,
    /// What decided everything random.
    pub seed: u64,
    /// The result.
    #[serde(flatten)]
    pub numbers: Numbers,
}

impl Clock {
    /// The label that stands in every row.
    pub fn label(self) -> &'static str {
        match self {
            Self::Wall => "real",
            Self::Virtual => "virtual",
        }
    }
}

/// Writes measurements as CSV, a line each.
pub fn write_csv(out: &mut dyn Write, samples: &[Sample]) -> io::Result<()> {
    writeln!(
        out,
        "contestant,clock,replicas,clients,loss_ppm,reorder_ppm,rate_per_second,turn,seed,\
         throughput_ops,p50_us,p99_us,bottleneck_us,capacity_ops"
    )?;
    for sample in samples {
        let Place {
            replicas,
            clients,
            loss_ppm,
            reorder_ppm,
            rate_per_second,
        } = sample.place;
        let rate = rate_per_second.map_or_else(String::new, |rate| rate.to_string());
        write!(
            out,
            "{},{},{replicas},{clients},{loss_ppm},{reorder_ppm},{rate},{},{}",
            sample.contestant,
            sample.clock.label(),
            sample.turn,
            sample.seed
        )?;
        let numbers = &sample.numbers;
        for number in [
            numbers.throughput_ops,
            numbers.p50_us,
            numbers.p99_us,
            numbers.bottleneck_us,
            numbers.capacity_ops,
        ] {
            let text = number.map_or_else(String::new, |number| number.to_string());
            write!(out, ",{text}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv_has_place_clock_and_numbers() {
        let sample = Sample {
            contestant: "vr:unbatched".into(),
            clock: Clock::Virtual,
            place: Place {
                reorder_ppm: 1_000,
                ..Place::closed(5, 24).at_rate(30_000)
            },
            turn: 2,
            seed: 9,
            numbers: Numbers {
                throughput_ops: Some(80_000.5),
                p50_us: Some(24.4),
                ..Numbers::default()
            },
        };
        let mut out = Vec::new();
        write_csv(&mut out, std::slice::from_ref(&sample)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (head, line) = text.trim_end().split_once('\n').unwrap();
        assert_eq!(
            line,
            "vr:unbatched,virtual,5,24,0,1000,30000,2,9,80000.5,24.4,,,"
        );
        assert_eq!(head.split(',').count(), line.split(',').count());
        assert_eq!(
            sample.place.to_string(),
            "5 replicas, 24 clients, 0.1 % overtaken, 30000 requests/s"
        );
        let json = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&json).unwrap(), sample);
    }
}
