//! `downbeat status`: how each part of a deployment is, as it says itself.

use crate::arguments::RunArguments;
use crate::failure::Failure;
use crate::output::{Output, table};
use bmv2_testbed::deployment::{self, Deployment, ProtocolName};
use bmv2_testbed::{processes, status};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A member is called silent after this time: several times the heartbeat of an idle group.
const SILENT: Duration = Duration::from_millis(200);

/// Runs the verb.
pub(crate) fn run(arguments: &RunArguments, output: Output) -> Result<(), Failure> {
    let deployment = Deployment::read(&arguments.run.join(deployment::FILE)).map_err(|error| {
        let text = crate::failure::chain(&error);
        Failure::Usage(format!("{text}; `downbeat up` brings a deployment up"))
    })?;
    let started = processes::started(&arguments.run)?;
    let mut roles = Map::new();
    for name in processes::roles(&deployment) {
        let mut said = status::ask(&deployment.socket(&name));
        let owner = started
            .iter()
            .find(|process| process.name == name || process.name == "embedded");
        if let (Some(process), Value::Object(fields)) = (owner, &mut said) {
            fields.insert("pid".into(), process.pid.into());
            fields.insert("running".into(), process.is_running().into());
        }
        roles.insert(name, said);
    }
    let columns = columns(deployment.protocol);
    let head = std::iter::once(columns.iter().map(|column| (*column).to_owned()).collect());
    let rows: Vec<Vec<String>> = head
        .chain(roles.iter().map(|(name, said)| row(&columns, name, said)))
        .collect();
    output.line(table(&rows).trim_end());
    output.object(json!({
        "deployment": deployment.name,
        "fabric": deployment.fabric.name(),
        "protocol": deployment.protocol.name(),
        "resp": deployment.resp.to_string(),
        "folder": deployment.folder.display().to_string(),
        "roles": roles,
    }));
    Ok(())
}

/// The fields that people see, by their names in what a role says; the first is its own name.
fn columns(protocol: ProtocolName) -> Vec<&'static str> {
    let mut columns = vec!["role", "state", "pid"];
    columns.push(match protocol {
        ProtocolName::Rounds => "epoch",
        ProtocolName::SpecPaxos | ProtocolName::Unreplicated => "view",
    });
    columns.extend(["slot", "committed", "digest"]);
    if protocol == ProtocolName::Rounds {
        columns.push("silent");
    }
    columns
}

fn row(columns: &[&str], name: &str, said: &Value) -> Vec<String> {
    let field = |column: &&str| match (*column, &said[*column]) {
        ("role", _) => name.to_owned(),
        ("silent", _) => silent(&said["rounds"]),
        (_, Value::Null) => "-".to_owned(),
        (_, Value::String(text)) => text.chars().take(16).collect(),
        (_, other) => other.to_string(),
    };
    columns.iter().map(field).collect()
}

/// The members that a replica says were not heard for a while, and for how long.
fn silent(rounds: &Value) -> String {
    let (Some(members), Some(times)) =
        (rounds["members"].as_array(), rounds["silent_us"].as_array())
    else {
        return "-".to_owned();
    };
    let silent: Vec<_> = members
        .iter()
        .zip(times)
        .filter_map(|(member, time)| {
            let time = Duration::from_micros(time.as_u64()?);
            (time >= SILENT).then(|| format!("r{member} {:.1} s", time.as_secs_f64()))
        })
        .collect();
    if silent.is_empty() {
        return "nobody".to_owned();
    }
    silent.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_named_with_the_time() {
        assert_eq!(silent(&Value::Null), "-");
        let nobody = json!({ "members": [0, 1, 2], "silent_us": [0, 20_000, 0] });
        assert_eq!(silent(&nobody), "nobody");
        let some = json!({
            "members": [0, 1, 2, 4, 5],
            "silent_us": [0, 1_250_000, 0, 300_000, 0],
        });
        assert_eq!(silent(&some), "r1 1.2 s, r4 0.3 s");
    }

    #[test]
    fn rounds_have_epochs_and_silent_members() {
        let said = json!({
            "state": "normal",
            "view": 1_u64 << 32,
            "epoch": "1.0",
            "slot": 7,
            "rounds": { "members": [0, 1, 2], "silent_us": [0, 0, 900_000] },
        });
        let columns = columns(ProtocolName::Rounds);
        let row = row(&columns, "r0", &said);
        assert_eq!(row, ["r0", "normal", "-", "1.0", "7", "-", "-", "r2 0.9 s"]);
    }
}
