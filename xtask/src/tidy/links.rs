//! Links in Markdown that lead to files of the repository.

use std::path::{Path, PathBuf};

/// A link to a file.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Link {
    /// The line it stands on, from 1.
    pub(super) line: usize,
    /// As written, less what follows `#` or `?`.
    pub(super) target: String,
}

impl Link {
    /// Where it leads from a file in `folder`; one that begins with a slash starts at `root`, as on the web page.
    pub(super) fn path_from(&self, root: &Path, folder: &Path) -> PathBuf {
        match self.target.strip_prefix('/') {
            Some(rest) => root.join(rest),
            None => folder.join(&self.target),
        }
    }
}

/// The links outside code that are no web address and no place in the same file.
pub(super) fn relative(markdown: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut fence = None;
    for (line, text) in (1..).zip(markdown.lines()) {
        let mark = fence_mark(text);
        match (fence, mark) {
            (None, None) => {
                let targets = targets(&without_code(text));
                links.extend(targets.into_iter().map(|target| Link { line, target }));
            }
            (None, Some(_)) => fence = mark,
            (Some(open), Some(close)) if open == close => fence = None,
            (Some(_), _) => {}
        }
    }
    links
}

/// The character that a line opens or closes a block of code with.
fn fence_mark(line: &str) -> Option<char> {
    let line = line.trim_start().trim_start_matches("> ");
    ['`', '~']
        .into_iter()
        .find(|mark| line.chars().take(3).filter(|c| c == mark).count() == 3)
}

/// The line less what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

fn targets(line: &str) -> Vec<String> {
    let inline = after_each(line, "](", &[')', ' ']);
    let html = after_each(line, "=\"", &['"']).filter(|_| line.contains('<'));
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline
        .chain(html.filter(|value| value.contains(['/', '.'])))
        .chain(definition)
        .filter_map(to_file)
        .collect()
}

/// What stands after each `start`, up to one of `ends`.
fn after_each<'a>(
    line: &'a str,
    start: &'a str,
    ends: &'a [char],
) -> impl Iterator<Item = &'a str> {
    line.split(start)
        .skip(1)
        .filter_map(move |rest| rest.split(ends).next())
}

/// The file a target names, if it names one here.
fn to_file(target: &str) -> Option<String> {
    let target = target.trim_matches(['<', '>']);
    let is_address = target.contains("://") || target.starts_with("mailto:");
    let file = target.split(['#', '?']).next().unwrap_or_default();
    (!is_address && !file.is_empty()).then(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(markdown: &str, expected: &[(usize, &str)]) {
        let found = relative(markdown);
        let found: Vec<(usize, &str)> = found
            .iter()
            .map(|link| (link.line, &*link.target))
            .collect();
        assert_eq!(found, expected, "in {markdown:?}");
    }

    #[test]
    fn links_images_and_definitions_are_found() {
        check(
            "see [a](a.md) and ![b](img/b.png \"two\")\n[c]: c.md\n<img src=\"d.png\" width=\"300\">",
            &[(1, "a.md"), (1, "img/b.png"), (2, "c.md"), (3, "d.png")],
        );
    }

    #[test]
    fn addresses_and_places_in_the_same_file_are_not() {
        check(
            "[a](https://example.org/a.md) [b](#below) <mailto:a@b.c> [c](mailto:a@b.c)",
            &[],
        );
    }

    #[test]
    fn a_place_in_another_file_is_that_file() {
        check("[a](a.md#below)", &[(1, "a.md")]);
    }

    #[test]
    fn code_holds_no_links() {
        check(
            "`[a](a.md)` [b](b.md)\n```md\n[c](c.md)\n```\n[d](d.md)",
            &[(1, "b.md"), (5, "d.md")],
        );
        check("~~~\n```\n[c](c.md)\n~~~\n[d](d.md)", &[(5, "d.md")]);
    }

    #[test]
    fn a_slash_means_the_root() {
        let [slash, plain] = ["/a.md", "a.md"].map(|target| Link {
            line: 1,
            target: target.to_owned(),
        });
        let [root, folder] = [Path::new("repo"), Path::new("repo/docs")];
        assert_eq!(slash.path_from(root, folder), Path::new("repo/a.md"));
        assert_eq!(plain.path_from(root, folder), Path::new("repo/docs/a.md"));
    }
}
