//! The whole router over HTTP, on a real PostgreSQL.
#![cfg(feature = "ssr")]

mod files;
mod forms;
mod pages;
mod protection;
mod race;
mod visitor;
