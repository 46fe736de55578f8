//! The arrows between our crates point one way; this file is where they are written down.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::BTreeMap;
use std::path::Path;

/// What each crate may use, beyond `wire`, which all may. Arrows are transitive.
const ARROWS: [(&str, &[&str]); 12] = [
    ("wire", &[]),
    ("link", &[]),
    ("p4runtime", &[]),
    ("bench", &[]),
    ("replica", &["link"]),
    ("sequencer", &["link", "p4runtime"]),
    ("controller", &["p4runtime"]),
    ("client", &["link", "replica"]),
    ("apps", &["client", "replica"]),
    (
        "sim",
        &[
            "apps",
            "client",
            "replica",
            "sequencer",
            "controller",
            "bench",
            "link",
            "p4runtime",
        ],
    ),
    (
        "bmv2-testbed",
        &[
            "apps",
            "client",
            "replica",
            "sequencer",
            "controller",
            "bench",
            "link",
            "p4runtime",
        ],
    ),
    (
        "cli",
        &[
            "apps",
            "bench",
            "bmv2-testbed",
            "client",
            "controller",
            "link",
            "p4runtime",
            "replica",
            "sequencer",
            "sim",
        ],
    ),
];

#[test]
fn every_arrow_is_an_allowed_one() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .unwrap();
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let names: Vec<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some(may) = allowed.get(package.name.as_str()) else {
            wrong.push(format!("{}: not in the list of crates", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let ours = names.contains(&dependency.name);
            let fine = dependency.name == "wire" || may.contains(&dependency.name.as_str());
            if ours && dependency.kind != DependencyKind::Development && !fine {
                wrong.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "arrows that docs/architecture.md does not have"
    );
    assert_eq!(
        names.len(),
        ARROWS.len(),
        "every crate is in the list: {names:?}"
    );
}
