//! `downbeat status`: how each part of a deployment is, as it says itself.

use crate::arguments::RunArguments;
use crate::failure::Failure;
use crate::output::{Output, table};
use bmv2_testbed::deployment::{self, Deployment, ProtocolName, Shape};
use bmv2_testbed::{processes, status};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    // bmv2 has no control socket: what is known of it is its process.
    for process in &started {
        if process.name != "embedded" && !roles.contains_key(&process.name) {
            let running = process.is_running();
            let state = if running { "running" } else { "ended" };
            let said = json!({ "state": state, "pid": process.pid, "running": running });
            roles.insert(process.name.clone(), said);
        }
    }
    let columns = columns(deployment.protocol);
    let head = std::iter::once(columns.iter().map(|column| (*column).to_owned()).collect());
    let rows: Vec<Vec<String>> = head
        .chain(roles.iter().map(|(name, said)| row(&columns, name, said)))
        .collect();
    output.line(table(&rows).trim_end());
    if deployment.topology != Shape::Single
        && let Some(text) = root(&roles["controller"], SystemTime::now())
    {
        output.line(&text);
    }
    output.object(json!({
        "deployment": deployment.name,
        "fabric": deployment.fabric.name(),
        "topology": deployment.topology.name(),
        "protocol": deployment.protocol.name(),
        "resp": deployment.resp.to_string(),
        "folder": deployment.folder.display().to_string(),
        "roles": roles,
    }));
    Ok(())
}

/// Which switch stamps, since when, and how it came to be.
fn root(said: &Value, now: SystemTime) -> Option<String> {
    let since = Duration::from_micros(said["root_since_unix_us"].as_u64()?);
    let held = now.duration_since(UNIX_EPOCH + since).unwrap_or_default();
    let mut text = format!(
        "root: {}, term {}, for {:.1} s",
        said["root"].as_str()?,
        said["term"],
        held.as_secs_f64()
    );
    let changes = said["root_changes"].as_u64()?;
    if changes > 0 {
        // Writing to a string cannot fail.
        let s = if changes == 1 { "" } else { "s" };
        let _ = write!(text, "; {changes} change{s}");
    }
    if let Some(us) = said["root_changed_in_us"].as_u64() {
        let ms = Duration::from_micros(us).as_secs_f64() * 1e3;
        let _ = write!(text, ", the last one {ms:.1} ms after the loss was noticed");
    }
    Some(text)
}

/// The fields that people see, by their names in what a role says; the first is its own name.
fn columns(protocol: ProtocolName) -> Vec<&'static str> {
    let mut columns = vec!["role", "state", "pid"];
    columns.push(match protocol {
        ProtocolName::Rounds => "epoch",
        _ => "view",
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
    fn a_root_that_changed_is_told_with_the_time_it_took() {
        let said = json!({
            "root": "s3",
            "term": 7,
            "root_since_unix_us": 5_000_000,
            "root_changes": 2,
            "root_changed_in_us": 2_700,
        });
        let now = UNIX_EPOCH + Duration::from_secs(17);
        let expected = "root: s3, term 7, for 12.0 s; 2 changes, the last one 2.7 ms after the \
                        loss was noticed";
        assert_eq!(root(&said, now).as_deref(), Some(expected));
        assert_eq!(root(&json!({ "state": "unreachable" }), now), None);
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
