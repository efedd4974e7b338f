//! Every variable that the server reads, read once at the start. `.env` fills in what the
//! environment leaves out.
//!
//! - `DATABASE_URL`: the PostgreSQL server, `postgres://user:password@host:5432/database`.
//! - `SESSION_SECRET`: signs the session cookie, 64 bytes at least.
//! - `LEPTOS_SITE_ADDR`: where to listen, 127.0.0.1:5500 by default.
//! - `PORT`: the port on all interfaces; wins over `LEPTOS_SITE_ADDR`.
//! - `LEPTOS_SITE_ROOT`: the folder of the built site, `target/site` by default.
//! - `LEPTOS_ENV`: `PROD` for production: the cookie is `Secure` and called `__Host-sessionId`.

use std::{fmt, net::SocketAddr};

use leptos::config::{Env, LeptosOptions};
use sqlx::postgres::PgConnectOptions;

#[derive(Clone)]
pub struct Config {
    pub database: PgConnectOptions,
    pub secret: String,
    pub leptos: LeptosOptions,
}

/// Each line names a variable, what is wrong with it, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

const MIN_SECRET: usize = 64;

impl Config {
    /// # Errors
    /// All that is wrong with the variables, at once.
    pub fn from_env() -> Result<Self, ConfigError> {
        // A missing file is fine, the environment may have it all.
        if let Err(error) = dotenvy::dotenv()
            && !error.not_found()
        {
            return Err(ConfigError(vec![format!(".env can't be read: {error}")]));
        }
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same, from other variables than the environment's.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut wrong = Vec::new();

        let database = match variable("DATABASE_URL").map(|url| postgres_options(&url)) {
            Some(Some(options)) => Some(options),
            Some(None) => {
                wrong.push(
                    "DATABASE_URL is not the address of a PostgreSQL server. It looks like \
                     postgres://user:password@host:5432/database."
                        .to_owned(),
                );
                None
            }
            None => {
                wrong.push(
                    "DATABASE_URL is not set. Set it to the address of a PostgreSQL server, such as \
                     postgres://user:password@host:5432/database, or run `cargo xtask serve`, which \
                     brings a server of its own."
                        .to_owned(),
                );
                None
            }
        };

        let secret = variable("SESSION_SECRET").unwrap_or_default();
        let make_one = "`openssl rand -hex 64` prints a fresh one.";
        match secret.len() {
            0 => wrong.push(format!("SESSION_SECRET is not set. {make_one}")),
            bytes if bytes < MIN_SECRET => wrong.push(format!(
                "SESSION_SECRET has {bytes} bytes, {MIN_SECRET} are needed. {make_one}"
            )),
            _ => {}
        }

        let mut site_addr = SocketAddr::from(([127, 0, 0, 1], 5500));
        match variable("LEPTOS_SITE_ADDR").map(|value| (value.parse(), value)) {
            Some((Ok(address), _)) => site_addr = address,
            Some((Err(_), value)) => wrong.push(format!(
                "LEPTOS_SITE_ADDR is \"{value}\". It must be an address and a port, such as 127.0.0.1:5500."
            )),
            None => {}
        }
        match variable("PORT").map(|value| (value.parse(), value)) {
            Some((Ok(port), _)) => site_addr = SocketAddr::from(([0, 0, 0, 0], port)),
            Some((Err(_), value)) => wrong.push(format!(
                "PORT is \"{value}\". It must be a number from 0 to 65535."
            )),
            None => {}
        }

        let env = match variable("LEPTOS_ENV")
            .as_deref()
            .map(str::to_uppercase)
            .as_deref()
        {
            None | Some("DEV" | "DEVELOPMENT") => Env::DEV,
            Some("PROD" | "PRODUCTION") => Env::PROD,
            Some(other) => {
                wrong.push(format!(
                    "LEPTOS_ENV is \"{other}\". It must be DEV or PROD."
                ));
                Env::DEV
            }
        };

        let leptos = LeptosOptions::builder()
            .output_name("race-bib")
            .site_root(variable("LEPTOS_SITE_ROOT").unwrap_or_else(|| "target/site".to_owned()))
            .site_pkg_dir("pkg")
            .site_addr(site_addr)
            .reload_port(5501)
            .env(env)
            // cargo-leptos sets it for its own runs; a release build always has hashed names.
            .hash_files(
                variable("LEPTOS_HASH_FILES").map_or(!cfg!(debug_assertions), |on| on == "true"),
            )
            .build();

        match database {
            Some(database) if wrong.is_empty() => Ok(Self {
                database,
                secret,
                leptos,
            }),
            _ => Err(ConfigError(wrong)),
        }
    }

    pub fn is_production(&self) -> bool {
        matches!(self.leptos.env, Env::PROD)
    }
}

/// sqlx takes any scheme.
fn postgres_options(url: &str) -> Option<PgConnectOptions> {
    let scheme = url.split_once("://")?.0;
    let known = matches!(scheme, "postgres" | "postgresql");
    known.then(|| url.parse().ok()).flatten()
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Config::from_variables(variable).map_err(|error| error.to_string())
    }

    const URL: (&str, &str) = ("DATABASE_URL", "postgres://u@localhost/d");
    const SECRET: &str = "0123456789012345678901234567890123456789012345678901234567890123";

    #[test]
    fn an_address_and_a_secret_are_enough() {
        let config = config(&[URL, ("SESSION_SECRET", SECRET)]).expect("valid");
        assert_eq!(config.leptos.site_addr.to_string(), "127.0.0.1:5500");
        assert!(!config.is_production());
    }

    #[test]
    fn the_port_wins_and_listens_on_all_interfaces() {
        let address = ("LEPTOS_SITE_ADDR", "127.0.0.1:1");
        let config =
            config(&[URL, ("SESSION_SECRET", SECRET), address, ("PORT", "80")]).expect("valid");
        assert_eq!(config.leptos.site_addr.to_string(), "0.0.0.0:80");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_never_the_secret() {
        let Err(complaint) = config(&[
            ("DATABASE_URL", "mysql://x"),
            ("SESSION_SECRET", "my-little-secret"),
            ("PORT", "many"),
            ("LEPTOS_ENV", "staging"),
        ]) else {
            panic!("it must be refused");
        };
        for name in [
            "DATABASE_URL",
            "SESSION_SECRET",
            "16 bytes",
            "PORT",
            "LEPTOS_ENV",
        ] {
            assert!(complaint.contains(name), "{name} in {complaint}");
        }
        assert!(!complaint.contains("my-little-secret"));
    }
}
