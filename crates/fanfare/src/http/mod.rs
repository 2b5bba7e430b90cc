//! HTTP: the only module that knows the HTTP library.

mod answer;
mod body;
mod bundle;
mod coding;
mod cookie;
mod cors;
mod hooks;
mod listen;
mod origin;
mod refused;
mod route;
mod service;

pub use body::Body;
pub use bundle::ClientBundle;
pub use hooks::{AllowRequest, ConnectionError, ConnectionErrorListener, Forbidden, HeaderHook};
pub use listen::{Listener, ServeError};
pub use origin::OriginPredicate;
pub use service::{FanfareLayer, FanfareService, RemoteAddr};
