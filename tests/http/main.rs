//! The whole router over HTTP, on a real PostgreSQL.
#![cfg(feature = "ssr")]

mod app;
mod files;
mod forms;
mod pages;
mod protection;
mod race;
