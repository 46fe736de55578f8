//! `downbeat config`: the settings in force for each verb, and where each comes from.

use crate::failure::Failure;
use crate::output::{Output, table};
use crate::settings::{self, File};
use clap::Arg;
use serde_json::json;
use std::env;

/// Runs the verb. Flags of another verb cannot be given here, so a value comes from the
/// environment, the file, or the program.
pub(crate) fn run(file: &File, output: Output) -> Result<(), Failure> {
    let command = settings::command(file)?;
    let mut rows = vec![["verb", "flag", "value", "from"].map(String::from).to_vec()];
    let mut settings = Vec::new();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        for argument in verb.get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| *flag != "help") else {
                continue;
            };
            let (value, from) = in_force(file, verb.get_name(), flag, argument);
            rows.push(vec![
                verb.get_name().into(),
                format!("--{flag}"),
                value.clone(),
                from.clone(),
            ]);
            settings.push(json!({
                "verb": verb.get_name(), "flag": flag, "value": value, "from": from,
            }));
        }
    }
    output.line(table(&rows).trim_end());
    output.object(json!({ "settings": settings }));
    Ok(())
}

fn in_force(file: &File, verb: &str, flag: &str, argument: &Arg) -> (String, String) {
    let variable = argument.get_env().and_then(|name| name.to_str());
    if let Some((name, value)) = variable.and_then(|name| Some((name, env::var(name).ok()?))) {
        return (value, format!("environment {name}"));
    }
    if let Some(value) = file.value(verb, flag) {
        return (value.to_owned(), settings::NAME.to_owned());
    }
    let value = argument
        .get_default_values()
        .first()
        .and_then(|value| value.to_str());
    (value.unwrap_or("-").to_owned(), "default".to_owned())
}
