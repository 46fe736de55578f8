//! Aligned text tables: words to the left, numbers to the right, units in the headers.

use std::fmt;

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    header: String,
    is_number: bool,
}

impl Column {
    /// A column of words.
    pub fn text(header: &str) -> Self {
        Self {
            header: header.to_owned(),
            is_number: false,
        }
    }

    /// A column of numbers; the unit belongs into the header.
    pub fn number(header: &str) -> Self {
        Self {
            header: header.to_owned(),
            is_number: true,
        }
    }
}

/// Rows under headers. Its `Display` ends each line with a line feed and no spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row, which must have a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(
            cells.len(),
            self.columns.len(),
            "a row has a cell for each column"
        );
        self.rows.push(cells);
    }

    /// What stands above the columns.
    pub fn headers(&self) -> Vec<String> {
        let headers = self.columns.iter().map(|column| column.header.clone());
        headers.collect()
    }

    /// Which columns are numbers.
    pub fn numbers(&self) -> impl Iterator<Item = bool> + '_ {
        self.columns.iter().map(|column| column.is_number)
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.headers();
        let lines = || std::iter::once(&headers).chain(&self.rows);
        let width = |column: usize| {
            lines()
                .map(|cells| cells[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for cells in lines() {
            let mut line = String::new();
            for ((cell, column), width) in cells.iter().zip(&self.columns).zip(&widths) {
                let padding = " ".repeat(width - cell.chars().count());
                let parts = if column.is_number {
                    [&padding, cell]
                } else {
                    [cell, &padding]
                };
                line.extend(parts.map(String::as_str));
                line.push_str("  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A number with three significant digits and no exponent: `0.0123`, `7.12`, `134000`.
pub fn three_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    // Rounding may carry into another digit (9.996 is 10.0), so the exponent is that of the
    // rounded number.
    let rounded = format!("{value:.2e}");
    let exponent: i32 = rounded
        .rsplit_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .expect("the form of {:e} has an exponent");
    let value: f64 = rounded.parse().expect("a printed number can be read");
    let decimals = usize::try_from(2 - exponent).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (1.0, "1.00"),
            (7.1249, "7.12"),
            (9.996, "10.0"),
            (99.96, "100"),
            (134_567.0, "135000"),
            (-2.5, "-2.50"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(three_digits(value), text);
        }
    }

    #[test]
    fn cells_are_aligned_by_characters() {
        let mut table = Table::new(vec![Column::text("name"), Column::number("µs")]);
        table.row(vec!["a".into(), "12.5".into()]);
        table.row(vec!["größer".into(), "3".into()]);
        assert_eq!(
            table.to_string(),
            "name      µs\na       12.5\ngrößer     3\n"
        );
        assert_eq!(
            Table::new(vec![Column::text("empty")]).to_string(),
            "empty\n"
        );
    }
}
