//! Where in its JSON a binary packet refers to its attachments.
//!
//! An object with `"_placeholder": true` stands for the attachment that its `num` counts out.

use super::{Violation, json};

/// Checks that each placeholder in `args`, which are JSON values joined by commas and have been
/// checked, names one of `attachments`. Its `num` is to be written as an integer, as all clients do.
pub(super) fn check(args: &str, attachments: usize) -> Result<(), Violation> {
    let mut walk = Walk {
        rest: args,
        attachments,
        open: Vec::new(),
    };
    while let Some(token) = walk.next_token() {
        walk.handle_token(token)?;
    }
    Ok(())
}

/// Goes through valid JSON without recursion: a peer decides how deep it nests.
struct Walk<'a> {
    rest: &'a str,
    attachments: usize,
    open: Vec<Open>,
}

/// An array or object that the walk is inside of.
enum Open {
    Array,
    Object {
        /// `None` before a key.
        key: Option<Key>,
        is_placeholder: bool,
        has_valid_num: bool,
    },
}

#[derive(Clone, Copy)]
enum Key {
    Placeholder,
    Num,
    Other,
}

enum Token<'a> {
    Begin(Open),
    End,
    Comma,
    String(&'a str),
    /// A number or a word.
    Scalar(&'a str),
}

impl<'a> Walk<'a> {
    fn next_token(&mut self) -> Option<Token<'a>> {
        let blanks = self
            .rest
            .bytes()
            .take_while(|byte| BLANKS.contains(byte))
            .count();
        let rest = &self.rest[blanks..];
        let (text, rest) = rest.split_at(json::token_len(rest));
        self.rest = rest;
        Some(match text.bytes().next()? {
            b'{' => Token::Begin(Open::Object {
                key: None,
                is_placeholder: false,
                has_valid_num: false,
            }),
            b'[' => Token::Begin(Open::Array),
            b'}' | b']' => Token::End,
            b',' => Token::Comma,
            b'"' => Token::String(text),
            _ => Token::Scalar(text),
        })
    }

    fn handle_token(&mut self, token: Token<'_>) -> Result<(), Violation> {
        match (token, self.open.last_mut()) {
            (Token::Begin(open), _) => {
                self.handle_value("");
                self.open.push(open);
            }
            (Token::End, _) => {
                if let Some(Open::Object {
                    is_placeholder: true,
                    has_valid_num: false,
                    ..
                }) = self.open.pop()
                {
                    return Err(Violation::IllegalPlaceholder);
                }
            }
            (Token::Comma, Some(Open::Object { key, .. })) => *key = None,
            (Token::Comma, Some(Open::Array) | None) => {}
            (Token::String(text), Some(Open::Object { key, .. })) if key.is_none() => {
                *key = Some(Key::of(text));
            }
            (Token::String(text) | Token::Scalar(text), _) => self.handle_value(text),
        }
        Ok(())
    }

    /// Notes the value of a key that means something. Of repeated keys the last counts, as in JavaScript.
    fn handle_value(&mut self, text: &str) {
        let Some(Open::Object {
            key: Some(key),
            is_placeholder,
            has_valid_num,
        }) = self.open.last_mut()
        else {
            return;
        };
        match key {
            Key::Placeholder => *is_placeholder = text == "true",
            Key::Num => {
                *has_valid_num = text.parse().is_ok_and(|num: usize| num < self.attachments);
            }
            Key::Other => {}
        }
    }
}

impl Key {
    fn of(string: &str) -> Self {
        match string {
            r#""_placeholder""# => Self::Placeholder,
            r#""num""# => Self::Num,
            string if string.contains('\\') => match json::unescape(string).as_str() {
                "_placeholder" => Self::Placeholder,
                "num" => Self::Num,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// What stands between tokens, and what says no more than its place does.
const BLANKS: [u8; 5] = *b" \t\n\r:";
