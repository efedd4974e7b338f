//! race-bib: a Leptos app whose server functions write flash messages into a session in PostgreSQL.

pub mod app;
pub mod components;
pub mod error;
pub mod pages;
pub mod race;

#[cfg(feature = "ssr")]
pub mod config;
#[cfg(feature = "ssr")]
pub mod router;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod session;
#[cfg(feature = "ssr")]
pub mod trace;

/// The browser's entry point: only the islands come to life.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
