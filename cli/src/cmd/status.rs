//! `downbeat status`: how each part of a deployment is, as it says itself.

use crate::arguments::RunArguments;
use crate::failure::Failure;
use crate::output::{Output, table};
use bmv2_testbed::deployment::{self, Deployment};
use bmv2_testbed::{processes, status};
use serde_json::{Map, Value, json};

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
    let rows: Vec<_> = std::iter::once(head())
        .chain(roles.iter().map(|(name, said)| row(name, said)))
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

fn head() -> Vec<String> {
    [
        "role",
        "state",
        "pid",
        "view",
        "slot",
        "committed",
        "digest",
    ]
    .map(String::from)
    .to_vec()
}

fn row(name: &str, said: &Value) -> Vec<String> {
    let text = |field: &str| match &said[field] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().take(16).collect(),
        other => other.to_string(),
    };
    let mut row = vec![name.to_owned()];
    row.extend(["state", "pid", "view", "slot", "committed", "digest"].map(text));
    row
}
