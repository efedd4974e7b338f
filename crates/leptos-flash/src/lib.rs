#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "ssr", feature = "hydrate"))]
compile_error!(
    "leptos-flash: a build is for the server (feature `ssr`) or for the browser (`hydrate`), not for both"
);
#[cfg(not(any(feature = "ssr", feature = "hydrate")))]
compile_error!(
    "leptos-flash: switch on `ssr` for the server or `hydrate` for the browser, in your own features of \
     these names: ssr = [\"leptos/ssr\", \"leptos-flash/ssr\"], hydrate = [\"leptos/hydrate\", \
     \"leptos-flash/hydrate\"]"
);

mod group;

mod region;

mod words;

mod provider;

mod client;

mod list;

mod dismiss;

mod reading_time;

#[cfg(feature = "ssr")]
mod assets;

#[cfg(feature = "ssr")]
mod page;

#[cfg(feature = "ssr")]
mod server;

#[cfg(not(feature = "ssr"))]
mod browser;

// Both modules have the same functions, so the other modules need no `cfg`.
#[cfg(not(feature = "ssr"))]
use browser as platform;
#[cfg(feature = "ssr")]
use page as platform;

pub use client::{FlashClient, send_form};
pub use dismiss::{DismissFlash, dismiss_flash};
pub use flash_messages::{FlashMessage, InvalidLevel, Level, LevelName, Link, Scope, is_local};
pub use group::{FlashGroup, FlashPosition};
pub use list::FlashMessages;
pub use provider::{page_messages, promise, provide_flash, show, use_flash};
pub use reading_time::{READING_TIME, ReadingTime, SetReadingTime, set_reading_time};
pub use region::FlashRegion;
pub use words::FlashWords;

#[cfg(feature = "ssr")]
pub use {
    assets::assets,
    flash_messages::{
        DRAIN_TIME, Flash, FlashError, FlashIo, FlashLayer, FlashListener, FlashService,
        FlashStore, InvalidLayout, Layout, MakeWithConnection, MemorySessions, MemoryStore,
        OtherLayout, PostgresSessionStore, SessionInfo, SessionKey, SessionLayer, SessionService,
        TunedTcpListener, Visit, WithConnection, cookie, cookies, is_page_load, lease, sqlx, store,
        testing, tower_sessions, with_connection,
    },
    server::{flash, reading_time, redirect, redirect_with, set_cookie},
};
