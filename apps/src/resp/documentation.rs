//! The list of commands in `docs/redis.md` agrees with the tables.

use super::LOCAL;
use crate::kv::{REFUSED, descriptions};

const PAGE: &str = include_str!("../../../docs/redis.md");

/// Words in code marks that are wholly upper case: commands and their options.
fn words_of_the_page() -> Vec<&'static str> {
    let marked = PAGE.split('`').skip(1).step_by(2);
    marked
        .flat_map(|code| code.split(' '))
        .filter(|word| is_upper(word))
        .collect()
}

fn is_upper(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[test]
fn every_command_is_on_the_page() {
    let words = words_of_the_page();
    let named = descriptions()
        .chain(LOCAL)
        .map(|about| about.name.to_ascii_uppercase());
    let refused = REFUSED.iter().map(|(name, _)| (*name).to_owned());
    for name in named.chain(refused) {
        assert!(
            words.contains(&name.as_str()),
            "docs/redis.md does not name {name}"
        );
    }
}

#[test]
fn every_command_of_the_page_exists() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let mut seen = 0;
    for row in rows {
        let (names, rest) = row[2..].split_once(" | ").expect("a row has columns");
        let first = names.split('`').nth(1).unwrap_or_default();
        let name = first.split(' ').next().unwrap_or_default();
        if !is_upper(name) {
            continue;
        }
        seen += 1;
        let lower = name.to_ascii_lowercase();
        let is_known = descriptions().chain(LOCAL).any(|about| about.name == lower);
        let is_refused = REFUSED.iter().any(|(refused, _)| *refused == name);
        assert!(
            is_known || is_refused,
            "docs/redis.md names {name}, which does not exist"
        );
        assert_eq!(
            rest.starts_with("refused"),
            is_refused || name == "AUTH",
            "{name}"
        );
    }
    assert!(seen > 50, "the tables of the page were not found");
}
