//! race-bib: a Leptos app whose server functions write flash messages into a session in PostgreSQL.

pub mod app;
pub mod components;
pub mod error;
pub mod forms;
pub mod pages;
pub mod race;
mod site_files;

#[cfg(feature = "ssr")]
pub mod application;
#[cfg(feature = "ssr")]
pub mod commands;
#[cfg(feature = "ssr")]
pub mod config;
#[cfg(feature = "ssr")]
mod metrics;
#[cfg(feature = "ssr")]
mod page_cache;
#[cfg(feature = "ssr")]
pub mod protection;
#[cfg(feature = "ssr")]
mod refusals;
#[cfg(feature = "ssr")]
pub mod router;
#[cfg(feature = "ssr")]
mod server;
#[cfg(feature = "ssr")]
pub mod session;
#[cfg(feature = "ssr")]
mod trace;

/// Brings the islands to life, in the browser: `front` calls it.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
