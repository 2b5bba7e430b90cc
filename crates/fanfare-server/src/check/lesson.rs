//! What the lesson says: three things that have to stand in a server's and a page's source.

use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode};
use regex::Regex;

use super::{
    Stop,
    args::Target,
    guests::ask,
    report::{Report, Step, Verdict},
};

/// A thing that has to stand in a source.
struct Saying {
    path: &'static str,
    /// Regardless of case.
    pattern: &'static str,
    /// What it stands for.
    meaning: &'static str,
}

/// The lesson's own checks.
const SAYINGS: [Saying; 3] = [
    Saying {
        path: SERVER,
        pattern: "currentUsers",
        meaning: "has currentUsers",
    },
    Saying {
        path: SERVER,
        pattern: r#"io.emit.*('|")user count('|").*currentUsers"#,
        meaning: "emits 'user count' with currentUsers to all",
    },
    Saying {
        path: PAGE,
        pattern: r#"socket.on.*('|")user count('|")"#,
        meaning: "listens for 'user count'",
    },
];

const SERVER: &str = "/_api/server.js";
const PAGE: &str = "/public/client.js";

/// Asks for both sources and looks for what has to stand in them.
///
/// # Errors
///
/// If the server does not answer.
pub(super) async fn says(target: &Target, report: &mut Report) -> Result<(), Stop> {
    report.begin("says");
    let mut verdict = Verdict::Passed;
    let mut source = None;
    for saying in &SAYINGS {
        let began = Instant::now();
        let answer = match source.take() {
            Some((path, answer)) if path == saying.path => answer,
            _ => read(target, saying.path).await?,
        };
        let finding = saying.judge(&answer);
        source = Some((saying.path, answer));
        if finding.is_err() {
            verdict = Verdict::Failed;
        }
        report.step(Step {
            action: format!("{} {}", saying.path, saying.meaning),
            verdict: match finding {
                Ok(_) => Verdict::Passed,
                Err(_) => Verdict::Failed,
            },
            finding: finding.unwrap_or_else(|finding| finding),
            expected: None,
            shown: Vec::new(),
            seconds: began.elapsed().as_secs_f64(),
        });
    }
    report.end(verdict);
    Ok(())
}

impl Saying {
    /// Where it stands, or why it is not found.
    fn judge(&self, answer: &Result<String, StatusCode>) -> Result<String, String> {
        let text = match answer {
            Ok(text) => text,
            Err(StatusCode::NOT_FOUND) => return Err("source not offered".to_owned()),
            Err(status) => return Err(format!("answered with {status}")),
        };
        let pattern = format!("(?i){}", self.pattern);
        let pattern = Regex::new(&pattern).expect("the lesson's patterns are regular expressions");
        match pattern.find(text) {
            Some(found) => Ok(format!(
                "line {}",
                1 + text[..found.start()].matches('\n').count()
            )),
            None => Err(format!("nothing in it matches /{}/gi", self.pattern)),
        }
    }
}

/// The text at `path`, or the status that stands in its place.
async fn read(target: &Target, path: &'static str) -> Result<Result<String, StatusCode>, Stop> {
    let request = Request::get(path).body(Bytes::new());
    let answer = ask(target, request.expect("the lesson's paths are paths")).await?;
    match answer.status() {
        status if status.is_success() => {
            Ok(Ok(String::from_utf8_lossy(answer.body()).into_owned()))
        }
        status => Ok(Err(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n: usize, text: &str, expected: Result<&str, &str>) {
        let actual = SAYINGS[n].judge(&Ok(text.to_owned()));
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(actual, expected, "{text:?}");
    }

    #[test]
    fn the_lessons_own_lines_are_found() {
        check(0, "let currentUsers = 0;", Ok("line 1"));
        check(1, "\n  io.emit('user count', currentUsers);", Ok("line 2"));
        check(1, r#"io.emit("user count", *currentUsers);"#, Ok("line 1"));
        check(2, "socket.on('user count', function(data) {", Ok("line 1"));
        check(2, r#"SOCKET.ON("USER COUNT""#, Ok("line 1"));
    }

    #[test]
    fn other_lines_are_not() {
        let nothing = r#"nothing in it matches /io.emit.*('|")user count('|").*currentUsers/gi"#;
        check(1, "io.emit('user count',\ncurrentUsers);", Err(nothing));
        check(1, "io.emit(`user count`, currentUsers);", Err(nothing));
        check(
            0,
            "let current_users = 0;",
            Err("nothing in it matches /currentUsers/gi"),
        );
    }

    #[test]
    fn a_source_that_is_not_there_is_told_from_one_that_fails() {
        let judge = |status| SAYINGS[0].judge(&Err(status)).unwrap_err();
        assert_eq!(judge(StatusCode::NOT_FOUND), "source not offered");
        assert_eq!(judge(StatusCode::FORBIDDEN), "answered with 403 Forbidden");
    }
}
