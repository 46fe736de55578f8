//! Golden texts, every error a user can cause, and parsers under arbitrary input.

use super::*;
use proptest::prelude::*;

const TOML: &str = r#"
[[switch]]
name = "s1"
address = "127.0.0.1:9559"
device_id = 1

[[host]]
name = "h1"
ip = "10.0.0.1"
mac = "02:00:0a:00:00:01"
port = "s1:1"

[[host]]
name = "h2"
ip = "10.0.0.2"
mac = "02:00:0a:00:00:02"
port = "s1:2"

[[group]]
id = 1
name = "kv"
members = ["h1:9771", "h2"]
round_shift = 12
"#;

fn refused(change: impl FnOnce(&mut Topology)) -> String {
    let mut topology = Topology::from_toml(TOML).expect("valid");
    change(&mut topology);
    topology
        .validate()
        .expect_err("changed to something wrong")
        .to_string()
}

#[test]
fn single_has_the_addresses_of_its_documentation() {
    let topology = Topology::from_spec("single,250").expect("as many as can be");
    topology.validate().expect("valid");
    let last = topology.host("h250").expect("the last host");
    assert_eq!(last.ip, Ipv4Addr::new(10, 0, 0, 250));
    assert_eq!(last.mac.to_string(), "02:00:0a:00:00:fa");
    assert_eq!(last.port.to_string(), "s1:250");
    assert_eq!(topology.switches[0].address, DEFAULT_ADDRESS);
    assert_eq!(topology.switches[0].device_id, 1);
    assert_eq!(
        Topology::from_spec("single,k=3")
            .expect("by name")
            .hosts
            .len(),
        3
    );
    assert_eq!(
        Topology::from_spec("single")
            .expect("Mininet's default")
            .hosts
            .len(),
        2
    );
}

#[test]
fn a_wrong_spec_is_refused_with_what_is_valid() {
    for (wrong, part) in [
        ("singel,3", "did you mean \"single\"?"),
        (
            "tree,depth=2",
            "valid is single,N, dual-root,N, or a TOML file",
        ),
        ("", "valid is single,N, dual-root,N, or a TOML file"),
        ("single,0", "valid is single,1 to single,250"),
        ("single,251", "valid is single,1 to single,250"),
        ("single,+3", "\"+3\" is no number of hosts"),
        ("single,3,4", "\"3,4\" is no number of hosts"),
        ("single,99999999999", "is no number of hosts"),
    ] {
        let error = Topology::from_spec(wrong).expect_err(wrong).to_string();
        assert!(error.contains(part), "{wrong}: {error}");
    }
}

#[test]
fn toml_is_read_and_written() {
    let topology = Topology::from_toml(TOML).expect("valid");
    let group = &topology.groups[0];
    assert_eq!(group.address(), Ipv4Addr::new(239, 77, 0, 1));
    assert_eq!(
        group.members[0],
        Member {
            host: "h1".to_owned(),
            udp_port: 9771
        }
    );
    assert_eq!(group.members[1].udp_port, wire::STAMP_PORT);
    assert_eq!((group.round_shift, group.stamps), (12, true));
    assert_eq!(
        topology.root_of(group).map(|root| root.name.as_str()),
        Some("s1")
    );
    let text = topology.to_toml().expect("text");
    assert_eq!(Topology::from_toml(&text).expect("own text"), topology);
}

#[test]
fn what_the_parser_of_fields_refuses_names_the_place() {
    for (from, to, part) in [
        ("name = \"kv\"", "nmae = \"kv\"", "unknown field `nmae`"),
        ("id = 1\nname", "id = 65536\nname", "65536"),
        ("\"10.0.0.2\"", "\"10.0.0\"", "IPv4"),
        ("02:00:0a:00:00:02", "02:00", "is no MAC address"),
        (
            "\"s1:2\"",
            "\"s1\"",
            "is no port of a switch; valid is switch:port such as s1:1",
        ),
        (
            "h1:9771",
            "h1:99999",
            "is no member of a group; valid is host:port such as h1:9770",
        ),
    ] {
        assert!(TOML.contains(from), "{from}");
        let error = Topology::from_toml(&TOML.replace(from, to))
            .expect_err(to)
            .to_string();
        assert!(error.contains(part), "{to}: {error}");
    }
}

/// What the error says, and what leads to it.
type Case = (&'static str, fn(&mut Topology));

fn all_refused(cases: &[Case]) {
    for (expected, change) in cases {
        let error = refused(change);
        assert!(
            error.contains(expected),
            "wanted {expected:?}, got {error:?}"
        );
    }
}

#[test]
fn wrong_switches_are_refused() {
    all_refused(&[
        ("number of switches is 0; valid is 1 to", |it| {
            it.switches.clear();
        }),
        ("address is 127.0.0.1; valid is host:port", |it| {
            it.switches[0].address = "127.0.0.1".to_owned();
        }),
        ("device_id is 0; valid is 1 or more", |it| {
            it.switches[0].device_id = 0;
        }),
        ("switch s1: name s1 belongs to switch s1 already", |it| {
            it.switches.push(it.switches[0].clone());
        }),
        (
            "switch s2: device 1 at 127.0.0.1:9559 belongs to switch s1",
            |it| {
                let name = "s2".to_owned();
                it.switches.push(Switch {
                    name,
                    ..it.switches[0].clone()
                });
            },
        ),
    ]);
}

#[test]
fn wrong_hosts_are_refused() {
    all_refused(&[
        ("host: name is \"a b\"; valid is", |it| {
            it.hosts[0].name = "a b".to_owned();
        }),
        ("host h1: name h1 belongs to host h1", |it| {
            it.hosts[1].name = "h1".to_owned();
        }),
        ("host h2: ip 10.0.0.1 belongs to host h1", |it| {
            it.hosts[1].ip = it.hosts[0].ip;
        }),
        (
            "host h1: ip is 239.77.0.1; valid is an address of one host",
            |it| {
                it.hosts[0].ip = Ipv4Addr::new(239, 77, 0, 1);
            },
        ),
        ("host h2: mac 02:00:0a:00:00:01 belongs", |it| {
            it.hosts[1].mac = it.hosts[0].mac;
        }),
        ("host h1: mac is 01:00:5e:00:00:01; valid is", |it| {
            it.hosts[0].mac = MacAddress([1, 0, 0x5e, 0, 0, 1]);
        }),
        ("host h2: port s1:1 belongs to host h1", |it| {
            it.hosts[1].port.port = 1;
        }),
        ("host h1: port is 511; valid is 1 to 510", |it| {
            it.hosts[0].port.port = 511;
        }),
        ("host h1: there is no switch \"s2\"; there are s1", |it| {
            it.hosts[0].port.switch = "s2".to_owned();
        }),
    ]);
}

#[test]
fn wrong_groups_are_refused() {
    all_refused(&[
        ("group kv: id is 0; valid is 1 to 65535", |it| {
            it.groups[0].id = 0;
        }),
        ("group kv: round_shift is 31; valid is 0 to 30", |it| {
            it.groups[0].round_shift = 31;
        }),
        ("group kv: number of members is 0; valid is 1 to 32", |it| {
            it.groups[0].members.clear();
        }),
        ("group kv: there is no host \"h12\", did you mean", |it| {
            it.groups[0].members[0].host = "h12".to_owned();
        }),
        (
            "group kv member 1: address h1:9771 belongs to group kv member 0",
            |it| {
                let first = it.groups[0].members[0].clone();
                it.groups[0].members[1] = first;
            },
        ),
        ("group kv: name kv belongs to group kv", |it| {
            it.groups.push(it.groups[0].clone());
        }),
    ]);
}

#[test]
fn a_group_at_two_switches_has_no_root() {
    let error = refused(|it| {
        let (name, device_id) = ("s2".to_owned(), 2);
        it.switches.push(Switch {
            name,
            device_id,
            ..it.switches[0].clone()
        });
        it.hosts[1].port.switch = "s2".to_owned();
    });
    assert!(
        error.contains("member h1 is at switch s1, but h2 at s2"),
        "{error}"
    );
}

#[test]
fn a_refused_group_is_not_added() {
    let mut topology = Topology::single(3).expect("three hosts");
    topology
        .add_group(Group::of_hosts(1, ["h4"]))
        .expect_err("no such host");
    assert_eq!(topology.groups, []);
    topology
        .add_group(Group::of_hosts(1, ["h1", "h3"]))
        .expect("both exist");
    assert_eq!(topology.groups.len(), 1);
}

#[test]
fn a_missing_file_is_told_by_name() {
    let error = Topology::load(Path::new("/nonexistent/net.toml")).expect_err("missing");
    assert!(
        error.to_string().contains("/nonexistent/net.toml"),
        "{error}"
    );
}

fn any_topology() -> impl Strategy<Value = Topology> {
    let groups = proptest::collection::vec((1_u8..=5, 0_u8..=30, any::<bool>()), 0..5);
    (5_u16..=20, groups).prop_map(|(hosts, groups)| {
        let mut topology = Topology::single(hosts).expect("in range");
        for (id, (members, round_shift, stamps)) in (1..).zip(groups) {
            let names: Vec<String> = (1..=members).map(|host| format!("h{host}")).collect();
            let group = Group::of_hosts(id, names.iter().map(String::as_str));
            topology
                .add_group(Group {
                    round_shift,
                    stamps,
                    ..group
                })
                .expect("valid");
        }
        topology
    })
}

/// Lines of a valid file, shuffled, repeated, cut and with other values.
fn almost_toml() -> impl Strategy<Value = String> {
    let line = proptest::sample::select(TOML.lines().collect::<Vec<_>>());
    let value = "[\"\\[\\]{}=a-z0-9.:, -]{0,12}";
    let changed = (line, proptest::option::of(value)).prop_map(|(line, value)| {
        match (line.split_once('='), value) {
            (Some((name, _)), Some(value)) => format!("{name}={value}"),
            _ => line.to_owned(),
        }
    });
    proptest::collection::vec(changed, 0..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn every_topology_survives_its_text(topology in any_topology()) {
        let text = topology.to_toml().expect("text");
        prop_assert_eq!(Topology::from_toml(&text).expect("own text"), topology);
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,300}") {
        let _ = Topology::from_toml(&text);
        let _ = Topology::from_spec(&text);
        let _ = text.parse::<SwitchPort>();
        let _ = text.parse::<Member>();
    }

    #[test]
    fn almost_valid_text_never_panics(text in almost_toml()) {
        if let Ok(topology) = Topology::from_toml(&text) {
            topology.validate().expect("what was read is valid");
        }
    }

    #[test]
    fn any_count_is_read_or_refused(text in "single,(k=)?[0-9+-]{0,6}") {
        if let Ok(topology) = Topology::from_spec(&text) {
            topology.validate().expect("what was read is valid");
            prop_assert!((1..=usize::from(MAX_SINGLE_HOSTS)).contains(&topology.hosts.len()));
        }
    }
}

#[test]
fn dual_root_has_a_leaf_and_two_roots_and_goes_through_toml() {
    let mut topology = Topology::from_spec("dual-root,3").expect("three hosts");
    topology
        .add_group(Group::of_hosts(1, ["h1", "h2", "h3"]))
        .expect("a group");
    let links: Vec<String> = topology
        .links
        .iter()
        .map(|link| format!("{} {}", link.leaf, link.root))
        .collect();
    assert_eq!(links, ["s1:4 s2:1", "s1:5 s3:1"]);
    let roots = topology.roots_of(&topology.groups[0]);
    let mut names: Vec<&str> = roots.iter().map(|root| root.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["s2", "s3"]);
    assert_eq!(topology.groups[0].mac().to_string(), "01:00:5e:4d:00:01");
    let text = topology.to_toml().expect("text");
    assert_eq!(Topology::from_toml(&text).expect("own text"), topology);
}

#[test]
fn links_that_nobody_plans_are_refused_with_the_reason() {
    let wrong = |change: &dyn Fn(&mut Topology)| {
        let mut topology = Topology::dual_root(3).expect("three hosts");
        change(&mut topology);
        topology.validate().expect_err("wrong").to_string()
    };
    let port = |text: &str| text.parse().expect("a port");
    for (change, part) in [
        (
            &(|it: &mut Topology| it.links[0].root = port("s9:1")) as &dyn Fn(&mut Topology),
            "there is no switch \"s9\"",
        ),
        (
            &|it: &mut Topology| it.links[0].leaf = port("s1:1"),
            "port s1:1 belongs to host h1 already",
        ),
        (
            &|it: &mut Topology| it.links[1].root = port("s2:2"),
            "belongs to link s1:4 to s2:1 already",
        ),
        (
            &|it: &mut Topology| it.links[1].leaf = port("s2:2"),
            "its lower end is at another switch",
        ),
        (
            &|it: &mut Topology| it.links[1].root = port("s1:9"),
            "there are hosts at its upper end",
        ),
    ] {
        let error = wrong(change);
        assert!(error.contains(part), "{error}");
    }
    for (wrong, part) in [
        ("dual-root,0", "valid is dual-root,1 to dual-root,250"),
        ("dualroot,3", "did you mean \"dual-root\"?"),
    ] {
        let error = Topology::from_spec(wrong).expect_err(wrong).to_string();
        assert!(error.contains(part), "{wrong}: {error}");
    }
}
