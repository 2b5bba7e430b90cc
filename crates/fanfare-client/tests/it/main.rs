//! The client against fanfare's server, and against servers that are no good.

mod conversation;
mod ending;
mod refusal;
mod server;
