//! The repository's commands, and what they share with the tests and the benchmark.

pub mod account;
pub mod command;
pub mod commands;
pub mod database;
pub mod postgres;
pub mod server;
pub mod setup;
pub mod steps;
