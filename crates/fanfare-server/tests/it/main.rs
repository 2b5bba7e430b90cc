//! The program as people and browsers meet it: a process of its own, HTTP and sockets.

#![expect(
    clippy::duplicate_mod,
    reason = "each of them runs with every kind of database"
)]

mod alone;
mod audience;
mod bench;
mod chaos;
mod heard;
mod nodes;
mod postgres;
mod rolling;
mod server;
mod starting;
