//! The words of one command, taken from the front.

use wire::{ReplicaId, ViewNumber};

/// The words that are left.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    left: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> Self {
        let mut left: Vec<_> = line.split_whitespace().collect();
        left.reverse();
        Self { left }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.left.last().copied()
    }

    pub(crate) fn take(&mut self, what: &str) -> Result<&'a str, String> {
        self.left.pop().ok_or_else(|| format!("{what} is missing"))
    }

    /// Takes `word` if it is next.
    pub(crate) fn skip(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        if is_next {
            self.left.pop();
        }
        is_next
    }

    pub(crate) fn expect(&mut self, word: &str) -> Result<(), String> {
        match self.peek() {
            Some(next) if next == word => self.skip(word),
            Some(other) => return Err(format!("`{word}` was expected, not `{other}`")),
            None => return Err(format!("`{word}` is missing")),
        };
        Ok(())
    }

    pub(crate) fn number<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, String> {
        let word = self.take(what)?;
        word.parse()
            .map_err(|_| format!("{what} is a number, not `{word}`"))
    }

    pub(crate) fn view(&mut self) -> Result<ViewNumber, String> {
        self.number("a view").map(ViewNumber)
    }

    pub(crate) fn replica(&mut self) -> Result<ReplicaId, String> {
        self.number("a replica").map(ReplicaId)
    }

    /// At least one replica, as many as follow.
    pub(crate) fn replicas(&mut self) -> Result<Vec<ReplicaId>, String> {
        let mut replicas = vec![self.replica()?];
        while self.peek().is_some_and(|word| word.parse::<u8>().is_ok()) {
            replicas.push(self.replica()?);
        }
        Ok(replicas)
    }

    /// The name of a request: one letter.
    pub(crate) fn letter(&mut self) -> Result<char, String> {
        let word = self.take("a request's letter")?;
        single_letter(word)
            .ok_or_else(|| format!("`{word}` is no request; a request is one lowercase letter"))
    }

    pub(crate) fn end(&self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(format!("`{word}` is not understood here")),
        }
    }
}

/// The letter that `word` is, if it is one.
pub(crate) fn single_letter(word: &str) -> Option<char> {
    let mut letters = word.chars();
    let letter = letters.next().filter(char::is_ascii_lowercase)?;
    letters.next().is_none().then_some(letter)
}
