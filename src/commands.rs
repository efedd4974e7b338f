//! What the program is asked to do: serve, print a secret, print the schema, explain itself.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cookie::Key;
use leptos_flash::{FlashStore, Layout, PostgresSessionStore};
use sqlx::{PgPool, postgres::PgConnectOptions};

use crate::{config, server};

/// Flash messages and sessions for Leptos, told with a race.
///
/// Without a command it serves, until SIGTERM or Ctrl-C.
#[derive(Parser)]
#[command(name = "race-bib", version, after_help = settings())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a fresh SESSION_SECRET
    Secret,
    /// Prints the SQL of the tables, for a database in which the program may not create them
    Schema {
        /// The same as DATABASE_LAYOUT
        #[arg(default_value_t)]
        layout: Layout,
    },
}

/// Does what the arguments say.
pub async fn main() -> ExitCode {
    match Arguments::parse().command {
        None => match server::run().await {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                return ExitCode::FAILURE;
            }
        },
        Some(Command::Secret) => println!("{}", secret()),
        Some(Command::Schema { layout }) => print!("{}", schema(layout)),
    }
    ExitCode::SUCCESS
}

/// 128 hexadecimal digits, from the operating system's random numbers.
fn secret() -> String {
    let digits = |byte: &u8| format!("{byte:02x}");
    Key::generate().master().iter().map(digits).collect()
}

/// The role of the program needs `usage` of both schemas, and `select`, `insert`, `update` and
/// `delete` on both tables.
fn schema(layout: Layout) -> String {
    let pool = PgPool::connect_lazy_with(PgConnectOptions::new());
    FlashStore::new(PostgresSessionStore::new(pool).with_layout(layout)).schema()
}

fn settings() -> String {
    let line = |(name, default, meaning)| format!("\n  {name}={default}\n      {meaning}\n");
    let lines: String = config::settings().into_iter().map(line).collect();
    format!("Settings, from the environment, or from .env in this folder or one above it:\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_long_enough_and_another_one() {
        assert_eq!(secret().len(), 128);
        assert_ne!(secret(), secret());
    }
}
