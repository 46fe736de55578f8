//! A report that is one HTML file: tables, plots and facts, nothing fetched from anywhere.

use crate::table::Table;
use std::fmt::Write as _;

/// What a browser needs besides the text.
const STYLE: &str = "body{font:15px/1.45 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;\
color:#222;background:#fff}table{border-collapse:collapse;margin:1em 0}\
th,td{padding:.25em .7em;border-bottom:1px solid #ddd;text-align:left}\
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}\
code{background:#f3f3f3;padding:.1em .3em}svg{max-width:100%;height:auto}";

/// A part of a report.
#[derive(Clone, Debug)]
pub enum Part {
    /// A heading.
    Heading(String),
    /// A sentence or more.
    Text(String),
    /// A command line.
    Command(String),
    /// A table.
    Table(Table),
    /// A plot as SVG, which is put in as it is.
    Svg(String),
}

/// The whole report. Everything but SVG is escaped.
pub fn page(title: &str, parts: &[Part]) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for part in parts {
        // Writing to a string cannot fail.
        let _ = match part {
            Part::Heading(text) => writeln!(page, "<h2>{}</h2>", escaped(text)),
            Part::Text(text) => writeln!(page, "<p>{}</p>", escaped(text)),
            Part::Command(text) => writeln!(page, "<p><code>{}</code></p>", escaped(text)),
            Part::Table(table) => writeln!(page, "{}", rows(table)),
            Part::Svg(svg) => writeln!(page, "<figure>\n{svg}\n</figure>"),
        };
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn rows(table: &Table) -> String {
    let mut text = String::from("<table>\n");
    let mut line = |tag: &str, cells: &[String]| {
        text.push_str("<tr>");
        for (cell, is_number) in cells.iter().zip(table.numbers()) {
            let class = if is_number { " class=\"number\"" } else { "" };
            let _ = write!(text, "<{tag}{class}>{}</{tag}>", escaped(cell));
        }
        text.push_str("</tr>\n");
    };
    line("th", &table.headers());
    for cells in table.rows() {
        line("td", cells);
    }
    text.push_str("</table>");
    text
}

/// Text that means itself, in an element and in an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;
    use roxmltree::Document;

    const EVIL: &str = "<script>alert(1)</script> & \"quotes\" 'too'";

    fn report() -> String {
        let mut table = Table::new(vec![Column::text(EVIL), Column::number("ops/s")]);
        table.row(vec![EVIL.into(), "12".into()]);
        page(
            EVIL,
            &[
                Part::Heading(EVIL.into()),
                Part::Text(EVIL.into()),
                Part::Command(EVIL.into()),
                Part::Table(table),
                Part::Svg(
                    "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>plot</text></svg>".into(),
                ),
            ],
        )
    }

    #[test]
    fn what_is_text_stays_text() {
        let report = report();
        let body = report.strip_prefix("<!DOCTYPE html>\n").unwrap();
        let document = Document::parse(body).unwrap();
        for tag in ["title", "h1", "h2", "p", "code", "th", "td"] {
            let has =
                |node: roxmltree::Node<'_, '_>| node.has_tag_name(tag) && node.text() == Some(EVIL);
            let found = document.descendants().any(has);
            assert!(found || tag == "p", "{tag}: {report}");
        }
        let scripts = document
            .descendants()
            .filter(|node| node.has_tag_name("script"));
        assert_eq!(scripts.count(), 0);
    }

    #[test]
    fn plots_are_inside_and_nothing_comes_from_outside() {
        let report = report();
        assert!(report.contains("<text>plot</text>"));
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!report.contains(outside), "{outside}: {report}");
        }
    }
}
