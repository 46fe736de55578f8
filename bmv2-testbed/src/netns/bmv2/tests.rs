//! bmv2 as a process: found, started, told, stopped. What it does with packets is tested where
//! rules are pushed. Those that start it need root and bmv2.

use std::io::{Read, Write};

use super::super::inside::namespace_path;
use super::super::testing::{self, skip};
use super::*;

fn default() -> Bmv2Options {
    Bmv2Options::default()
}

/// A lab and a bmv2 to start in it, or nothing and a `skip:` line.
fn bmv2_lab(what: &str, hosts: u8) -> Option<(tempfile::TempDir, Lab, Bmv2Program)> {
    let program = match Bmv2Program::find() {
        Ok(program) => program,
        Err(error) => {
            skip(what, &error);
            return None;
        }
    };
    testing::lab(what, hosts).map(|(folder, lab)| (folder, lab, program))
}

#[test]
fn it_starts_listens_takes_the_depth_and_stops() {
    let Some((folder, lab, program)) = bmv2_lab("starting bmv2", 4) else {
        return;
    };
    assert!(
        program
            .version
            .starts_with(|first: char| first.is_ascii_digit()),
        "{program:?}"
    );
    let mut bmv2 = Bmv2::start(&lab, &program, &default()).unwrap();
    assert_eq!(*bmv2.queue_depth(), QueueDepth::Raised(8192));
    assert!(bmv2.try_wait().unwrap().is_none());
    // P4Runtime speaks HTTP/2: its first frame is SETTINGS (type 4).
    let mut stream = connect(bmv2.namespace(), bmv2.address()).unwrap();
    stream.set_read_timeout(Some(testing::PATIENCE)).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4);
    // It listens in the switch namespace and nowhere else.
    assert!(connect(lab.host_namespace(0), bmv2.address()).is_err());
    let said = std::fs::read_to_string(folder.path().join("bmv2-1.out")).unwrap();
    for port in 1..=4 {
        let line = format!("Adding interface s1-eth{port} as port {port}");
        assert!(said.contains(&line), "{said}");
    }
    let log = std::fs::read_to_string(folder.path().join("bmv2-1.txt")).unwrap();
    assert!(log.contains("Thrift server was started"), "{log}");
    let identity = bmv2.identity();
    assert_ne!(bmv2.stop().unwrap(), Ending::GoneAlready);
    assert!(!identity.is_running());
    // The same lab takes another one, as after a reboot of the switch.
    let again = Bmv2::start(&lab, &program, &default()).unwrap();
    assert_ne!(again.identity(), identity);
    again.kill().unwrap();
}

#[test]
fn down_ends_it() {
    let Some((folder, lab, program)) = bmv2_lab("taking bmv2 down", 2) else {
        return;
    };
    let bmv2 = Bmv2::start(&lab, &program, &default()).unwrap();
    let (identity, namespace) = (bmv2.identity(), lab.switch_namespace().to_owned());
    let removed = lab.down().unwrap();
    assert_eq!(
        removed.processes,
        [format!("simple_switch_grpc ({})", identity.pid)]
    );
    assert!(!identity.is_running());
    assert!(!namespace_path(&namespace).exists());
    bmv2.kill().unwrap();
    drop(folder);
}

#[test]
fn a_second_one_in_the_same_lab_needs_ports_of_its_own() {
    let Some((_folder, lab, program)) = bmv2_lab("ports that are taken", 1) else {
        return;
    };
    let first = Bmv2::start(&lab, &program, &default()).unwrap();
    let free = Bmv2Options {
        device_id: 2,
        grpc_port: 9560,
        thrift_port: 9091,
        ..default()
    };
    for (options, port) in [
        (
            Bmv2Options {
                grpc_port: 9559,
                ..free.clone()
            },
            9559,
        ),
        (
            Bmv2Options {
                thrift_port: 9090,
                ..free.clone()
            },
            9090,
        ),
    ] {
        let error = Bmv2::start(&lab, &program, &options).unwrap_err();
        assert!(matches!(error, Bmv2Error::PortTaken { port: taken, .. } if taken == port));
    }
    let second = Bmv2::start(&lab, &program, &free).unwrap();
    second.stop().unwrap();
    first.stop().unwrap();
}

#[test]
fn a_program_that_is_not_bmv2_gives_its_last_words() {
    let Some((folder, lab)) = testing::lab("a failing switch program", 1) else {
        return;
    };
    let path = folder.path().join("not-a-switch");
    std::fs::write(&path, "#!/bin/sh\necho no ports for you >&2\nexit 4\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = Bmv2Program {
        path,
        version: "0".to_owned(),
    };
    let error = Bmv2::start(&lab, &program, &default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bmv2 ended at start (exit status: 4); its last words: no ports for you"
    );
}

#[test]
fn options_out_of_range_are_refused() {
    for (options, wanted) in [
        (
            Bmv2Options {
                device_id: 0,
                ..default()
            },
            "device id `0`",
        ),
        (
            Bmv2Options {
                thrift_port: 9559,
                ..default()
            },
            "ports `9559, 9559`",
        ),
        (
            Bmv2Options {
                priority_queues: 9,
                ..default()
            },
            "priority queues `9`",
        ),
        (
            Bmv2Options {
                egress_queue_depth: 0,
                ..default()
            },
            "egress queue depth `0`",
        ),
        (
            Bmv2Options {
                log_level: "loud",
                ..default()
            },
            "log level `loud`",
        ),
    ] {
        let text = options.check().unwrap_err().to_string();
        assert!(text.contains(wanted), "{text}");
    }
    assert!(default().check().is_ok());
}

#[test]
fn the_error_names_how_to_get_it() {
    let text = Bmv2Error::NotFound {
        searched: "PATH".to_owned(),
    }
    .to_string();
    assert!(
        text.starts_with("simple_switch_grpc was not found in PATH"),
        "{text}"
    );
    assert!(
        text.contains("https://github.com/p4lang/behavioral-model"),
        "{text}"
    );
}
