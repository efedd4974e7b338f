//! What the program is asked to do: serve, print a secret, explain itself.

use std::process::ExitCode;

use cookie::Key;
use leptos_flash::{FlashStore, PostgresSessionStore};
use sqlx::{PgPool, postgres::PgConnectOptions};

use crate::{config::VARIABLES, server};

const USAGE: &str = "\
race-bib: flash messages and sessions for Leptos, told with a race

  race-bib           serves until SIGTERM or Ctrl-C
  race-bib secret    prints a fresh SESSION_SECRET
  race-bib schema    prints the SQL of the tables, for a database in which it may not create them
  race-bib --help    prints this

Variables, from the environment or from .env in the folder it is started in:
";

/// Does what the first argument says.
pub async fn main(argument: Option<&str>) -> ExitCode {
    match argument {
        None => match server::run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        },
        Some("secret") => {
            println!("{}", secret());
            ExitCode::SUCCESS
        }
        Some("schema") => {
            print!("{}", schema());
            ExitCode::SUCCESS
        }
        Some("--help" | "-h" | "help") => {
            print!("{USAGE}{}", variables());
            ExitCode::SUCCESS
        }
        Some(other) => {
            eprintln!(
                "{other:?} is no command of race-bib.\n\n{USAGE}{}",
                variables()
            );
            ExitCode::FAILURE
        }
    }
}

/// 128 hexadecimal digits, from the operating system's random numbers.
fn secret() -> String {
    let digits = |byte: &u8| format!("{byte:02x}");
    Key::generate().master().iter().map(digits).collect()
}

/// The role of the program needs `usage` of both schemas, and `select`, `insert`, `update` and
/// `delete` on both tables.
fn schema() -> String {
    let sessions = PostgresSessionStore::new(PgPool::connect_lazy_with(PgConnectOptions::new()));
    FlashStore::new(sessions).schema()
}

fn variables() -> String {
    let lines = VARIABLES.map(|(name, default, meaning)| {
        let default = match default {
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        format!("\n  {name}\n      {meaning}{default}\n")
    });
    lines.concat()
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
