//! `downbeat down`: ends the processes of a deployment, and only those, and removes what was made
//! for them.

use crate::arguments::RunArguments;
use crate::failure::Failure;
use crate::output::Output;
use bmv2_testbed::processes;
use serde_json::json;

/// Runs the verb.
pub(crate) fn run(arguments: &RunArguments, output: Output) -> Result<(), Failure> {
    let ended = processes::down(&arguments.run)?;
    let names: Vec<_> = ended.iter().map(|process| process.name.as_str()).collect();
    output.line(&match names.as_slice() {
        [] => format!("{}: nothing was running", arguments.run.display()),
        names => format!("{}: ended {}", arguments.run.display(), names.join(", ")),
    });
    output.object(json!({ "ended": names }));
    Ok(())
}
