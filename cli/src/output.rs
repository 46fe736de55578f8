//! How results are printed: data on standard output, talk on standard error.

use crate::arguments::Cli;
use bench::table::{Column, Table};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// What the user asked for in the way of output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// One JSON object a line instead of text.
    pub(crate) json: bool,
    quiet: bool,
    bars: bool,
}

impl Output {
    pub(crate) fn new(cli: &Cli) -> Self {
        let bars = io::stderr().is_terminal() && !cli.quiet && !cli.json;
        Self {
            json: cli.json,
            quiet: cli.quiet,
            bars,
        }
    }

    /// For work that is a part of other work: says nothing.
    pub(crate) fn silent() -> Self {
        Self {
            json: false,
            quiet: true,
            bars: false,
        }
    }

    /// Data: a line of text, unless JSON was asked for.
    pub(crate) fn line(self, text: &str) {
        if !self.json {
            print(&format!("{text}\n"));
        }
    }

    /// Data: lines that have their ends already, unless JSON was asked for.
    pub(crate) fn text(self, lines: &str) {
        if !self.json {
            print(lines);
        }
    }

    /// Data: an object, if JSON was asked for. `schema` is added.
    pub(crate) fn object(self, mut value: Value) {
        if self.json {
            if let Value::Object(fields) = &mut value {
                fields.insert("schema".into(), 1.into());
            }
            print(&format!("{value}\n"));
        }
    }

    /// Talk: what is going on.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// A bar for long work, or an invisible one.
    pub(crate) fn bar(self, length: u64, what: &'static str) -> indicatif::ProgressBar {
        if !self.bars {
            return indicatif::ProgressBar::hidden();
        }
        let style = indicatif::ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
        indicatif::ProgressBar::new(length)
            .with_style(style)
            .with_message(what)
    }
}

/// Rows with aligned columns; the first row is the head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let [head, rows @ ..] = rows else {
        return String::new();
    };
    let mut table = Table::new(head.iter().map(|header| Column::text(header)).collect());
    for row in rows {
        table.row(row.clone());
    }
    table.to_string()
}

/// A closed pipe is the reader's business: `downbeat status | head -1` is no error.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        assert_eq!(
            table(&[row(["role", "state"]), row(["front", "serving"])]),
            "role   state\nfront  serving\n"
        );
    }
}
