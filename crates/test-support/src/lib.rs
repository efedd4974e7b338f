//! What all tests share: a database, a PostgreSQL server, a program that runs, and a visitor.

mod database;
mod load;
mod postgres;
mod program;
mod visitor;
mod within;

pub use database::Database;
pub use load::{Load, Outcome};
pub use postgres::{TestPostgres, postgres};
pub use program::{Program, Signal, free_address};
pub use visitor::{HTML, PUSH, Visitor, cookie_of, races, texts};
pub use within::within;

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
