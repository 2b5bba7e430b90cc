//! The program as people and browsers meet it: a process of its own, HTTP and sockets.

mod accounts;
mod bench;
mod heard;
mod messages;
mod pages;
mod room;
mod server;
mod starting;
