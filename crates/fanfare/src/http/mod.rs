//! HTTP: the only module that knows the HTTP library.

mod answer;
mod body;
mod bundle;
mod coding;
mod cookie;
mod cors;
mod holding;
mod hooks;
mod listen;
mod origin;
mod policy;
mod refused;
mod route;
mod service;

pub use body::Body;
pub use bundle::ClientBundle;
pub(crate) use holding::Holding;
pub use hooks::{
    AllowRequest, ConnectionError, ConnectionErrorListener, Forbidden, HeaderHook, SidGenerator,
};
pub use listen::{Listener, ServeError};
pub use origin::OriginPredicate;
pub use policy::PolicyFunction;
pub use service::{FanfareLayer, FanfareService, OverTls, RemoteAddr};
