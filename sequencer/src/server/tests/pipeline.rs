//! Loading programs.

use p4runtime::v1::get_forwarding_pipeline_config_request::ResponseType;
use p4runtime::v1::set_forwarding_pipeline_config_request::Action;
use p4runtime::v1::{self, forwarding_pipeline_config::Cookie};
use p4runtime::{Code, P4Info};

use super::*;

fn config() -> v1::ForwardingPipelineConfig {
    v1::ForwardingPipelineConfig {
        p4info: Some(kinds_info().message().clone()),
        p4_device_config: KINDS_JSON.to_vec(),
        cookie: Some(Cookie { cookie: 5 }),
    }
}

fn refused(action: Action, config: Option<v1::ForwardingPipelineConfig>) -> Failure {
    Pipeline::of_request(action, config).unwrap_err()
}

#[test]
fn every_built_program_is_taken() {
    for name in ["root", "edge", "plain"] {
        let (Ok(info), Ok(json)) = (
            P4Info::load(&built(&format!("{name}.p4info.txtpb"))),
            std::fs::read(built(&format!("{name}.json"))),
        ) else {
            assert_ne!(name, "root", "p4/built/root.json is committed");
            continue;
        };
        Pipeline::new(info, json, None).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

#[test]
fn actions_are_checked() {
    assert_eq!(
        refused(Action::Unspecified, Some(config())).code,
        Code::InvalidArgument
    );
    assert_eq!(
        refused(Action::VerifyAndSave, Some(config())).code,
        Code::Unimplemented
    );
    assert_eq!(
        refused(Action::Commit, None).to_string(),
        "UNIMPLEMENTED: COMMIT is not implemented by this switch"
    );
    assert!(
        Pipeline::of_request(Action::Verify, Some(config()))
            .unwrap()
            .is_none()
    );
    for action in [
        Action::Verify,
        Action::VerifyAndCommit,
        Action::ReconcileAndCommit,
    ] {
        assert_eq!(refused(action, None).code, Code::InvalidArgument);
        let without = v1::ForwardingPipelineConfig {
            p4info: None,
            ..config()
        };
        assert_eq!(refused(action, Some(without)).code, Code::InvalidArgument);
        let broken = v1::ForwardingPipelineConfig {
            p4_device_config: b"{".to_vec(),
            ..config()
        };
        let failure = refused(action, Some(broken));
        assert_eq!(failure.code, Code::InvalidArgument);
        assert!(
            failure.message.starts_with("p4_device_config: "),
            "{failure}"
        );
    }
}

#[test]
fn a_p4info_of_another_program_is_refused() {
    let cases = [
        (
            "name: \"KindsIngress.by_value\"",
            "name: \"KindsIngress.by_valeu\"",
        ),
        (
            "bitwidth: 48\n    match_type: LPM",
            "bitwidth: 47\n    match_type: LPM",
        ),
        ("match_type: LPM", "match_type: EXACT"),
        ("match_type: RANGE", "match_type: OPTIONAL"),
        (
            "name: \"KindsIngress.multicast\"",
            "name: \"KindsIngress.unicast\"",
        ),
        (
            "name: \"KindsIngress.narrow\"",
            "name: \"KindsIngress.marrow\"",
        ),
        ("bitwidth: 12\n", "bitwidth: 13\n"),
        (
            "name: \"KindsIngress.seen\"",
            "name: \"KindsIngress.unseen\"",
        ),
        ("size: 4\n}\ndirect_counters", "size: 5\n}\ndirect_counters"),
        (
            "registers {",
            "meters { preamble { id: 352321537 name: \"m\" } }\nregisters {",
        ),
    ];
    for (from, to) in cases {
        assert!(KINDS_INFO.contains(from), "{from}");
        let info = P4Info::from_text(&KINDS_INFO.replacen(from, to, 1)).unwrap();
        let failure = Pipeline::new(info, KINDS_JSON.to_vec(), None)
            .map(drop)
            .unwrap_err();
        assert_eq!(failure.code, Code::InvalidArgument, "{from}: {failure}");
    }
    let root = P4Info::load(&built("root.p4info.txtpb")).unwrap();
    let failure = Pipeline::new(root, KINDS_JSON.to_vec(), None)
        .map(drop)
        .unwrap_err();
    assert!(
        failure.message.contains("the program does not"),
        "{failure}"
    );
}

#[test]
fn the_program_is_told() {
    let mut device = Device::new();
    assert_eq!(device.pipeline(ResponseType::All), None);
    let pipeline = Pipeline::of_request(Action::VerifyAndCommit, Some(config()))
        .unwrap()
        .unwrap();
    device
        .set_pipeline(Action::VerifyAndCommit, pipeline)
        .unwrap();
    assert_eq!(device.pipeline(ResponseType::All), Some(config()));
    let only = |with_info, with_config| {
        let config = config();
        Some(v1::ForwardingPipelineConfig {
            p4info: config.p4info.filter(|_| with_info),
            p4_device_config: if with_config {
                config.p4_device_config
            } else {
                Vec::new()
            },
            cookie: config.cookie,
        })
    };
    assert_eq!(
        device.pipeline(ResponseType::CookieOnly),
        only(false, false)
    );
    assert_eq!(
        device.pipeline(ResponseType::P4infoAndCookie),
        only(true, false)
    );
    assert_eq!(
        device.pipeline(ResponseType::DeviceConfigAndCookie),
        only(false, true)
    );
}

fn filled() -> Bench {
    let mut bench = Bench::new();
    let mut entry = bench.by_value(1);
    entry.metadata = b"kept".to_vec();
    bench.write(Insert, entry);
    bench.write(Insert, bench.by_mask());
    bench.write(Insert, group(4, &[(1, 1)]));
    let cell = register(bench.info.register("narrow").unwrap().id, Some(0), &[9]);
    bench.write(Modify, cell);
    let default = v1::TableEntry {
        is_default_action: true,
        ..bench.entry("by_prefix", Vec::new(), bench.action("drop", &[]))
    };
    bench.write(Modify, default);
    bench
}

#[test]
fn commit_forgets_all_and_reconcile_keeps_entries() {
    let mut bench = filled();
    let sorted = |bench: &Bench| {
        let mut entries = bench.read_table(v1::TableEntry::default());
        entries.sort_by_key(|entry| format!("{entry:?}"));
        let table_id = bench.table("by_prefix");
        entries.extend(bench.read_table(v1::TableEntry {
            table_id,
            is_default_action: true,
            ..Default::default()
        }));
        entries
    };
    let before = sorted(&bench);
    bench
        .device
        .set_pipeline(Action::ReconcileAndCommit, kinds())
        .unwrap();
    assert_eq!(sorted(&bench), before);
    assert_eq!(bench.read(group(0, &[])).unwrap(), [group(4, &[(1, 1)])]);
    let cell = register(bench.info.register("narrow").unwrap().id, Some(0), &[0]);
    assert_eq!(
        bench.read(cell.clone()).unwrap(),
        [cell],
        "registers are zero"
    );
    bench
        .device
        .set_pipeline(Action::VerifyAndCommit, kinds())
        .unwrap();
    assert_eq!(sorted(&bench), sorted(&Bench::new()));
    assert_eq!(bench.read(group(0, &[])).unwrap(), []);
}

#[test]
fn what_cannot_be_reconciled_changes_nothing() {
    let mut bench = filled();
    let info = P4Info::load(&built("root.p4info.txtpb")).unwrap();
    let json = std::fs::read(built("root.json")).unwrap();
    let root = || Pipeline::new(info.clone(), json.clone(), None).unwrap();
    let before = bench.read_table(v1::TableEntry::default());
    let failure = bench
        .device
        .set_pipeline(Action::ReconcileAndCommit, root())
        .unwrap_err();
    assert_eq!(failure.code, Code::InvalidArgument);
    assert!(
        failure
            .message
            .starts_with("the new program cannot keep the entries of table")
    );
    assert_eq!(bench.read_table(v1::TableEntry::default()), before);
    let replaced = bench
        .device
        .set_pipeline(Action::VerifyAndCommit, root())
        .unwrap();
    assert!(replaced.is_some_and(|device| device.info() == Some(&kinds_info())));
    assert_eq!(bench.device.info(), Some(&info));
}
