//! What the README's two commands run. The app's tests use its PostgreSQL.

pub mod command;
pub mod database;
pub mod postgres;
pub mod serve;
pub mod site;
pub mod steps;
pub mod tests;
pub mod tools;
