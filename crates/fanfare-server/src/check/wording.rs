//! Numbers and clients, in words.

use std::time::Duration;

use super::report::Shown;

/// `5 s`, `0.25 s`.
pub(super) fn seconds(span: Duration) -> String {
    format!("{} s", (span.as_secs_f64() * 1_000.0).round() / 1_000.0)
}

/// Who is left, up to `shown`.
pub(super) fn one_or_all(n_left: usize) -> String {
    match n_left {
        1 => "the other one is".to_owned(),
        _ => format!("the other {n_left} are"),
    }
}

/// `clients 1 and 2 are shown 3, client 4 is shown nothing`.
pub(super) fn group(shown: &[Shown]) -> String {
    let mut groups: Vec<(Option<u64>, Vec<usize>)> = Vec::new();
    for &Shown { client, shown } in shown {
        match groups.iter_mut().find(|(number, _)| *number == shown) {
            Some((_, clients)) => clients.push(client),
            None => groups.push((shown, vec![client])),
        }
    }
    let phrases: Vec<String> = groups
        .iter()
        .map(|(number, clients)| {
            let number = number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
            match clients[..] {
                [client] => format!("client {client} is shown {number}"),
                _ => format!("clients {} are shown {number}", list(clients)),
            }
        })
        .collect();
    phrases.join(", ")
}

/// `1, 2 and 3`; in the middle of a long list, what goes without saying is left out.
fn list(clients: &[usize]) -> String {
    let words: Vec<String> = clients.iter().map(usize::to_string).collect();
    match &words[..] {
        [first, .., last] if words.len() > MAX_LISTED => {
            format!("{first} to {last} ({} in all)", words.len())
        }
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

const MAX_LISTED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shown: &[Option<u64>], expected: &str) {
        let shown: Vec<Shown> = (1..)
            .zip(shown)
            .map(|(client, &shown)| Shown { client, shown })
            .collect();
        assert_eq!(group(&shown), expected);
    }

    #[test]
    fn who_is_shown_the_same_is_named_together() {
        check(&[Some(3)], "client 1 is shown 3");
        check(
            &[Some(3), Some(3), None, Some(3)],
            "clients 1, 2 and 4 are shown 3, client 3 is shown nothing",
        );
        check(&[Some(3); 20], "clients 1 to 20 (20 in all) are shown 3");
        check(&[], "");
    }

    #[test]
    fn seconds_have_no_more_digits_than_they_need() {
        assert_eq!(seconds(Duration::from_secs(45)), "45 s");
        assert_eq!(seconds(Duration::from_micros(250_400)), "0.25 s");
    }
}
