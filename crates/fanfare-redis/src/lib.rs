//! Many fanfare nodes, and Node's Socket.IO servers, as one server, over Redis or Valkey.
