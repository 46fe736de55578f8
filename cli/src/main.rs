//! `downbeat`: replication co-designed with a programmable network, from one program.
//!
//! This file is the table of contents: what is typed goes through `arguments` and `settings` to
//! one file a verb under `cmd`; what goes wrong comes back as a `Failure` with its exit code.

mod arguments;
mod cmd;
mod failure;
mod output;
mod settings;

use arguments::{Cli, Verb};
use clap::FromArgMatches;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let file = settings::File::find()?;
    let mut matches = settings::command(&file)?.get_matches();
    if matches.subcommand().is_none() {
        // No verb is the tour, with whatever was said besides.
        let words = std::env::args_os().chain(["demo".into()]);
        matches = settings::command(&file)?.get_matches_from(words);
    }
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.exit())?;
    let output = output::Output::new(&cli);
    match cli.verb {
        Verb::Demo(arguments) => cmd::demo::run(&arguments, output),
        Verb::Up(arguments) => cmd::up::run(&arguments, output),
        Verb::Down(arguments) => cmd::down::run(&arguments, output),
        Verb::Status(arguments) => cmd::status::run(&arguments, output),
        Verb::Members(arguments) => cmd::members::run(&arguments, output),
        Verb::Kv(arguments) => cmd::kv::run(&arguments, output),
        Verb::Bench(arguments) => cmd::bench::run(&arguments, output),
        Verb::Compare(arguments) => cmd::compare::run(&arguments, output),
        Verb::Figure(arguments) => cmd::figure::run(&arguments, output),
        Verb::Switch(arguments) => cmd::roles::switch(&arguments),
        Verb::Controller(arguments) => cmd::roles::controller(&arguments),
        Verb::Replica(arguments) => cmd::roles::replica(&arguments, output),
        Verb::Front(arguments) => cmd::roles::front(&arguments),
        Verb::Embedded(arguments) => cmd::roles::embedded(&arguments),
        Verb::P4(arguments) => cmd::p4::run(&arguments, output),
        Verb::Sim(arguments) => cmd::sim::run(&arguments, output),
        Verb::Replay(arguments) => cmd::replay::run(&arguments, output),
        Verb::Doctor => {
            cmd::doctor::run(output);
            Ok(())
        }
        Verb::Config => cmd::config::run(&file, output),
    }
}
