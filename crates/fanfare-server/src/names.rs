//! Names: which a person may have, and when two are the same.

use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    BidiControl, BinaryProperty, DefaultIgnorableCodePoint, EnumeratedProperty, GeneralCategory,
    VariationSelector,
};

use crate::wording::{CodePoint, Grouped};

/// A name that somebody may have.
///
/// Two names are the same if their [keys](Self::key) are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Name {
    shown: Box<str>,
    key: Box<str>,
}

impl Name {
    /// Reads what somebody typed. Space around and between words is tidied, compatibility forms
    /// become plain ones (NFKC).
    ///
    /// # Errors
    ///
    /// [`Unfit`] says what is wrong, and with which character.
    pub(crate) fn parse(typed: &str) -> Result<Self, Unfit> {
        let typed = typed.trim();
        typed.chars().try_for_each(judge)?;
        let normalizer = ComposingNormalizerBorrowed::new_nfkc();
        let shown = normalizer
            .normalize(typed)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let length = shown.chars().count();
        if length == 0 || MAX_LENGTH < length {
            return Err(Unfit::Length(length));
        }
        let visible: String = shown
            .chars()
            .filter(|c| !DefaultIgnorableCodePoint::for_char(*c))
            .collect();
        if visible.is_empty() {
            return Err(Unfit::Blank);
        }
        let folded = CaseMapper::new().fold_string(&visible);
        let key = normalizer.normalize(&folded).into();
        Ok(Self {
            shown: shown.into(),
            key,
        })
    }

    /// The name as it is shown.
    pub(crate) fn as_str(&self) -> &str {
        &self.shown
    }

    /// What the name has in common with all that look like it, but for look-alike letters of
    /// different scripts: compatibility forms, case and what is invisible make no difference.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Why something typed is no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It has none, or too many characters.
    #[error("a name has 1 to {MAX_LENGTH} characters; this one has {}", Grouped(*.0))]
    Length(usize),
    /// It has characters, none of which can be seen.
    #[error("a name has something to see; this one is blank")]
    Blank,
    /// It has a control character.
    #[error("a name has no control characters or line breaks; this one has {}", CodePoint(*.0))]
    Control(char),
    /// It has the mark of something that could not be read.
    #[error("a name comes in UTF-8; a part of this one can't be read")]
    Garbled,
    /// It has a character that turns text round.
    #[error("a name must not turn the direction of the text around it; this one has the invisible {}", CodePoint(*.0))]
    Direction(char),
    /// It has a character that makes it differ from another name without looking different.
    #[error("a name has no invisible characters, so that no two look the same; this one has {}", CodePoint(*.0))]
    Invisible(char),
}

fn judge(c: char) -> Result<(), Unfit> {
    match GeneralCategory::for_char(c) {
        GeneralCategory::Control
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => Err(Unfit::Control(c)),
        _ if c == char::REPLACEMENT_CHARACTER => Err(Unfit::Garbled),
        _ if BidiControl::for_char(c) => Err(Unfit::Direction(c)),
        GeneralCategory::Format => Err(Unfit::Invisible(c)),
        _ if is_blank(c) => Err(Unfit::Invisible(c)),
        _ => Ok(()),
    }
}

/// Takes up room or none, and shows nothing. A variation selector may stay: keyboards put one after
/// an emoji, and a key has none.
fn is_blank(c: char) -> bool {
    c == BRAILLE_BLANK || DefaultIgnorableCodePoint::for_char(c) && !VariationSelector::for_char(c)
}

const MAX_LENGTH: usize = 32;

/// A pattern without dots: the one character without ink that no Unicode property tells.
const BRAILLE_BLANK: char = '\u{2800}';

#[cfg(test)]
mod tests {
    use icu_normalizer::DecomposingNormalizerBorrowed;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(typed: &str, expected: &str) {
        let actual = match Name::parse(typed) {
            Ok(name) => format!("{} = {}", name.as_str(), name.key()),
            Err(unfit) => unfit.to_string(),
        };
        assert_eq!(actual, expected, "{typed:?}");
    }

    #[test]
    fn names_of_any_script_are_names() {
        check("Anna", "Anna = anna");
        check("  Anna \u{3000} Lena\t", "Anna Lena = anna lena");
        check("Ἀθηνᾶ Σωκράτης", "Ἀθηνᾶ Σωκράτης = ἀθηνᾶ σωκράτησ");
        check("王小明", "王小明 = 王小明");
        check("Ⓐnna ﬁ", "Anna fi = anna fi");
        check("Anna ❤\u{fe0f}", "Anna ❤\u{fe0f} = anna ❤");
        check(&"ä".repeat(32), &format!("{0} = {0}", "ä".repeat(32)));
        check("<b>&\"'", "<b>&\"' = <b>&\"'");
    }

    #[track_caller]
    fn check_same(one: &str, other: &str) {
        assert_eq!(
            Name::parse(one).unwrap().key(),
            Name::parse(other).unwrap().key(),
            "{one:?} {other:?}"
        );
    }

    #[test]
    fn case_composition_and_compatibility_make_no_other_name() {
        check_same("anna", "ANNA");
        check_same("Straße", "STRASSE");
        check_same("Ａｎｎａ", "anna");
        check_same("Amélie", "Ame\u{301}lie");
        check_same("ΣΊΣΥΦΟΣ", "Σίσυφος");
        check_same("An\u{fe0f}na", "anna");
        check_same("Anna  Lena", "anna lena");
    }

    #[test]
    fn the_length_is_counted_in_characters_as_they_are_shown() {
        check("", "a name has 1 to 32 characters; this one has 0");
        check(" \t\n ", "a name has 1 to 32 characters; this one has 0");
        check(
            &"ä".repeat(33),
            "a name has 1 to 32 characters; this one has 33",
        );
        check(
            &"n".repeat(10_000),
            "a name has 1 to 32 characters; this one has 10,000",
        );
        check(
            "\u{fdfa}\u{fdfa}",
            "a name has 1 to 32 characters; this one has 36",
        );
    }

    #[test]
    fn control_characters_are_refused() {
        let said =
            |code| format!("a name has no control characters or line breaks; this one has {code}");
        check("An\u{7}na", &said("U+0007"));
        check("An\nna", &said("U+000A"));
        check("An\0na", &said("U+0000"));
        check("An\u{85}na", &said("U+0085"));
        check("An\u{2028}na", &said("U+2028"));
    }

    #[test]
    fn what_was_lost_on_the_way_is_no_name() {
        check(
            "An\u{fffd}na",
            "a name comes in UTF-8; a part of this one can't be read",
        );
    }

    #[test]
    fn what_turns_the_direction_of_text_is_refused() {
        for c in [
            '\u{202e}', '\u{202d}', '\u{2066}', '\u{2069}', '\u{200e}', '\u{200f}', '\u{61c}',
        ] {
            let code = CodePoint(c);
            check(
                &format!("{c}anna"),
                &format!(
                    "a name must not turn the direction of the text around it; this one has the invisible {code}"
                ),
            );
        }
    }

    #[test]
    fn what_is_invisible_is_refused() {
        let invisible = [
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{ad}',
            '\u{180e}',
            '\u{e0041}',
            '\u{34f}',
            '\u{115f}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{2800}',
        ];
        for c in invisible {
            let code = CodePoint(c);
            check(
                &format!("anna{c}"),
                &format!(
                    "a name has no invisible characters, so that no two look the same; this one has {code}"
                ),
            );
        }
        check("\u{fe0f}", "a name has something to see; this one is blank");
    }

    /// Characters of many scripts, composed and not, with and without case.
    const LETTERS: &str = "[a-zA-ZäÄßẞéÉıİſσςΣАаЯяǅﬁＡａⒶ①王가\u{301}\u{308} .'-]{1,12}";

    proptest! {
        /// However a name is spelled in capitals, composed or decomposed, it is the same name; and the name as
        /// it is shown is itself.
        #[test]
        fn spellings_of_one_name_have_one_key(typed in LETTERS) {
            let Ok(name) = Name::parse(&typed) else { return Ok(()) };
            let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&typed).into_owned();
            let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(&typed).into_owned();
            let folded = CaseMapper::new().fold_string(name.as_str()).into_owned();
            for spelling in [composed, decomposed, folded, name.as_str().to_owned()] {
                // Some spellings are longer than a name may be.
                if let Ok(same) = Name::parse(&spelling) {
                    prop_assert_eq!(same.key(), name.key(), "{:?}", spelling);
                }
            }
            let key = Name::parse(name.key()).map(|name| name.key().to_owned());
            prop_assert!(key.is_err() || key.as_deref() == Ok(name.key()));
        }

        #[test]
        fn nothing_typed_makes_it_panic_or_show_what_cannot_be_seen(typed in "\\PC{0,40}|.{0,40}") {
            if let Ok(name) = Name::parse(&typed) {
                let length = name.as_str().chars().count();
                prop_assert!((1..=MAX_LENGTH).contains(&length) && !name.key().is_empty());
                prop_assert!(name.as_str().chars().all(|c| judge(c).is_ok()));
            }
        }
    }
}
