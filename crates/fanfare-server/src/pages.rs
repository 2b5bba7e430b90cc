//! Pages: what Vite has made of `web/`, and the official browser client, as the program has them in itself.

use fanfare::ClientBundle;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A way into the room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EntryForm {
    Guest,
    Register,
    Login,
}

/// A form of an account's page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AccountForm {
    Name,
    Password,
    Delete,
}

/// The page of a way in: with the name that was `typed`, and what was `wrong`.
pub(crate) fn entry(form: EntryForm, typed: &str, wrong: &str) -> String {
    let file = match form {
        EntryForm::Guest => "index.html",
        EntryForm::Register => "register.html",
        EntryForm::Login => "login.html",
    };
    filled_in(
        text(file).unwrap_or(MISSING),
        &[value(typed), ("<!--error-->", wrong)],
    )
}

/// An account's page: with its `name`, what was wrong with one of the forms, and what was `done`.
pub(crate) fn account(name: &str, wrong: Option<(AccountForm, &str)>, done: &str) -> String {
    let why = |form| {
        wrong
            .filter(|(wrong, _)| *wrong == form)
            .map_or("", |(_, why)| why)
    };
    let marks = [
        value(name),
        ("<!--error:name-->", why(AccountForm::Name)),
        ("<!--error:password-->", why(AccountForm::Password)),
        ("<!--error:delete-->", why(AccountForm::Delete)),
        ("<!--done-->", done),
    ];
    filled_in(text("account.html").unwrap_or(MISSING), &marks)
}

/// The room.
pub(crate) fn room() -> &'static str {
    text("chat.html").unwrap_or(MISSING)
}

/// Whether the program was built with its page.
pub(crate) fn are_there() -> bool {
    !PAGE.is_empty()
}

/// A file that the page needs, by its path.
pub(crate) fn file(path: &str) -> Option<&'static [u8]> {
    PAGE.iter()
        .find(|(known, _)| *known == path)
        .map(|(_, bytes)| *bytes)
}

/// The official browser client, if the program was built with it.
pub(crate) fn client() -> Option<ClientBundle> {
    (!CLIENT.is_empty()).then(|| ClientBundle::from_files(CLIENT.iter().copied()))
}

fn text(path: &str) -> Option<&'static str> {
    std::str::from_utf8(file(path)?).ok()
}

/// The page with its marks replaced, each once, by texts.
fn filled_in(page: &str, marks: &[(&str, &str)]) -> String {
    let mut filled = page.to_owned();
    for (mark, text) in marks {
        let text = match *mark {
            VALUE => format!("value=\"{}\"", escaped(text)),
            _ => escaped(text),
        };
        filled = filled.replacen(mark, &text, 1);
    }
    filled
}

/// What stands in the field of a name.
fn value(typed: &str) -> (&'static str, &str) {
    (VALUE, typed)
}

/// The text as HTML shows it, in an element or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

/// Where a template has the field of a name. Nothing escaped looks like it, nor like the other marks.
const VALUE: &str = "value=\"\"";

/// Stands for a page that the program was built without.
const MISSING: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>fanfare</title>
<p><!--error--></p>
<p>This program was built without its page. <code>cargo xtask serve</code> makes the page and builds the program with it.</p>
";

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<input value=\"\"><p><!--error--></p>";

    #[track_caller]
    fn check(page: &str, typed: &str, wrong: &str, expected: &str) {
        let marks = [value(typed), ("<!--error-->", wrong)];
        assert_eq!(filled_in(page, &marks), expected);
    }

    #[test]
    fn what_was_typed_and_what_was_wrong_are_filled_in() {
        check(PAGE, "", "", "<input value=\"\"><p></p>");
        check(PAGE, "Anna", "taken", "<input value=\"Anna\"><p>taken</p>");
    }

    #[test]
    fn what_was_typed_is_never_markup() {
        check(
            PAGE,
            "\"><script>'&amp;",
            "<b>",
            "<input value=\"&quot;&gt;&lt;script&gt;&#39;&amp;amp;\"><p>&lt;b&gt;</p>",
        );
        check(
            PAGE,
            "<!--error--> value=\"\"",
            "x",
            "<input value=\"&lt;!--error--&gt; value=&quot;&quot;\"><p>x</p>",
        );
    }

    #[test]
    fn a_missing_page_names_the_command_that_makes_it() {
        let page = filled_in(
            MISSING,
            &[value("Anna"), ("<!--error-->", "the name Anna is taken")],
        );
        assert!(
            page.contains("the name Anna is taken") && page.contains("cargo xtask serve"),
            "{page}"
        );
    }

    /// As far as the program was built with its pages.
    #[test]
    fn every_template_has_each_of_its_marks_once() {
        let entry = ["value=\"\"", "<!--error-->"];
        let account = [
            "value=\"\"",
            "<!--error:name-->",
            "<!--error:password-->",
            "<!--error:delete-->",
            "<!--done-->",
        ];
        for (file, marks) in [
            ("index.html", &entry[..]),
            ("register.html", &entry[..]),
            ("login.html", &entry[..]),
            ("account.html", &account[..]),
        ] {
            let Some(page) = text(file) else {
                assert!(!are_there(), "{file} is missing");
                continue;
            };
            for mark in marks {
                assert_eq!(page.matches(mark).count(), 1, "{mark} in {file}");
            }
        }
    }
}
