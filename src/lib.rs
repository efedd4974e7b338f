//! race-bib: a Leptos app whose server functions write flash messages into a session in PostgreSQL.
//!
//! The modules stand in reading order: each imports only from those above it. The browser runs `error`
//! and `components`; the rest is the server's alone.

pub mod error;

#[cfg(feature = "ssr")]
pub mod race;

#[cfg(feature = "ssr")]
pub mod config;

#[cfg(feature = "ssr")]
mod observe;

#[cfg(feature = "ssr")]
mod web;

#[cfg(feature = "ssr")]
pub mod state;

pub mod components;

#[cfg(feature = "ssr")]
pub mod pages;

#[cfg(feature = "ssr")]
mod hydration;

#[cfg(feature = "ssr")]
mod app;

#[cfg(feature = "ssr")]
mod rejections;

#[cfg(feature = "ssr")]
mod router;

#[cfg(feature = "ssr")]
pub mod application;

#[cfg(feature = "ssr")]
mod server;

#[cfg(feature = "ssr")]
pub mod commands;

/// Brings the islands to life, in the browser: `front` calls it.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}

/// The examples of the pages in `docs` compile.
#[cfg(all(doctest, feature = "ssr"))]
mod docs {
    #[doc = include_str!("../docs/forms.md")]
    struct Forms;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/messages.md")]
    struct Messages;
    #[doc = include_str!("../docs/sessions.md")]
    struct Sessions;
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
}
