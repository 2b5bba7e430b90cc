//! Every scenario against a real server: fanfare, at a port of its own.

mod scenarios;
mod server;
mod wrong;
