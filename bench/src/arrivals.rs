//! When a client means to ask: closed and open loops.
//!
//! In a closed loop a client asks again when it was answered, so a slow system is asked less often
//! and its slowness hides. In an open loop the times are set beforehand; latency counts from the
//! intended time, however late the request was really sent. Times are nanoseconds since the start
//! of the run. Nothing here waits.

use serde::{Deserialize, Serialize};

use crate::random::{Purpose, Random};

/// Highest rate of an open loop.
pub const MAX_RATE_PER_SECOND: u64 = 1_000_000_000;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// How requests of all clients together arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrivals {
    /// Each client asks as soon as it was answered and has thought.
    Closed {
        /// Time between an answer and the next request, in µs.
        think_us: u64,
    },
    /// One request of some client every 1/rate seconds.
    Constant {
        /// Requests of all clients per second, 1 to [`MAX_RATE_PER_SECOND`].
        rate_per_second: u64,
    },
    /// Independent arrivals: the gaps are exponentially distributed.
    Poisson {
        /// Mean requests of all clients per second, 1 to [`MAX_RATE_PER_SECOND`].
        rate_per_second: u64,
    },
}

/// What makes arrivals impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalsError {
    /// A rate out of range.
    #[error("{rate_per_second} requests per second: give 1 to {MAX_RATE_PER_SECOND}")]
    Rate {
        /// The rate asked for.
        rate_per_second: u64,
    },
    /// A client that is not among the clients.
    #[error("client {client} of {clients}: clients count from 0")]
    Client {
        /// Index of the client.
        client: u32,
        /// Number of clients.
        clients: u32,
    },
}

/// The intended start times of one client, in ns since the start of the run.
#[derive(Clone, Debug)]
pub struct Schedule {
    arrivals: Arrivals,
    client: u32,
    clients: u32,
    issued: u64,
    latest_ns: u64,
    random: Random,
}

impl Schedule {
    /// The schedule of client `client` of `clients`, which share the rate evenly.
    pub fn new(
        arrivals: Arrivals,
        seed: u64,
        client: u32,
        clients: u32,
    ) -> Result<Self, ArrivalsError> {
        if client >= clients {
            return Err(ArrivalsError::Client { client, clients });
        }
        if let Some(rate_per_second) = arrivals.rate_per_second()
            && !(1..=MAX_RATE_PER_SECOND).contains(&rate_per_second)
        {
            return Err(ArrivalsError::Rate { rate_per_second });
        }
        let random = Random::new(seed, client, Purpose::Arrivals);
        Ok(Self {
            arrivals,
            client,
            clients,
            issued: 0,
            latest_ns: 0,
            random,
        })
    }

    /// When the client means to send its next request, given when it got its last answer (0
    /// before the first). An open loop does not care; the time may well be past.
    pub fn next_start_ns(&mut self, last_answer_ns: u64) -> u64 {
        let start_ns = match self.arrivals {
            Arrivals::Closed { think_us } => {
                // A client does not think before its first request.
                let think_ns = if self.issued == 0 {
                    0
                } else {
                    think_us.saturating_mul(1000)
                };
                last_answer_ns.saturating_add(think_ns)
            }
            Arrivals::Constant { rate_per_second } => {
                // From the number of the request, not from the last time: roundings do not add up.
                // The clients take turns, so that together they are as even as one.
                let number =
                    u128::from(self.issued) * u128::from(self.clients) + u128::from(self.client);
                let ns = number * u128::from(NANOSECONDS_PER_SECOND) / u128::from(rate_per_second);
                u64::try_from(ns).unwrap_or(u64::MAX)
            }
            Arrivals::Poisson { rate_per_second } => self
                .latest_ns
                .saturating_add(self.exponential_gap_ns(rate_per_second)),
        };
        self.issued += 1;
        self.latest_ns = start_ns;
        start_ns
    }

    /// A gap with the mean of one client's share of the rate.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rate is at most 2^30; the gap is at least 0 and rounds to whole ns"
    )]
    fn exponential_gap_ns(&mut self, rate_per_second: u64) -> u64 {
        let mean_ns =
            NANOSECONDS_PER_SECOND as f64 * f64::from(self.clients) / rate_per_second as f64;
        libm::round(-libm::log(self.random.unit()) * mean_ns) as u64
    }
}

impl Arrivals {
    /// The rate of an open loop, of all clients together; `None` for a closed one.
    pub fn rate_per_second(&self) -> Option<u64> {
        match self {
            Self::Closed { .. } => None,
            Self::Constant { rate_per_second } | Self::Poisson { rate_per_second } => {
                Some(*rate_per_second)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(arrivals: Arrivals, client: u32, clients: u32) -> Schedule {
        Schedule::new(arrivals, 9, client, clients).unwrap()
    }

    #[test]
    fn closed_loop_follows_the_answers() {
        let mut closed = schedule(Arrivals::Closed { think_us: 5 }, 0, 1);
        assert_eq!(closed.next_start_ns(0), 0);
        assert_eq!(closed.next_start_ns(1_200), 6_200);
        assert_eq!(closed.next_start_ns(u64::MAX), u64::MAX);
    }

    #[test]
    fn constant_rate_is_even_over_all_clients_and_does_not_drift() {
        let arrivals = Arrivals::Constant { rate_per_second: 3 };
        let mut clients = [schedule(arrivals, 0, 2), schedule(arrivals, 1, 2)];
        let starts: Vec<u64> = (0..6)
            .map(|turn: usize| clients[turn % 2].next_start_ns(u64::MAX))
            .collect();
        assert_eq!(
            starts,
            [
                0,
                333_333_333,
                666_666_666,
                1_000_000_000,
                1_333_333_333,
                1_666_666_666
            ]
        );
        let mut long = schedule(Arrivals::Constant { rate_per_second: 7 }, 0, 1);
        let last = (0..=7_000_000).map(|_| long.next_start_ns(0)).last();
        assert_eq!(last, Some(1_000_000 * NANOSECONDS_PER_SECOND));
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let mut poisson = schedule(
            Arrivals::Poisson {
                rate_per_second: 1000,
            },
            1,
            4,
        );
        let (mut last, mut sum, mut squares, mut short) = (0, 0.0, 0.0, 0);
        let draws = 100_000_u32;
        for _ in 0..draws {
            let start = poisson.next_start_ns(0);
            // In units of the mean gap of one client: 4 ms.
            let gap = f64::from(u32::try_from(start - last).unwrap()) / 4e6;
            last = start;
            sum += gap;
            squares += gap * gap;
            short += u32::from(gap < std::f64::consts::LN_2);
        }
        let mean = sum / f64::from(draws);
        let second_moment = squares / f64::from(draws);
        assert!((mean - 1.0).abs() < 0.02, "mean {mean}");
        assert!(
            (second_moment - 2.0).abs() < 0.12,
            "second moment {second_moment}"
        );
        assert!(short.abs_diff(draws / 2) < 1000, "median {short}");
    }

    #[test]
    fn a_schedule_depends_on_seed_and_client() {
        let arrivals = Arrivals::Poisson {
            rate_per_second: 1000,
        };
        let take = |seed, client| -> Vec<u64> {
            let mut schedule = Schedule::new(arrivals, seed, client, 8).unwrap();
            (0..20).map(|_| schedule.next_start_ns(0)).collect()
        };
        assert_eq!(take(1, 2), take(1, 2));
        assert_ne!(take(1, 2), take(1, 3));
        assert_ne!(take(1, 2), take(2, 2));
    }

    #[test]
    fn impossible_arrivals_say_what_is_possible() {
        let message = |arrivals, client, clients| {
            Schedule::new(arrivals, 0, client, clients)
                .unwrap_err()
                .to_string()
        };
        let none = Arrivals::Constant { rate_per_second: 0 };
        assert_eq!(
            message(none, 0, 1),
            "0 requests per second: give 1 to 1000000000"
        );
        let much = Arrivals::Poisson {
            rate_per_second: MAX_RATE_PER_SECOND + 1,
        };
        assert!(message(much, 0, 1).ends_with("give 1 to 1000000000"));
        let closed = Arrivals::Closed { think_us: 0 };
        assert_eq!(message(closed, 2, 2), "client 2 of 2: clients count from 0");
    }
}
