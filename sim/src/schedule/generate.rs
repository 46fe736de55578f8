//! A schedule from a seed and a profile.

use super::{Between, Fault, HostSet, Item, Lie, Noise, Snare, Turnover, Way, beats};
use crate::draw::{ALWAYS_PPM, Draw, Purpose};
use crate::profile::Kind;
use crate::settings::{MS, Settings};
use wire::Tick;

/// Nanoseconds in a microsecond.
const US: u64 = 1_000;

/// So long after a beat clients are busy.
const NEAR_NS: u64 = 100 * US;

/// How long a siege lasts: several view changes.
const SIEGE_NS: u64 = 40 * MS;

/// How long a snare lies: epochs that do not begin are given up meanwhile, one after the other,
/// each later than the one before.
const SNARE_NS: u64 = 120 * MS;

/// A siege is laid to one of the first clients, which every run has.
const FIRST_CLIENTS: u64 = 5;

/// Who leaves and who comes in is counted round over fewer.
const MAX_CHANGED: u64 = 16;

/// All faults of the run with this seed, in the order of their numbers; only those that the
/// settings ask for.
pub fn generate(settings: &Settings, seed: u64) -> Vec<Item> {
    let mut maker = Maker {
        draw: Draw::new(seed, Purpose::Schedule),
        replicas: settings.known_of(seed),
        span: settings.fault_ns,
        beats: beats(seed, settings.fault_ns),
        items: Vec::new(),
    };
    for kind in settings.profile.always() {
        maker.add(*kind);
    }
    let kinds = settings.profile.kinds();
    let (fewest, most) = settings.profile.count();
    for _ in 0..maker.draw.between(fewest, most) {
        let kind = maker.draw.pick(kinds);
        maker.add(kind);
    }
    if settings.steady != Noise::default() {
        let noise = settings.steady;
        maker.push((0, settings.fault_ns), all_wires(noise));
    }
    let wanted = |item: &Item| {
        let only = settings.only_faults.as_ref();
        only.is_none_or(|numbers| numbers.contains(&item.number))
    };
    maker.items.into_iter().filter(wanted).collect()
}

struct Maker {
    draw: Draw,
    replicas: usize,
    span: u64,
    beats: Vec<Tick>,
    items: Vec<Item>,
}

impl Maker {
    /// See [`Kind::Churn`].
    fn churn(&mut self) {
        let beat = self.begin();
        let deaf = self.partition(Between::ClientsAndReplicas);
        self.push((beat.saturating_sub(NEAR_NS), beat + NEAR_NS), deaf);
        let mut from = beat + self.draw.below(2 * NEAR_NS);
        for _ in 0..self.draw.between(2, 5) {
            let alone = Fault::Partition {
                hosts: HostSet {
                    replicas: 1 << self.replica(),
                    clients: 0,
                },
                between: Between::Replicas,
                one_way: false,
                resets: self.draw.below(2) == 0,
            };
            let longest = self.draw.pick(&[100 * US, 400 * US, 3 * MS, 30 * MS]);
            let until = from + self.draw.between(longest / 4, longest);
            self.push((from, until), alone);
            from = until;
        }
    }

    /// See [`Kind::Siege`].
    fn siege(&mut self) {
        let beat = self.begin();
        let heard_by = 1_u16 << self.replica();
        let lasts = (beat.saturating_sub(NEAR_NS), beat + SIEGE_NS);
        let deaf = Fault::Partition {
            hosts: HostSet {
                replicas: !heard_by,
                clients: 1 << self.draw.below(FIRST_CLIENTS),
            },
            between: Between::ClientsAndReplicas,
            one_way: false,
            resets: false,
        };
        self.push(lasts, deaf);
        let ambush = self.ambush();
        self.push(lasts, ambush);
    }

    /// An ambush for what members say of epochs, from a time on at which clients ask.
    fn snare(&mut self, kind: Kind) {
        let snare = match kind {
            Kind::LostLock => Snare::LostLock,
            Kind::LostPromise => Snare::LostPromise,
            _ => Snare::Newcomers,
        };
        let beat = self.begin();
        let lasts = (beat.saturating_sub(NEAR_NS), beat + SNARE_NS);
        self.push(lasts, Fault::Snare { snare });
        if snare == Snare::Newcomers {
            let turnover = Turnover {
                out: Some(self.changed()),
                come: Some(self.changed()),
            };
            self.push((beat, beat + SNARE_NS), Fault::ChangeMembers { turnover });
        }
    }

    /// See [`Kind::EachWithDisk`]. A replica has as long to find its place again as it was down,
    /// and longer, before the next one ends.
    fn each(&mut self, keeps_disk: bool) {
        let turn = self.span / self.replicas as u64;
        let first = self.replica();
        for index in 0..self.replicas {
            let from = index as u64 * turn + self.draw.between(turn / 4, turn / 2);
            let until = from + self.draw.between(turn / 50, turn / 4);
            let crash = Fault::Crash {
                replica: (first + index) % self.replicas,
                keeps_disk,
            };
            self.push((from, until), crash);
        }
    }

    fn ambush(&mut self) -> Fault {
        Fault::Ambush {
            skip: usize::try_from(self.draw.below(self.replicas as u64 / 2 + 1)).expect("small"),
            at_commit: self.draw.below(3) == 0,
        }
    }

    fn add(&mut self, kind: Kind) {
        let Some(fault) = self.fault(kind) else {
            match kind {
                Kind::Siege => self.siege(),
                Kind::LostLock | Kind::LostPromise | Kind::Newcomers => self.snare(kind),
                Kind::EachWithDisk => self.each(true),
                Kind::EachWithoutDisk => self.each(false),
                _ => self.churn(),
            }
            return;
        };
        let (from, until) = match kind {
            Kind::SteadyLoss | Kind::SteadyReordering | Kind::Clock => (0, self.span),
            // While clients are busy, also those that never pause.
            Kind::RootDies => (self.draw.between(self.span / 4, self.span / 2), self.span),
            // Long enough to be noticed by some timers and not by others.
            _ => {
                let from = self.begin();
                let longest = self.draw.pick(&[MS / 5, 2 * MS, 20 * MS, 120 * MS]);
                let lasts = self.draw.between(longest / 10, longest);
                (from, from + lasts)
            }
        };
        self.push((from, until), fault);
    }

    fn push(&mut self, (from, until): (u64, u64), fault: Fault) {
        self.items.push(Item {
            number: self.items.len() + 1,
            from: Tick(from.min(self.span)),
            until: Tick(until.min(self.span)),
            fault,
        });
    }

    /// Any time, or, as often, one at which clients ask.
    fn begin(&mut self) -> u64 {
        if self.beats.is_empty() || self.draw.below(2) == 0 {
            return self.draw.below(self.span.max(1));
        }
        let beat = self.draw.pick(&self.beats);
        (beat.0 + self.draw.below(NEAR_NS)).min(self.span)
    }

    /// The one fault of a kind; `None` for a kind that is several.
    fn fault(&mut self, kind: Kind) -> Option<Fault> {
        Some(match kind {
            Kind::Churn
            | Kind::Siege
            | Kind::LostLock
            | Kind::LostPromise
            | Kind::Newcomers
            | Kind::EachWithDisk
            | Kind::EachWithoutDisk => return None,
            Kind::LightNoise => self.noise(2_000, 2_000, 10_000, 50 * US),
            Kind::HarshNoise => self.noise(200_000, 100_000, 300_000, 500 * US),
            Kind::SteadyLoss => all_wires(Noise {
                loss_ppm: self.draw.pick(&[100, 1_000, 10_000, 50_000]),
                ..Noise::default()
            }),
            Kind::SteadyReordering => self.steady_reordering(),
            Kind::Cut => Fault::Noise {
                hosts: self.one_host(),
                way: self.draw.pick(&[Way::Up, Way::Down, Way::Both]),
                noise: Noise {
                    loss_ppm: ALWAYS_PPM,
                    ..Noise::default()
                },
            },
            Kind::SlowLink => Fault::SlowLink {
                hosts: self.one_host(),
                divisor: self.draw.pick(&[10, 100, 1_000]),
                delay_ns: self.draw.between(0, 2_000) * US,
            },
            Kind::Detour => Fault::Detour {
                hosts: self.some_replicas(),
                delay_ns: self.draw.between(20, 800) * US,
            },
            Kind::Ambush => self.ambush(),
            Kind::Partition => self.partition(Between::Everybody),
            Kind::Split => self.partition(Between::Replicas),
            Kind::Deaf => self.partition(Between::ClientsAndReplicas),
            Kind::Clock => Fault::Clock {
                replica: self.replica(),
                offset_ns: self.draw.between(0, 5_000_000) * US,
                drift_ppm: self.draw.pick(&[-50_000, -500, -20, 20, 500, 50_000]),
            },
            Kind::CrashWithDisk => Fault::Crash {
                replica: self.replica(),
                keeps_disk: true,
            },
            Kind::CrashWithoutDisk => Fault::Crash {
                replica: self.replica(),
                keeps_disk: false,
            },
            Kind::CrashForGood => Fault::Stop {
                replica: self.replica(),
            },
            Kind::FullDisk => Fault::FullDisk {
                replica: self.replica(),
            },
            Kind::SlowDisk => Fault::SlowDisk {
                replica: self.replica(),
                latency_ns: self.draw.between(100, 50_000) * US,
            },
            Kind::RootReboot => Fault::RootReboot,
            Kind::RootVanishes => Fault::RootVanishes,
            Kind::RootLies => Fault::RootLies {
                lie: self.lie(),
                noticed: self.draw.below(2) == 0,
            },
            Kind::RootDies => Fault::RootDies,
            Kind::ChangeMembers => self.change_members(),
            Kind::ControllerRestart => Fault::ControllerRestart,
        })
    }

    fn steady_reordering(&mut self) -> Fault {
        Fault::Noise {
            hosts: HostSet::ALL,
            way: Way::Down,
            noise: Noise {
                reorder_ppm: self.draw.pick(&[50_000, 100_000, 200_000]),
                reorder_ns: self.draw.between(20, 200) * US,
                ..Noise::default()
            },
        }
    }

    fn noise(&mut self, loss: u64, duplicate: u64, reorder: u64, longest_ns: u64) -> Fault {
        let hosts = if self.draw.below(2) == 0 {
            HostSet::ALL
        } else {
            self.some_hosts()
        };
        let mut ppm = |most: u64| u32::try_from(self.draw.below(most + 1)).unwrap_or(ALWAYS_PPM);
        let noise = Noise {
            loss_ppm: ppm(loss),
            duplicate_ppm: ppm(duplicate),
            reorder_ppm: ppm(reorder),
            reorder_ns: self.draw.between(US, longest_ns),
        };
        Fault::Noise {
            hosts,
            way: Way::Both,
            noise,
        }
    }

    fn partition(&mut self, between: Between) -> Fault {
        Fault::Partition {
            hosts: self.some_hosts(),
            between,
            one_way: self.draw.below(3) == 0,
            resets: self.draw.below(2) == 0,
        }
    }

    fn lie(&mut self) -> Lie {
        let every = self.draw.pick(&[1, 2, 3, 7, 20]);
        match self.draw.below(6) {
            0 => Lie::Repeats { every },
            1 => Lie::TwoFaced {
                every,
                hosts: self.some_replicas(),
            },
            2 => Lie::CountsBack {
                // More than it goes back: else the count would stand.
                every: every + 10,
                by: self.draw.between(1, 9),
            },
            3 => Lie::RoundsRunBack {
                every,
                by_us: self.draw.pick(&[1, 300, 5_000, 1_000_000]),
            },
            4 => Lie::Forgets,
            _ => Lie::TwoRoots {
                hosts: self.some_replicas(),
            },
        }
    }

    fn some_replicas(&mut self) -> HostSet {
        HostSet {
            clients: 0,
            ..self.some_hosts()
        }
    }

    fn changed(&mut self) -> usize {
        usize::try_from(self.draw.below(MAX_CHANGED)).expect("small")
    }

    fn change_members(&mut self) -> Fault {
        let (out, come) = (self.changed(), self.changed());
        let turnover = match self.draw.below(4) {
            0 => Turnover {
                out: Some(out),
                come: None,
            },
            1 => Turnover {
                out: None,
                come: Some(come),
            },
            _ => Turnover {
                out: Some(out),
                come: Some(come),
            },
        };
        Fault::ChangeMembers { turnover }
    }

    fn replica(&mut self) -> usize {
        usize::try_from(self.draw.below(self.replicas as u64)).expect("a small group")
    }

    /// A replica, or now and then a client.
    fn one_host(&mut self) -> HostSet {
        if self.draw.below(4) == 0 {
            return HostSet {
                replicas: 0,
                clients: 1 << self.draw.below(64),
            };
        }
        HostSet {
            replicas: 1 << self.replica(),
            clients: 0,
        }
    }

    /// Some replicas, and clients as chance has it.
    fn some_hosts(&mut self) -> HostSet {
        let all = (1_u64 << self.replicas) - 1;
        let replicas = u16::try_from(self.draw.bits() & all).expect("at most 15 replicas");
        HostSet {
            replicas,
            clients: self.draw.bits(),
        }
    }
}

fn all_wires(noise: Noise) -> Fault {
    Fault::Noise {
        hosts: HostSet::ALL,
        way: Way::Both,
        noise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn a_seed_makes_one_schedule_whatever_clients_do() {
        for profile in Profile::ALL {
            let settings = Settings {
                profile,
                ..Settings::default()
            };
            let fewer = Settings {
                clients: 1,
                operations: 3,
                ..settings.clone()
            };
            for seed in 0..50 {
                assert_eq!(generate(&settings, seed), generate(&fewer, seed));
            }
        }
    }

    #[test]
    fn items_can_be_left_out_without_changing_the_others() {
        let settings = Settings::default();
        let all = generate(&settings, 4);
        assert!(all.len() > 2, "{all:?}");
        let some = Settings {
            only_faults: Some(vec![2]),
            ..settings
        };
        assert_eq!(generate(&some, 4), [all[1]]);
    }

    #[test]
    fn every_kind_of_fault_is_drawn_and_ends_in_time() {
        let settings = Settings::default();
        let items: Vec<Item> = (0..200)
            .flat_map(|seed| generate(&settings, seed))
            .collect();
        assert!(items.iter().all(|item| item.from <= item.until));
        assert!(items.iter().all(|item| item.until.0 <= settings.fault_ns));
        for word in [
            "noise",
            "do not hear",
            "from other replicas",
            "slow link",
            "partition",
            "clock",
            "survives",
            "is lost",
            "full disk",
            "slow disk",
            "reboots",
            "vanishes",
            "controller",
        ] {
            assert!(
                items.iter().any(|item| item.to_string().contains(word)),
                "{word}"
            );
        }
    }

    #[test]
    fn every_lie_is_told_and_only_where_lies_are_wanted() {
        for profile in Profile::ALL {
            let settings = Settings {
                profile,
                ..Settings::default()
            };
            let items: Vec<Item> = (0..200)
                .flat_map(|seed| generate(&settings, seed))
                .collect();
            for word in [
                "has the number of the one before",
                "get instead",
                "count goes back",
                "of a round",
                "registers are 0",
                "count of their own",
            ] {
                let told = items.iter().any(|item| item.to_string().contains(word));
                assert_eq!(told, profile.lies(), "{} {word}", profile.name());
            }
        }
    }

    #[test]
    fn a_rolling_restart_takes_each_replica_once_and_one_at_a_time() {
        for (profile, keeps) in [(Profile::Rolling, true), (Profile::RollingLost, false)] {
            let settings = Settings {
                profile,
                ..Settings::default()
            };
            for seed in 0..30 {
                let items = generate(&settings, seed);
                let mut ended: Vec<usize> = items
                    .iter()
                    .map(|item| match item.fault {
                        Fault::Crash {
                            replica,
                            keeps_disk,
                        } if keeps_disk == keeps => replica,
                        fault => panic!("{fault}"),
                    })
                    .collect();
                ended.sort_unstable();
                let all: Vec<usize> = (0..settings.replicas_of(seed)).collect();
                assert_eq!(ended, all);
                assert!(items.windows(2).all(|pair| {
                    let (down, up) = (pair[0].until.since(pair[0].from), pair[0].until);
                    pair[1].from.since(up) >= down
                }));
            }
        }
    }

    #[test]
    fn steady_noise_comes_last_and_lasts() {
        let plain = Settings::default();
        let steady = Settings {
            steady: Noise {
                loss_ppm: 10_000,
                ..Noise::default()
            },
            ..plain.clone()
        };
        let (without, with) = (generate(&plain, 3), generate(&steady, 3));
        assert_eq!(with[..without.len()], without);
        let last = with.last().unwrap();
        assert_eq!((last.from.0, last.until.0), (0, plain.fault_ns));
    }

    #[test]
    fn a_quiet_profile_has_no_faults() {
        let settings = Settings {
            profile: Profile::None,
            ..Settings::default()
        };
        assert!((0..100).all(|seed| generate(&settings, seed).is_empty()));
    }
}
