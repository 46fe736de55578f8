use super::*;
use proptest::prelude::*;

fn options(fabric: Fabric, replicas: usize, folder: &Path) -> Options {
    Options {
        fabric,
        gap_awareness: true,
        read_barrier: true,
        batching: true,
        application: Application::Kv,
        caller: Caller::Front,
        harm: Harm::default(),
        protocol: ProtocolName::SpecPaxos,
        topology: Shape::Single,
        replicas,
        spares: 0,
        mtu: 1_428,
        round_shift: 8,
        resp_port: 0,
        doors: 1,
        folder: folder.into(),
        unique: 7,
    }
}

#[test]
fn what_is_written_is_read_back() {
    for fabric in [
        Fabric::Embedded,
        Fabric::Tunnel,
        Fabric::Netns,
        Fabric::Bmv2,
    ] {
        let folder = tempfile::tempdir().unwrap();
        for topology in [Shape::Single, Shape::DualRoot] {
            let options = options(fabric, 5, folder.path());
            let planned = Deployment::plan(&Options {
                topology,
                ..options
            });
            let planned = planned.unwrap();
            planned.write().unwrap();
            assert_eq!(
                Deployment::read(&folder.path().join(FILE)).unwrap(),
                planned
            );
            let switches = planned.topology().unwrap().switches;
            let names: Vec<_> = switches.into_iter().map(|it| it.name).collect();
            assert_eq!(names, planned.switches().collect::<Vec<_>>());
        }
    }
}

#[test]
fn front_doors_have_successive_ports_or_free_ones_and_are_no_more_than_replicas() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |doors, resp_port| {
        Deployment::plan(&Options {
            resp_port,
            doors,
            ..options(Fabric::Tunnel, 3, folder.path())
        })
    };
    let ports = |deployment: Deployment| -> Vec<u16> {
        deployment.doors().map(|door| door.port()).collect()
    };
    assert_eq!(ports(plan(1, 6_380).unwrap()), [6_380]);
    assert_eq!(ports(plan(3, 65_533).unwrap()), [65_533, 65_534, 65_535]);
    let mut free = ports(plan(3, 0).unwrap());
    free.sort_unstable();
    free.dedup();
    assert_eq!(free.len(), 3);
    for (doors, resp_port, expected) in [
        (0, 0, "0 front doors are not possible: valid are 1 to 3"),
        (4, 0, "4 front doors are not possible: valid are 1 to 3"),
        (3, 65_534, "the last port is 65535"),
    ] {
        let error = plan(doors, resp_port).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_that_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let planned = Deployment::plan(&options(Fabric::Tunnel, 3, folder.path())).unwrap();
    let error = |deployment: Deployment| {
        deployment.write().unwrap();
        Deployment::read(&folder.path().join(FILE))
            .unwrap_err()
            .to_string()
    };
    let few = Deployment {
        tunnels: Vec::new(),
        ..planned.clone()
    };
    assert!(error(few).ends_with("has 4 tunnels, not 0"));
    let rootless = Deployment {
        topology: Shape::DualRoot,
        ..planned.clone()
    };
    assert!(error(rootless).ends_with("has 2 tunnels between switches, not 0"));
    let even = Deployment {
        replicas: 4,
        ..planned.clone()
    };
    assert!(error(even).contains("a group of 4 replicas is not possible"));
    let doors = Deployment {
        more_doors: vec![planned.resp; 3],
        ..planned.clone()
    };
    assert!(error(doors).starts_with("4 front doors are not possible"));
    let huge = Deployment {
        mtu: 65_000,
        ..planned
    };
    assert!(error(huge).contains("valid are 576 to 9000"));
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(text in "[ -~]{0,200}", replicas in any::<usize>()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, &text).unwrap();
        prop_assert!(Deployment::read(&file).is_err());
        let planned = Deployment::plan(&options(Fabric::Netns, 3, folder.path())).unwrap();
        Deployment { replicas, ..planned }.write().unwrap();
        let read = Deployment::read(&file);
        prop_assert_eq!(read.is_ok(), replicas == 3);
    }
}
