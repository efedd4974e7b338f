#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod message;

#[cfg(feature = "ssr")]
mod database;

#[cfg(feature = "ssr")]
mod schema;

#[cfg(feature = "ssr")]
mod session_store;

#[cfg(feature = "ssr")]
mod touch;

#[cfg(feature = "ssr")]
mod visit;

#[cfg(feature = "ssr")]
mod session_layer;

#[cfg(feature = "ssr")]
mod caching;

#[cfg(feature = "ssr")]
mod store;

#[cfg(feature = "ssr")]
mod sql;

#[cfg(feature = "ssr")]
mod coalesce;

#[cfg(feature = "ssr")]
mod layer;

#[cfg(feature = "ssr")]
mod delivery;

#[cfg(feature = "ssr")]
mod listener;

#[cfg(feature = "ssr")]
mod request;

mod local;

mod wire;

#[cfg(feature = "ssr")]
mod purge;

#[cfg(feature = "ssr")]
mod error;

mod client;

mod provider;

#[cfg(not(feature = "ssr"))]
mod browser;

#[cfg(feature = "ssr")]
pub mod testing;

pub use client::{FlashClient, send_form};
pub use local::is_local;
pub use message::{FlashMessage, InvalidLevel, Level, LevelName, Link, Scope};
pub use provider::{
    DismissFlash, FlashMessages, NOTE_SHOWN, dismiss_flash, page_data, page_ids, page_messages,
    provide_flash, use_flash,
};

#[cfg(feature = "ssr")]
pub use {
    error::FlashError,
    layer::{Flash, FlashLayer, FlashService, redirect, redirect_with},
    listener::{
        FlashIo, FlashListener, MakeWithConnection, TunedTcpListener, WithConnection,
        with_connection,
    },
    purge::purge_every,
    request::is_page_load,
    session_layer::{SessionLayer, SessionService},
    session_store::{PostgresSessionStore, created, ends},
    store::{FlashKey, FlashStore},
    visit::Visit,
};
