//! The browser's entry point. The islands export themselves.

#![cfg(feature = "hydrate")]

/// Only the islands come to life.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    race_bib::hydrate();
}
