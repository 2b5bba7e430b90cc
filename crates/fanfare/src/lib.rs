//! A Socket.IO server that tells everyone, and knows how many are there.
