//! What an application asks of the library, and gets.

mod acks;
mod admission;
mod announce;
mod binary;
mod broadcast_acks;
mod bundle;
mod cookie;
mod cors;
mod disconnect;
mod handlers;
mod inbox;
mod limits;
mod memory;
mod middleware;
mod mounted;
mod namespaces;
mod older;
mod order;
mod recovery;
mod reports;
mod rooms;
mod shutdown;
mod slow_readers;
mod strangers;
mod upgrade;
mod volatile;
