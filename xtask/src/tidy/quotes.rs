//! Lines of source that Markdown quotes: `[name](path#L20): ` and then the quote in backticks.

use std::path::Path;

/// A line of another file, as a page says it is.
#[derive(Debug, Eq, PartialEq)]
struct Quote<'a> {
    /// The line of the page, from 1.
    line: usize,
    target: &'a str,
    /// The line of the target, from 1.
    place: usize,
    text: String,
}

/// The quotes of a page in `folder` that do not stand where it says, as (line, what).
pub(super) fn wrong(folder: &Path, markdown: &str) -> Vec<(Option<usize>, String)> {
    let wrong = quotes(markdown).into_iter().filter(|quote| {
        let source = std::fs::read_to_string(folder.join(quote.target)).unwrap_or_default();
        let line = source.lines().nth(quote.place - 1);
        !line.is_some_and(|line| line.contains(&quote.text))
    });
    wrong
        .map(
            |Quote {
                 line,
                 target,
                 place,
                 text,
             }| {
                (
                    Some(line),
                    format!("line {place} of {target} does not say `{text}`"),
                )
            },
        )
        .collect()
}

fn quotes(markdown: &str) -> Vec<Quote<'_>> {
    let mut quotes = Vec::new();
    for (line, text) in (1..).zip(markdown.lines()) {
        for rest in text.split("](").skip(1) {
            let quote = rest.split_once("): `").and_then(|(target, rest)| {
                let (target, place) = target.split_once("#L")?;
                let (quoted, _) = rest.split_once('`')?;
                let place = place.parse().ok().filter(|place| 0 < *place)?;
                Some(Quote {
                    line,
                    target,
                    place,
                    text: quoted.replace("\\|", "|"),
                })
            });
            quotes.extend(quote);
        }
    }
    quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_a_link_to_a_line_and_what_stands_there() {
        let found = quotes("see [a.rs:3](src/a.rs#L3): `let \\|x\\|` and [b](b.md): `no line`");
        let expected = Quote {
            line: 1,
            target: "src/a.rs",
            place: 3,
            text: "let |x|".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_quote_that_stands_elsewhere_is_wrong() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = |line| format!("[main](src/main.rs#L{line}): `//! `");
        assert_eq!(wrong(folder, &page(1)), []);
        assert_eq!(wrong(folder, &page(100_000)).len(), 1);
    }
}
