//! What the library promises, over real HTTP on a real PostgreSQL. The numbers of the scenarios are
//! those of the table in ARCHITECTURE.md.

mod concurrency;
mod crossing;
mod delivery;
mod dismissal;
mod hand_over;
mod history;
mod limits;
mod notes;
mod page_load;
mod postgres;
mod session_cookie;
mod session_data;
mod session_expiry;
mod sessions;
mod statements;
mod support;
mod testing;
