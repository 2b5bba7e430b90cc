//! Policy: which pages may connect and what they may do, by the settings or by what these make of the request.

use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::request::Parts;

use crate::config::{Config, Cors, Origins};

/// A function that says for each request which pages may connect and what they may do; for
/// [`Config::policy`](crate::Config::policy).
///
/// ```
/// use fanfare::{Config, Cors, Origins, PolicyFunction};
///
/// let config = Config {
///     policy: Some(PolicyFunction::new(|request| {
///         let is_public = request.headers.get("host").is_some_and(|host| host == "public.example");
///         let origins = if is_public { Origins::Any } else { Origins::SameOrigin };
///         (origins, Cors::default())
///     })),
///     ..Config::default()
/// };
/// ```
#[derive(Clone)]
pub struct PolicyFunction(Arc<Decide>);

type Decide = dyn Fn(&Parts) -> (Origins, Cors) + Send + Sync;

impl PolicyFunction {
    /// Asks `policy` about each request under the server's path, before anything else is looked at. It must not block; if
    /// it panics, pages of the same host alone may connect.
    pub fn new(policy: impl Fn(&Parts) -> (Origins, Cors) + Send + Sync + 'static) -> Self {
        Self(Arc::new(policy))
    }
}

impl fmt::Debug for PolicyFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyFunction")
    }
}

/// What holds for one request.
pub(super) struct Policy<'a> {
    pub(super) origins: Cow<'a, Origins>,
    pub(super) cors: Cow<'a, Cors>,
}

impl<'a> Policy<'a> {
    pub(super) fn of(config: &'a Config, request: &Parts) -> Self {
        let Some(PolicyFunction(policy)) = &config.policy else {
            return Self {
                origins: Cow::Borrowed(&config.origins),
                cors: Cow::Borrowed(&config.cors),
            };
        };
        let said = catch_unwind(AssertUnwindSafe(|| policy(request)));
        let (origins, cors) = said.unwrap_or_else(|_| {
            tracing::error!("the function that says what pages may do panicked");
            (Origins::SameOrigin, Cors::default())
        });
        Self {
            origins: Cow::Owned(origins),
            cors: Cow::Owned(cors),
        }
    }
}
