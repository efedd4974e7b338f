#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod level;

mod message;

mod redirect;

pub mod wire;

#[cfg(feature = "server")]
mod error;

#[cfg(feature = "server")]
mod request;

#[cfg(feature = "server")]
pub mod lease;

#[cfg(feature = "server")]
pub mod store;

#[cfg(feature = "server")]
mod postgres;

#[cfg(feature = "server")]
mod memory;

#[cfg(feature = "server")]
mod deletion;

#[cfg(feature = "server")]
mod listener;

#[cfg(feature = "server")]
mod delivered_body;

#[cfg(feature = "server")]
mod flash;

#[cfg(feature = "server")]
mod call_header;

#[cfg(feature = "server")]
mod settle;

#[cfg(feature = "server")]
mod layer;

#[cfg(feature = "server")]
mod purge;

#[cfg(feature = "server")]
mod serve;

#[cfg(feature = "server")]
pub mod testing;

pub use level::{InvalidLevel, Level, LevelName};
pub use message::{FlashMessage, Link, Scope};
pub use redirect::is_local;

#[cfg(feature = "server")]
pub use {
    error::FlashError,
    flash::Flash,
    layer::{FlashLayer, FlashService},
    listener::{
        DRAIN_TIME, FlashIo, FlashListener, MakeWithConnection, TunedTcpListener, WithConnection,
        with_connection,
    },
    memory::MemoryStore,
    pg_sessions::{
        InvalidLayout, Layout, MemorySessions, OtherLayout, PostgresSessionStore, SessionInfo,
        SessionKey, SessionLayer, SessionService, Visit, cookies, is_page_load,
    },
    postgres::FlashStore,
    sqlx,
    tower_sessions::{self, cookie},
};
