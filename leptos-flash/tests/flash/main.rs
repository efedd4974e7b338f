//! What the library promises, over real HTTP on a real PostgreSQL. The numbers of the scenarios are
//! those of the table in ARCHITECTURE.md.

mod concurrency;
mod crossing;
mod delivery;
mod history;
mod limits;
mod session_cookie;
mod session_expiry;
mod sessions;
mod statements;
mod support;
mod testing;
