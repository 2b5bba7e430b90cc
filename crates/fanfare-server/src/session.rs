//! Sessions: who a browser is, in a cookie that only this server can write.
//!
//! Nothing is kept of a session but that it has ended, so that it survives a restart.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cookie::{Cookie, CookieJar, Key, SameSite};
use data_encoding::BASE64URL_NOPAD;

use crate::names::Name;

/// A browser in which somebody has entered a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) name: Name,
    /// Seconds since 1970.
    expires: u64,
}

/// Names a session: 120 random bits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct SessionId([u8; Self::BYTES]);

/// What is known of all sessions.
pub(crate) struct Sessions {
    key: Key,
    ended: Mutex<Ended>,
}

/// Whether a cookie goes over unencrypted connections too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// Why a cookie stands for no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Invalid {
    /// This server, with this key, has not written it.
    #[error("this server did not write your cookie")]
    Forged,
    /// It was written too long ago.
    #[error("your session has expired")]
    Expired,
    /// Its session has been signed out.
    #[error("you have signed out")]
    Ended,
}

impl Session {
    /// A new session for `name`.
    pub(crate) fn new(name: Name, now: SystemTime) -> Self {
        let mut id = [0; SessionId::BYTES];
        getrandom::fill(&mut id).expect("the system has random bytes");
        Self {
            id: SessionId(id),
            name,
            expires: seconds(now + LIFETIME),
        }
    }

    /// The same session under a name of the same key, from now on.
    pub(crate) fn renewed(&self, name: Name, now: SystemTime) -> Self {
        Self {
            id: self.id,
            name,
            expires: seconds(now + LIFETIME),
        }
    }

    fn encode(&self) -> String {
        format!(
            "{}.{}.{}",
            self.id,
            self.expires,
            BASE64URL_NOPAD.encode(self.name.as_str().as_bytes())
        )
    }

    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (id, expires, name) = (parts.next()?, parts.next()?, parts.next()?);
        let name = String::from_utf8(BASE64URL_NOPAD.decode(name.as_bytes()).ok()?).ok()?;
        let id = BASE64URL_NOPAD.decode(id.as_bytes()).ok()?;
        Some(Self {
            id: SessionId(id.try_into().ok()?),
            name: Name::parse(&name).ok()?,
            expires: expires.parse().ok()?,
        })
    }
}

impl Sessions {
    /// Sessions that are signed with `key`.
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            ended: Mutex::default(),
        }
    }

    /// The cookie that carries `session`, as `Set-Cookie` has it.
    pub(crate) fn cookie(&self, session: &Session, scheme: Scheme) -> String {
        let cookie = Cookie::build((COOKIE, session.encode()))
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(scheme == Scheme::Https)
            .max_age(cookie::time::Duration::try_from(LIFETIME).expect("it is a few days"))
            .build();
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.key).add(cookie);
        jar.get(COOKIE).expect("it was just added").to_string()
    }

    /// Reads a cookie's value.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it stands for no session.
    pub(crate) fn read(&self, value: &str, now: SystemTime) -> Result<Session, Invalid> {
        let signed = Cookie::new(COOKIE, value.to_owned());
        let cookie = CookieJar::new()
            .signed(&self.key)
            .verify(signed)
            .ok_or(Invalid::Forged)?;
        let session = Session::decode(cookie.value()).ok_or(Invalid::Forged)?;
        if session.expires <= seconds(now) {
            return Err(Invalid::Expired);
        }
        if self.is_ended(session.id) {
            return Err(Invalid::Ended);
        }
        Ok(session)
    }

    /// Ends a session: its cookies, however many copies there are, are worth nothing any more.
    pub(crate) fn end(&self, session: SessionId, now: SystemTime) {
        self.ended().insert(session, now);
    }

    /// Whether the session has been ended.
    pub(crate) fn is_ended(&self, session: SessionId) -> bool {
        self.ended().ids.contains(&session)
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl SessionId {
    const BYTES: usize = 15;
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

/// The sessions that have ended before they expired. Invariant: both hold the same ids.
#[derive(Debug, Default)]
struct Ended {
    ids: HashSet<SessionId>,
    /// With the second since 1970 in which the last of its cookies will have expired.
    order: VecDeque<(u64, SessionId)>,
}

impl Ended {
    fn insert(&mut self, session: SessionId, now: SystemTime) {
        while let Some((expired, id)) = self.order.front()
            && (*expired <= seconds(now) || MAX_ENDED <= self.order.len())
        {
            self.ids.remove(id);
            self.order.pop_front();
        }
        if self.ids.insert(session) {
            self.order.push_back((seconds(now + LIFETIME), session));
        }
    }
}

/// The value of the cookie in a `Cookie` header.
pub(crate) fn cookie_in(header: &str) -> Option<&str> {
    let cookies = header
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='));
    cookies
        .into_iter()
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// The cookie that takes the one there is away, as `Set-Cookie` has it.
pub(crate) fn removal() -> String {
    Cookie::build((COOKIE, ""))
        .path("/")
        .removal()
        .build()
        .to_string()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// The cookie's name.
pub(crate) const COOKIE: &str = "fanfare_session";

/// How long a name need not be entered again.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Sessions that are remembered as ended. Beyond it, which takes a hundred thousand sign-outs within a
/// week, the earliest are forgotten: a copy of such a cookie, if somebody kept one, is worth something again.
const MAX_ENDED: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: SystemTime = UNIX_EPOCH;

    fn sessions(key: u8) -> Sessions {
        Sessions::new(Key::from(&[key; 64]))
    }

    fn anna() -> Session {
        Session::new(Name::parse("Anna Ä").unwrap(), NOON)
    }

    fn value(set_cookie: &str) -> &str {
        cookie_in(set_cookie).unwrap()
    }

    #[test]
    fn a_session_survives_a_restart_with_the_same_key() {
        let session = anna();
        let cookie = sessions(1).cookie(&session, Scheme::Http);
        assert_eq!(sessions(1).read(value(&cookie), NOON), Ok(session));
        assert_eq!(sessions(2).read(value(&cookie), NOON), Err(Invalid::Forged));
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_foreign_pages() {
        let cookie = sessions(1).cookie(&anna(), Scheme::Http);
        for attribute in [
            "; HttpOnly",
            "; SameSite=Lax",
            "; Path=/",
            "; Max-Age=604800",
        ] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "{cookie}");
        assert!(
            sessions(1)
                .cookie(&anna(), Scheme::Https)
                .contains("; Secure")
        );
    }

    #[test]
    fn a_changed_cookie_is_refused() {
        let sessions = sessions(1);
        let cookie = sessions.cookie(&anna(), Scheme::Http);
        let value = value(&cookie);
        for index in 0..value.len() {
            let mut changed = value.to_owned().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                sessions.read(&changed, NOON),
                Err(Invalid::Forged),
                "{changed}"
            );
        }
        for value in [
            "",
            "=",
            ".",
            "a.b.c",
            "\u{0}",
            &"=".repeat(44),
            &"A".repeat(10_000),
        ] {
            assert_eq!(sessions.read(value, NOON), Err(Invalid::Forged), "{value}");
        }
    }

    #[test]
    fn a_session_ends_after_its_lifetime_whatever_the_browser_keeps() {
        let sessions = sessions(1);
        let cookie = sessions.cookie(&anna(), Scheme::Http);
        let last = NOON + LIFETIME - Duration::from_secs(1);
        assert!(sessions.read(value(&cookie), last).is_ok());
        assert_eq!(
            sessions.read(value(&cookie), NOON + LIFETIME),
            Err(Invalid::Expired)
        );
    }

    #[test]
    fn all_cookies_of_an_ended_session_are_refused() {
        let (sessions, first) = (sessions(1), anna());
        let second = first.renewed(first.name.clone(), NOON + Duration::from_secs(5));
        sessions.end(second.id, NOON + Duration::from_secs(9));
        for session in [&first, &second] {
            let cookie = sessions.cookie(session, Scheme::Http);
            assert_eq!(sessions.read(value(&cookie), NOON), Err(Invalid::Ended));
        }
    }

    #[test]
    fn only_so_many_ended_sessions_are_remembered_and_none_that_have_expired() {
        let mut ended = Ended::default();
        let first = anna().id;
        ended.insert(first, NOON);
        ended.insert(first, NOON);
        for _ in 1..MAX_ENDED {
            ended.insert(anna().id, NOON);
        }
        assert!(ended.ids.contains(&first));
        ended.insert(anna().id, NOON);
        assert!(!ended.ids.contains(&first));
        assert_eq!((ended.ids.len(), ended.order.len()), (MAX_ENDED, MAX_ENDED));
        ended.insert(first, NOON + LIFETIME);
        assert_eq!((ended.ids.len(), ended.order.len()), (1, 1));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(cookie_in("a=b; fanfare_session=c=d; e=f"), Some("c=d"));
        assert_eq!(cookie_in("a=fanfare_session; xfanfare_session=1"), None);
        assert_eq!(cookie_in(""), None);
    }
}
