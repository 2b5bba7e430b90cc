//! Many clients at once, through the public interface and over real sockets.
//!
//! What is true is what the clients hold open, never a counter of the server's.

mod diary;
mod house;
mod model;
mod order;
mod pairs;
mod storm;
