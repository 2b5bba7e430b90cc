//! Numbered messages: every client is to be told each once, and in order.

use crate::client::first_line;
use crate::error::LoadError;
use crate::site::ClientId;

/// How far each client has been told.
#[derive(Debug)]
pub(crate) struct Numbered {
    /// The number that is due.
    due: Vec<u32>,
}

impl Numbered {
    /// Number 0 is due at all of `clients`.
    pub(crate) fn new(clients: usize) -> Self {
        Self {
            due: vec![0; clients],
        }
    }

    /// Number 0 is due again.
    pub(crate) fn restart(&mut self) {
        self.due.fill(0);
    }

    /// The number that is due at `client`: as many as it has been told.
    pub(crate) fn due(&self, client: ClientId) -> u32 {
        self.due[client.0]
    }

    /// `client` was told `packet`; returns the number, or `None` if it is another event than `say`.
    ///
    /// # Errors
    ///
    /// If it is not the number that is due, or `text` does not follow it.
    pub(crate) fn take(
        &mut self,
        client: ClientId,
        packet: &[u8],
        text: &str,
    ) -> Result<Option<u32>, LoadError> {
        let Some(args) = packet.strip_prefix(br#"42["say","#) else {
            return Ok(None);
        };
        let due = self.due[client.0];
        if read(args, text) != Some(due) {
            let what = format!("was told {} instead of number {due}", first_line(packet));
            return Err(LoadError::Wrong { client, what });
        }
        self.due[client.0] += 1;
        Ok(Some(due))
    }
}

/// The number before `text` in `7,"text"]`.
pub(crate) fn read(args: &[u8], text: &str) -> Option<u32> {
    let comma = args.iter().position(|byte| *byte == b',')?;
    let (digits, rest) = args.split_at(comma);
    let rest = rest.strip_prefix(br#",""#)?.strip_prefix(text.as_bytes())?;
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    is_end(rest.strip_prefix(b"\"")?).then_some(number)
}

/// Whether the arguments of an event end here. Servers that let clients come back, by connection state recovery, add a string to
/// each event: its place in what they keep.
pub(crate) fn is_end(rest: &[u8]) -> bool {
    let is_place = |rest: &[u8]| {
        let place = rest.strip_prefix(br#",""#)?.strip_suffix(br#""]"#)?;
        Some(!place.is_empty() && !place.contains(&b'"'))
    };
    rest == b"]" || is_place(rest).unwrap_or_default()
}

/// What is said besides the number, unless a scenario has its own.
pub(crate) fn text() -> String {
    "x".repeat(TEXT_BYTES)
}

pub(crate) const TEXT_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(packets: &[&str], expected: &str) {
        let mut numbered = Numbered::new(1);
        let told = packets.iter().try_for_each(|packet| {
            numbered
                .take(ClientId(0), packet.as_bytes(), "hi")
                .map(drop)
        });
        let actual = match told {
            Ok(()) => format!("{} told", numbered.due(ClientId(0))),
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expected, "{packets:?}");
    }

    #[test]
    fn a_number_left_out_repeated_or_with_another_text_is_wrong() {
        check(&[r#"42["say",0,"hi"]"#, r#"42["say",1,"hi"]"#], "2 told");
        check(&[r#"42["user count",5]"#], "0 told");
        check(&[r#"42["say",0,"hi","AAAAAAAAAAA"]"#], "1 told");
        for more in [r#""a","b""#, r#""""#, "7"] {
            let packet = format!(r#"42["say",0,"hi",{more}]"#);
            let wrong = format!("client 0: was told {packet} instead of number 0");
            check(&[&packet], &wrong);
        }
        check(
            &[r#"42["say",1,"hi"]"#],
            r#"client 0: was told 42["say",1,"hi"] instead of number 0"#,
        );
        check(
            &[r#"42["say",0,"hi"]"#, r#"42["say",0,"hi"]"#],
            r#"client 0: was told 42["say",0,"hi"] instead of number 1"#,
        );
        check(
            &[r#"42["say",0,"ho"]"#],
            r#"client 0: was told 42["say",0,"ho"] instead of number 0"#,
        );
    }
}
