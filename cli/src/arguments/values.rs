//! Values of flags that have a form of their own: names to choose from, times, lists.

use bench::keys::{Distribution, MAX_EXPONENT_THOUSANDTHS};
use bmv2_testbed::{Fabric, ProtocolName, Shape};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use sim::profile::Profile;
use std::str::FromStr;
use std::sync::LazyLock;

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// It is done.
    On,
    /// It is not.
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// A fault profile's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultsArgument(pub(crate) Profile);

impl ValueEnum for FaultsArgument {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [FaultsArgument; Profile::ALL.len()] = {
            let mut all = [FaultsArgument(Profile::None); Profile::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = FaultsArgument(Profile::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// A time with its unit, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VirtualTime(pub(crate) u64);

impl FromStr for VirtualTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time; valid is a whole number with ns, us, ms or s");
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        // Times are added up: a century is enough, and none overflows.
        let most = 1 << 61;
        let nanoseconds = number.checked_mul(factor).filter(|ns| *ns <= most);
        nanoseconds.map(Self).ok_or_else(wrong)
    }
}

/// The exponent that YCSB has, in thousandths.
const YCSB_EXPONENT: u32 = 990;

/// Which keys are asked for more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeysLike(pub(crate) Distribution);

impl FromStr for KeysLike {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, exponent) = match text.split_once(':') {
            None => (text, YCSB_EXPONENT),
            Some((name, exponent)) => match thousandths(exponent) {
                Some(thousandths) => (name, thousandths),
                None => {
                    return Err(format!(
                        "{exponent:?} is no exponent; valid is 0 to 5 with at most three \
                         decimals, such as 0.99"
                    ));
                }
            },
        };
        match name {
            "uniform" if text == name => Ok(Self(Distribution::Uniform)),
            "zipf" => Ok(Self(Distribution::Zipf {
                exponent_thousandths: exponent,
            })),
            "latest" => Ok(Self(Distribution::Latest {
                exponent_thousandths: exponent,
            })),
            _ => Err(format!(
                "{text:?} is no distribution of keys; valid are uniform, zipf, latest, and such as \
                 zipf:0.8 or latest:0.8"
            )),
        }
    }
}

/// A decimal number up to 5, in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    let whole: u32 = whole.parse().ok()?;
    let sum = whole.checked_mul(1_000)?.checked_add(part)?;
    (sum <= MAX_EXPONENT_THOUSANDTHS).then_some(sum)
}

/// How switches are wired, and how many replicas there are: `single,3` or `dual-root,3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopologyArgument {
    pub(crate) shape: Shape,
    /// Without a number, as many as `--replicas` says.
    pub(crate) replicas: Option<usize>,
}

impl FromStr for TopologyArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = match text.split_once(',') {
            Some((name, count)) => (name, Some(count.strip_prefix("k=").unwrap_or(count))),
            None => (text, None),
        };
        let shape = Shape::ALL.into_iter().find(|shape| shape.name() == name);
        let shape = shape.ok_or_else(|| {
            format!(
                "{name:?} is no topology of a deployment; valid are single,N (one switch) and \
                 dual-root,N (a leaf and two roots) for N replicas, whose front door comes besides"
            )
        })?;
        let number = |count: &str| {
            let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
            let number = is_number.then(|| count.parse().ok()).flatten();
            number.ok_or_else(|| format!("{count:?} is no number of replicas; valid is such as 3"))
        };
        Ok(Self {
            shape,
            replicas: count.map(number).transpose()?,
        })
    }
}

/// Numbers of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnlyFaults(pub(crate) Vec<usize>);

impl FromStr for OnlyFaults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let number = |part: &str| {
            part.parse()
                .map_err(|_| format!("{part:?} is no number; valid is such as 3,7 or none"))
        };
        text.split(',')
            .map(number)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A protocol's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protocol(pub(crate) ProtocolName);

impl ValueEnum for Protocol {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<[Protocol; ProtocolName::ALL.len()]> =
            LazyLock::new(|| ProtocolName::ALL.map(Protocol));
        &*ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// The variant of a protocol that sends each request alone.
const UNBATCHED: &str = "unbatched";
/// The variant whose replicas do not ask each other for packets that they missed.
const GAP_UNAWARE: &str = "gap-unaware";

/// A protocol as it takes part in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contestant {
    pub(crate) protocol: ProtocolName,
    pub(crate) batching: bool,
    pub(crate) gap_awareness: bool,
}

impl Contestant {
    /// Its name on the command line and in results.
    pub(crate) fn name(self) -> String {
        let name = self.protocol.name();
        match (self.batching, self.gap_awareness) {
            (false, _) => format!("{name}:{UNBATCHED}"),
            (true, false) => format!("{name}:{GAP_UNAWARE}"),
            (true, true) => name.to_owned(),
        }
    }
}

impl FromStr for Contestant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, variant) = match text.split_once(':') {
            None => (text, None),
            Some((name, variant)) => (name, Some(variant)),
        };
        if let Some(other) = variant.filter(|name| ![UNBATCHED, GAP_UNAWARE].contains(name)) {
            return Err(format!(
                "{other:?} is no variant; valid are {UNBATCHED} and {GAP_UNAWARE}"
            ));
        }
        let batching = variant != Some(UNBATCHED);
        let gap_awareness = variant != Some(GAP_UNAWARE);
        let protocol = ProtocolName::of_name(name).ok_or_else(|| {
            let valid = ProtocolName::ALL.map(ProtocolName::name).join(", ");
            format!("there is no protocol {name:?}; valid are {valid}")
        })?;
        if !batching && !protocol.has_batches_to_leave_out() {
            return Err(format!("protocol {name} has no batches to leave out"));
        }
        if !gap_awareness && protocol != ProtocolName::SpecPaxos {
            return Err(format!(
                "{GAP_UNAWARE} is a variant of spec-paxos only, not of {name}"
            ));
        }
        Ok(Self {
            protocol,
            batching,
            gap_awareness,
        })
    }
}

/// A fabric's name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FabricArgument(pub(crate) Fabric);

impl ValueEnum for FabricArgument {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(Fabric::Embedded),
            Self(Fabric::Tunnel),
            Self(Fabric::Netns),
            Self(Fabric::Bmv2),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contestants_are_protocols_and_variants() {
        for name in [
            "rounds",
            "vr",
            "vr:unbatched",
            "spec-paxos:gap-unaware",
            "unreplicated",
        ] {
            assert_eq!(name.parse::<Contestant>().unwrap().name(), name);
        }
        for wrong in ["paxos", "rounds:unbatched", "vr:fast", "vr:gap-unaware"] {
            assert!(wrong.parse::<Contestant>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_uniform_or_as_zipf_has_them() {
        let parse = |text: &str| text.parse::<KeysLike>().map(|keys| keys.0);
        let zipf = |exponent_thousandths| {
            Ok(Distribution::Zipf {
                exponent_thousandths,
            })
        };
        assert_eq!(parse("uniform"), Ok(Distribution::Uniform));
        assert_eq!((parse("zipf"), parse("zipf:0.8")), (zipf(990), zipf(800)));
        let latest = |exponent_thousandths| {
            Ok(Distribution::Latest {
                exponent_thousandths,
            })
        };
        assert_eq!(parse("latest"), latest(990));
        assert_eq!(parse("latest:0.8"), latest(800));
        assert_eq!(
            (parse("zipf:5"), parse("zipf:1.005")),
            (zipf(5_000), zipf(1_005))
        );
        for wrong in [
            "zipf:5.001",
            "zipf:",
            "zipf:1.",
            "zipf:x",
            "uniform:1",
            "newest",
            "zipf:0.1234",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("valid"), "{error}");
        }
    }

    #[test]
    fn a_topology_has_a_shape_and_perhaps_a_size() {
        let parse = |text: &str| text.parse::<TopologyArgument>();
        let expected = |shape, replicas| Ok(TopologyArgument { shape, replicas });
        assert_eq!(parse("dual-root,5"), expected(Shape::DualRoot, Some(5)));
        assert_eq!(parse("dual-root"), expected(Shape::DualRoot, None));
        assert_eq!(parse("single,k=3"), expected(Shape::Single, Some(3)));
        let refused = parse("linear,4").unwrap_err();
        assert!(refused.contains("dual-root,N"), "{refused}");
        let refused = parse("single,+3").unwrap_err();
        assert!(refused.contains("\"+3\" is no number"), "{refused}");
    }
}
