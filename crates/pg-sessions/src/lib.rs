#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod key;

mod layout;

mod info;

mod request;

pub mod caching;

mod cookie;

pub mod database;

pub mod schema;

pub mod purge;

pub mod statement;

pub mod expiry;

mod sessions;

mod store;

mod memory;

mod visit;

mod layer;

pub use cookie::cookies;
pub use info::SessionInfo;
pub use key::SessionKey;
pub use layer::{SessionLayer, SessionService};
pub use layout::{InvalidLayout, Layout, OtherLayout};
pub use memory::MemorySessions;
pub use request::{is_page_load, is_speculative};
pub use sessions::{Sessions, StoredSession};
pub use store::PostgresSessionStore;
pub use visit::Visit;
