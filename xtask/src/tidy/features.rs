//! The page of features: each of its rows names tests that there are.

use std::collections::HashSet;
use std::path::Path;

/// The page, from the root.
pub(super) const PAGE: &str = "docs/features.md";

/// The tests that a page may name.
#[derive(Debug, Default)]
pub(super) struct Tests {
    /// Functions of Rust's.
    functions: HashSet<String>,
    /// Titles of Node's.
    titles: HashSet<String>,
}

impl Tests {
    /// Adds those of one file.
    pub(super) fn add(&mut self, file: &Path, text: &str) {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => self.functions.extend(functions(text)),
            Some("mjs") => self.titles.extend(titles(text)),
            _ => {}
        }
    }

    /// The rows of a page that name a test that there is not, or none, as (line, what).
    pub(super) fn missing(&self, page: &str) -> Vec<(Option<usize>, String)> {
        let rows = rows(page);
        let wrong = rows.flat_map(|(line, tests)| {
            let wrong = self.wrong(&tests);
            wrong.into_iter().map(move |what| (Some(line), what))
        });
        wrong.collect()
    }

    /// What is wrong with the last cell of a row.
    fn wrong(&self, cell: &str) -> Vec<String> {
        if matches!(cell, "pending" | "–") {
            return Vec::new();
        }
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            return vec![format!("'{cell}' is no test, nor 'pending' or '–'")];
        }
        let absent = named.into_iter().filter(|name| {
            let title = name
                .strip_prefix('"')
                .and_then(|name| name.strip_suffix('"'));
            !match title {
                Some(title) => self.titles.contains(title),
                None => self.functions.contains(*name),
            }
        });
        absent
            .map(|name| format!("there is no test `{name}`"))
            .collect()
    }
}

/// The lines of tables, from 1, and what stands in their last cell; without their heads.
fn rows(page: &str) -> impl Iterator<Item = (usize, String)> {
    let lines: Vec<&str> = page.lines().collect();
    let is_head = |at: usize| {
        let rule = |line: &str| line.starts_with("|-");
        rule(lines[at]) || lines.get(at + 1).is_some_and(|next| rule(next))
    };
    let rows = lines.iter().enumerate().filter_map(|(at, line)| {
        let cells = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
        let (_, last) = cells.rsplit_once('|')?;
        (!is_head(at)).then(|| (at + 1, last.trim().to_owned()))
    });
    rows.collect::<Vec<_>>().into_iter()
}

/// The functions under an attribute that makes them tests.
fn functions(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            found.extend(is_test.then(|| name.to_owned()));
            is_test = false;
        }
    }
    found
}

/// The titles that are written out. `${signal}` and the like are left as they stand.
fn titles(source: &str) -> Vec<String> {
    let calls = source.split("test(").skip(1);
    let titles = calls.filter_map(|call| {
        let call = call.trim_start();
        let quote = call
            .chars()
            .next()
            .filter(|quote| "\"`'".contains(*quote))?;
        let (title, _) = call[1..].split_once(quote)?;
        Some(title.to_owned())
    });
    titles.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| feature | here | test |\n|---|---|---|\n";

    #[track_caller]
    fn check(last: &str, expected: &[&str]) {
        let mut tests = Tests::default();
        let source = "#[test]\nfn one() {}\nfn helper() {}\n#[tokio::test(flavor = \"x\")]\n\
                      #[should_panic]\n    async fn two() {}";
        tests.add(Path::new("crates/a/tests/it/a.rs"), source);
        let source = "test(\"it's so\", async (t) => {\n  await test(\n    \"too\",\n    other";
        tests.add(Path::new("conformance/a.test.mjs"), source);
        let page = format!("# A page\n\n{HEAD}| a | b | {last} |\n");
        let found = tests.missing(&page);
        let expected: Vec<_> = expected
            .iter()
            .map(|what| (Some(5), (*what).to_owned()))
            .collect();
        assert_eq!(found, expected, "{last}");
    }

    #[test]
    fn a_test_that_there_is_may_be_named() {
        check("`one`", &[]);
        check("`one`, `two`", &[]);
        check("`\"it's so\"`, `\"too\"`", &[]);
        check("pending", &[]);
        check("–", &[]);
    }

    #[test]
    fn a_test_that_there_is_not_is_found() {
        check("`helper`", &["there is no test `helper`"]);
        check("`one`, `three`", &["there is no test `three`"]);
        check("`\"it is so\"`", &["there is no test `\"it is so\"`"]);
        check("`\"one\"`", &["there is no test `\"one\"`"]);
        check("`too`", &["there is no test `too`"]);
    }

    #[test]
    fn a_row_that_names_no_test_has_to_say_why() {
        check("", &["'' is no test, nor 'pending' or '–'"]);
        check("one", &["'one' is no test, nor 'pending' or '–'"]);
    }

    #[test]
    fn only_rows_of_tables_are_looked_at() {
        let page = "text `nothing` | more\n\n```\na | `nothing` |\n```\n";
        assert_eq!(Tests::default().missing(page), []);
        assert_eq!(Tests::default().missing(HEAD), []);
    }
}
