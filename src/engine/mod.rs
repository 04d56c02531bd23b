//! Media threads, their sockets and port leases.
