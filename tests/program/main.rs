//! The program as it is started: what it says, and how it bears faults. Its PostgreSQL is stopped,
//! killed, paused, locked, changed and short of connections, and it is stopped and killed itself, under
//! load.
#![cfg(feature = "ssr")]

mod app;
mod commands;
mod connections;
mod database;
mod delivery;
mod instances;
mod locks;
mod log;
mod nginx;
mod poolers;
mod processes;
mod proxy;
mod schema;
