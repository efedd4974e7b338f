//! The whole router over HTTP, on a real PostgreSQL.
#![cfg(feature = "ssr")]

mod pages;
mod protection;
mod visitor;
