//! Pages: what Vite has made of `web/`, and the official browser client, as the program has them in itself.

use fanfare::ClientBundle;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The page on which one enters a name: with what was `typed`, and what was `wrong` with it.
pub(crate) fn sign_in(typed: &str, wrong: &str) -> String {
    filled_in(text("index.html").unwrap_or(MISSING), typed, wrong)
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

fn filled_in(page: &str, typed: &str, wrong: &str) -> String {
    page.replacen(VALUE, &format!("value=\"{}\"", escaped(typed)), 1)
        .replacen(ERROR, &escaped(wrong), 1)
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

/// Where the template of the sign-in page has the field's value. Nothing escaped looks like it,
/// nor like [`ERROR`].
const VALUE: &str = "value=\"\"";

/// Where the template has what was wrong.
const ERROR: &str = "<!--error-->";

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

    #[test]
    fn what_was_typed_and_what_was_wrong_are_filled_in() {
        assert_eq!(filled_in(PAGE, "", ""), "<input value=\"\"><p></p>");
        assert_eq!(
            filled_in(PAGE, "Anna", "taken"),
            "<input value=\"Anna\"><p>taken</p>"
        );
    }

    #[test]
    fn what_was_typed_is_never_markup() {
        assert_eq!(
            filled_in(PAGE, "\"><script>'&amp;", "<b>"),
            "<input value=\"&quot;&gt;&lt;script&gt;&#39;&amp;amp;\"><p>&lt;b&gt;</p>"
        );
        assert_eq!(
            filled_in(PAGE, "<!--error--> value=\"\"", "x"),
            "<input value=\"&lt;!--error--&gt; value=&quot;&quot;\"><p>x</p>"
        );
    }

    #[test]
    fn a_missing_page_names_the_command_that_makes_it() {
        let page = filled_in(MISSING, "Anna", "the name Anna is taken");
        assert!(
            page.contains("the name Anna is taken") && page.contains("cargo xtask serve"),
            "{page}"
        );
    }
}
