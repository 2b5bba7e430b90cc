//! What an application asks of the library, and gets.

mod acks;
mod admission;
mod binary;
mod disconnect;
mod handlers;
mod inbox;
mod limits;
mod mounted;
mod namespaces;
mod reports;
mod rooms;
mod shutdown;
mod slow_readers;
mod upgrade;
