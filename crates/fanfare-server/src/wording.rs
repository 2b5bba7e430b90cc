//! Numbers and characters, as sentences for people have them.

use std::fmt;

/// A number with its thousands apart: `1,000,000`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Grouped(pub(crate) usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index != 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A character that can't be shown, by its number: `U+202E`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CodePoint(pub(crate) char);

impl fmt::Display for CodePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "U+{:04X}", u32::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, shown) in [
            (0, "0"),
            (32, "32"),
            (999, "999"),
            (2_000, "2,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(Grouped(number).to_string(), shown);
        }
    }

    #[test]
    fn a_character_is_named_by_four_digits_or_more() {
        assert_eq!(CodePoint('\u{7}').to_string(), "U+0007");
        assert_eq!(CodePoint('\u{e0041}').to_string(), "U+E0041");
    }
}
