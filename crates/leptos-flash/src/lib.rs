#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(feature = "ssr")]
mod server;

mod dismiss;

mod list;

#[cfg(feature = "ssr")]
mod page;

#[cfg(not(feature = "ssr"))]
mod browser;

mod client;

mod provider;

// Both modules have the same functions, so the other modules need no `cfg`.
#[cfg(not(feature = "ssr"))]
use browser as platform;
#[cfg(feature = "ssr")]
use page as platform;

pub use client::{FlashClient, send_form};
pub use dismiss::{DismissFlash, dismiss_flash};
pub use flash_messages::{FlashMessage, InvalidLevel, Level, LevelName, Link, Scope, is_local};
pub use list::FlashMessages;
pub use provider::{NOTE_SHOWN, page_data, page_ids, page_messages, provide_flash, use_flash};

#[cfg(feature = "ssr")]
pub use {
    flash_messages::{
        Flash, FlashError, FlashIo, FlashLayer, FlashListener, FlashService, FlashStore,
        MakeWithConnection, MemorySessions, MemoryStore, PostgresSessionStore, SessionInfo,
        SessionKey, SessionLayer, SessionService, TunedTcpListener, Visit, WithConnection, cookie,
        is_page_load, lease, sqlx, store, testing, tower_sessions, with_connection,
    },
    server::{flash, redirect, redirect_with},
};
