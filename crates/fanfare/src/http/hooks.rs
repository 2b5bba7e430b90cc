//! Hooks: functions of the application that see requests and answers.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{HeaderMap, request::Parts};

/// A function that changes the headers of answers; for [`Config::initial_headers`](crate::Config::initial_headers)
/// and [`Config::headers`](crate::Config::headers).
///
/// ```
/// use fanfare::{Config, HeaderHook};
/// use http::{HeaderValue, header};
///
/// let config = Config {
///     headers: Some(HeaderHook::new(|headers, _request| {
///         let policy = HeaderValue::from_static("max-age=31536000");
///         headers.insert(header::STRICT_TRANSPORT_SECURITY, policy);
///     })),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct HeaderHook(Arc<ChangeHeaders>);

type ChangeHeaders = dyn Fn(&mut HeaderMap, &Parts) + Send + Sync;

impl HeaderHook {
    /// Calls `change` with an answer's headers, all others of which are set, and with the request; what layers in front
    /// left in its extensions is there. It must not block, and must leave alone what HTTP and WebSocket need:
    /// lengths, encodings, `Connection`, `Upgrade` and `Sec-WebSocket-*`. If it panics, the answer goes out as
    /// it is by then.
    pub fn new(change: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    pub(super) fn call(&self, headers: &mut HeaderMap, request: &Parts) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(headers, request))).is_err() {
            tracing::error!("a function that changes headers panicked");
        }
    }
}

impl fmt::Debug for HeaderHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderHook")
    }
}
