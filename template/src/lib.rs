//! Notes of people who sign in. Pages are the server's alone; the browser runs what is in `components`.

pub mod components;

#[cfg(feature = "ssr")]
pub mod store;

#[cfg(feature = "ssr")]
mod failure;

#[cfg(feature = "ssr")]
mod forms;

#[cfg(feature = "ssr")]
mod account;

#[cfg(feature = "ssr")]
mod notes;

#[cfg(feature = "ssr")]
mod web;

#[cfg(feature = "ssr")]
pub mod app;

/// Brings the islands to life, in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
