//! Messages: what somebody may say.

use fanfare::{Args, RawArgs};
use serde::de::IgnoredAny;

use crate::wording::{CodePoint, Grouped};

/// What somebody says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// The page's own mark on it: what comes twice with the same is said once.
    pub(crate) key: Option<String>,
}

/// Reads the arguments of a `chat message`: a string, the space around which is dropped, and a key if
/// the page gives one.
///
/// # Errors
///
/// [`Unsayable`] names the rule, and what broke it.
pub(crate) fn read(args: &RawArgs) -> Result<Said, Unsayable> {
    let text: String = args.read().map_err(|_| Unsayable::Kind(kind(args)))?;
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || MAX_LENGTH < length {
        return Err(Unsayable::Length(length));
    }
    match text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        Some(control) => Err(Unsayable::Control(control)),
        None => Ok(Said {
            text: text.to_owned(),
            key: read_key(args)?,
        }),
    }
}

fn read_key(args: &RawArgs) -> Result<Option<String>, Unsayable> {
    let Ok(Args((_, key))) = args.read::<Args<(IgnoredAny, Option<String>)>>() else {
        return Ok(None);
    };
    match key.as_ref().map(|key| key.chars().count()) {
        Some(length) if MAX_KEY_LENGTH < length => Err(Unsayable::Key(length)),
        Some(_) | None => Ok(key),
    }
}

/// Why something is no message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unsayable {
    /// It is something else than a string.
    #[error("a message is a string of 1 to {} characters; this is {kind}", Grouped(MAX_LENGTH), kind = .0)]
    Kind(&'static str),
    /// It has none, or too many characters.
    #[error("a message has 1 to {} characters; this one has {}", Grouped(MAX_LENGTH), Grouped(*.0))]
    Length(usize),
    /// It has a control character.
    #[error("a message has no control characters but tabs and line breaks; this one has {}", CodePoint(*.0))]
    Control(char),
    /// Its key has too many characters.
    #[error("a message's key has at most {MAX_KEY_LENGTH} characters; this one has {}", Grouped(*.0))]
    Key(usize),
}

/// What the first argument is, by the character that its JSON text begins with.
fn kind(args: &RawArgs) -> &'static str {
    match args.json.trim_start().bytes().next() {
        None => "nothing",
        Some(b'"') => "a string with half a character in it",
        Some(b'[') => "an array",
        Some(b'{') if args.attachments.is_empty() => "an object",
        Some(b'{') => "an object or binary data",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
    }
}

const MAX_LENGTH: usize = 2_000;

/// A UUID fits, and most of what others use.
const MAX_KEY_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let args = RawArgs {
            json: json.to_owned(),
            attachments: Vec::new(),
        };
        let actual = match read(&args) {
            Ok(Said { text, key: None }) => text,
            Ok(Said {
                text,
                key: Some(key),
            }) => format!("{text} by {key}"),
            Err(unsayable) => unsayable.to_string(),
        };
        assert_eq!(actual, expected);
    }

    #[track_caller]
    fn check_text(text: &str, expected: &str) {
        check(&serde_json::to_string(text).unwrap(), expected);
    }

    #[test]
    fn text_is_a_message() {
        check_text("hello", "hello");
        check_text("  two\n\tlines \n", "two\n\tlines");
        check_text("<script>", "<script>");
        check_text(&"ä".repeat(2_000), &"ä".repeat(2_000));
        check("\"first\",2", "first");
        check("\"first\",\"key\"", "first by key");
        check("\"first\",null", "first");
        check("\"first\",\"key\",3", "first");
        let long = "k".repeat(65);
        check(
            &format!("\"first\",\"{long}\""),
            "a message's key has at most 64 characters; this one has 65",
        );
    }

    #[test]
    fn the_length_has_bounds() {
        check_text("", "a message has 1 to 2,000 characters; this one has 0");
        check_text(
            " \n ",
            "a message has 1 to 2,000 characters; this one has 0",
        );
        check_text(
            &"ä".repeat(2_001),
            "a message has 1 to 2,000 characters; this one has 2,001",
        );
        check_text(
            &"a".repeat(1_000_000),
            "a message has 1 to 2,000 characters; this one has 1,000,000",
        );
    }

    #[test]
    fn control_characters_are_refused() {
        check_text(
            "ding\u{7}",
            "a message has no control characters but tabs and line breaks; this one has U+0007",
        );
        check_text(
            "a\u{9b}b",
            "a message has no control characters but tabs and line breaks; this one has U+009B",
        );
    }

    #[test]
    fn another_type_is_named() {
        for (json, kind) in [
            ("", "nothing"),
            ("5", "a number"),
            ("-1.5", "a number"),
            ("null", "null"),
            ("true", "a boolean"),
            ("[\"a\"]", "an array"),
            ("{}", "an object"),
            ("\"\\ud800\"", "a string with half a character in it"),
        ] {
            check(
                json,
                &format!("a message is a string of 1 to 2,000 characters; this is {kind}"),
            );
        }
    }
}
