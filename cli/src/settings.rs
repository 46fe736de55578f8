//! `downbeat.toml`: keys are the flags' names, at the top for every verb that has the flag, or in
//! a table named after a verb for that one alone.
//!
//! The file's values become the flags' defaults, so that the command line and the environment,
//! which are stronger, need no rule of their own.

use crate::arguments::Cli;
use crate::failure::Failure;
use clap::{Arg, Command, CommandFactory};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The settings file of the current folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// Values by verb and flag; the verb is empty for all.
    values: BTreeMap<(String, String), String>,
}

/// Where the settings file is.
pub(crate) const NAME: &str = "downbeat.toml";

impl File {
    /// Reads `downbeat.toml` if there is one.
    pub(crate) fn find() -> Result<Self, Failure> {
        match fs::read_to_string(Path::new(NAME)) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::Usage(format!("cannot read {NAME}: {error}"))),
        }
    }

    /// Reads the file's text.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let table: toml::Table = text
            .parse()
            .map_err(|error| Failure::Usage(format!("{NAME}: {error}")))?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => {
                    for (flag, value) in inner {
                        let name = format!("{key}.{flag}");
                        values.insert((key.clone(), dashed(&flag)), scalar(&name, &value)?);
                    }
                }
                value => {
                    values.insert((String::new(), dashed(&key)), scalar(&key, &value)?);
                }
            }
        }
        Ok(Self { values })
    }

    /// The value for a verb's flag: the verb's own, else the one for all.
    pub(crate) fn value(&self, verb: &str, flag: &str) -> Option<&str> {
        let own = self.values.get(&(verb.to_owned(), flag.to_owned()));
        let all = || self.values.get(&(String::new(), flag.to_owned()));
        own.or_else(all).map(String::as_str)
    }

    /// Every key must mean something to some verb.
    fn check(&self, command: &Command) -> Result<(), Failure> {
        for (verb, flag) in self.values.keys() {
            let verbs: Vec<_> = command.get_subcommands().collect();
            if !verb.is_empty() && !verbs.iter().any(|known| known.get_name() == verb) {
                let names = verbs.iter().map(|known| known.get_name());
                return Err(unknown("table", verb, names));
            }
            let has = |command: &Command| flags(command).any(|known| known == *flag);
            let known = verbs
                .iter()
                .filter(|command| verb.is_empty() || command.get_name() == verb)
                .any(|command| has(command))
                || has(command);
            if !known {
                let names: Vec<_> = verbs.iter().flat_map(|command| flags(command)).collect();
                return Err(unknown("key", flag, names.iter().map(String::as_str)));
            }
        }
        Ok(())
    }
}

/// The command line with the file's values as defaults.
pub(crate) fn command(file: &File) -> Result<Command, Failure> {
    let mut command = Cli::command();
    file.check(&command)?;
    let verbs: Vec<String> = command
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    for verb in verbs {
        command = command.mut_subcommand(&verb, |inner| {
            inner.mut_args(|argument| match argument.get_long() {
                Some(long) => match file.value(&verb, long) {
                    Some(value) => argument
                        .clone()
                        .default_value(value.to_owned())
                        .required(false),
                    None => argument,
                },
                None => argument,
            })
        });
    }
    command = command.mut_args(|argument: Arg| {
        let value = argument.get_long().and_then(|long| file.value("", long));
        match value.map(str::to_owned) {
            Some(value) => argument.default_value(value),
            None => argument,
        }
    });
    Ok(command)
}

fn flags(command: &Command) -> impl Iterator<Item = String> + '_ {
    command
        .get_arguments()
        .filter_map(Arg::get_long)
        .map(str::to_owned)
}

fn dashed(key: &str) -> String {
    key.replace('_', "-")
}

fn scalar(name: &str, value: &toml::Value) -> Result<String, Failure> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Float(_) => {
            Ok(value.to_string())
        }
        other => Err(Failure::Usage(format!(
            "{NAME}: {name} is {}, valid are a string, a number, true and false",
            other.type_str()
        ))),
    }
}

fn unknown<'a>(what: &str, name: &str, valid: impl Iterator<Item = &'a str>) -> Failure {
    let mut names: Vec<_> = valid.collect();
    names.sort_unstable();
    names.dedup();
    let near = names.iter().max_by(|a, b| {
        let nearness = |other: &str| strsim::jaro_winkler(name, other);
        nearness(a).total_cmp(&nearness(b))
    });
    let hint = near
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    let all = names.join(", ");
    Failure::Usage(format!(
        "{NAME}: there is no {what} {name}{hint} (valid: {all})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    fn demo_replicas(file: &str, arguments: &[&str]) -> usize {
        let file = File::parse(file).unwrap();
        let matches = command(&file).unwrap().get_matches_from(arguments);
        match Cli::from_arg_matches(&matches).unwrap().verb {
            crate::arguments::Verb::Demo(demo) => demo.replicas,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_stronger_than_the_file_and_a_verbs_table_than_the_top() {
        let file = "replicas = 5\n[demo]\nreplicas = 7\n";
        assert_eq!(demo_replicas("", &["downbeat", "demo"]), 3);
        assert_eq!(demo_replicas("replicas = 5", &["downbeat", "demo"]), 5);
        assert_eq!(demo_replicas(file, &["downbeat", "demo"]), 7);
        assert_eq!(
            demo_replicas(file, &["downbeat", "demo", "--replicas=9"]),
            9
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_file_panic(text in "[ -~\n]{0,200}") {
            if let Ok(file) = File::parse(&text) {
                let _ = command(&file);
            }
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_name() {
        let error = |text: &str| match File::parse(text).and_then(|file| command(&file)) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(error("replcas = 3").contains("did you mean replicas?"));
        assert!(error("[dmeo]\nseed = 3").contains("did you mean demo?"));
        assert!(error("replicas = [3]").contains("replicas is array"));
        assert!(error("replicas =").starts_with("downbeat.toml: "));
    }
}
