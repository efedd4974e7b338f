//! The settings: variables of the environment, and of `.env` where the environment has none.

mod session_cookie;
mod values;

use std::{error::Error, net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches, Parser, value_parser};
use cookie::Key;
use ipnet::IpNet;
use leptos::config::{Env, LeptosOptions};
use leptos_flash::Layout;
use sqlx::postgres::PgConnectOptions;

pub use session_cookie::CookieConfig;
use values::{choice, database, key, network, time};

/// `long` is a variable's name. `race-bib --help`, the complaint about a wrong value,
/// docs/settings.md and .env.example repeat what is said here; a test compares both files.
///
/// clap reads the variables as options, such as `--PORT=80`. Its own `env` would stop at the first
/// error, take an empty variable for a value, and print secrets. For secrets there is no `Debug`.
#[derive(Clone, Parser)]
#[command(no_binary_name = true)]
pub struct Config {
    /// This database keeps sessions and messages: postgres://user:password@host:5432/database.
    /// PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE fill in what the address leaves out.
    /// `cargo xtask serve` brings a server of its own.
    #[arg(long = "DATABASE_URL", value_parser = database)]
    pub database: PgConnectOptions,

    /// This many connections to PostgreSQL may be open: 1 at least, and fewer than 6 count as 6.
    #[arg(long = "DATABASE_CONNECTIONS", default_value = "16")]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub connections: u32,

    /// The tables are plain, or in parts: partitioned:16 on one server, citus:32 on many. The number is a
    /// power of two up to 256. docs/scale.md says when, and how to change it.
    #[arg(long = "DATABASE_LAYOUT", default_value = "plain")]
    pub layout: Layout,

    /// It signs the session cookie, with 64 bytes at least. `race-bib secret` prints a fresh one. To
    /// rotate it, list several separated by commas: the first one signs, all are accepted.
    #[arg(long = "SESSION_SECRET", required = true, value_delimiter = ',', value_parser = key)]
    pub keys: Vec<Key>,

    #[command(flatten)]
    pub cookie: CookieConfig,

    /// A session ends after this time without a page.
    #[arg(long = "SESSION_IDLE", default_value = "14d", value_parser = time)]
    pub idle: Duration,

    /// A session ends at this age in any case.
    #[arg(long = "SESSION_MAX_AGE", default_value = "30d", value_parser = time)]
    pub max_age: Duration,

    /// The server listens on this address and port.
    #[arg(long = "LEPTOS_SITE_ADDR", default_value = "127.0.0.1:5500")]
    site_addr: SocketAddr,

    /// The server listens on this port, 0 to 65535, of all interfaces. It wins over LEPTOS_SITE_ADDR.
    #[arg(long = "PORT")]
    port: Option<u16>,

    /// The built site is in this folder.
    #[arg(long = "LEPTOS_SITE_ROOT", default_value = "target/site")]
    site_root: String,

    /// It is DEV or PROD. PROD means production, behind a proxy that speaks HTTPS.
    #[arg(long = "LEPTOS_ENV", default_value = "DEV")]
    #[arg(value_parser = choice([
        ("dev", Env::DEV), ("development", Env::DEV), ("prod", Env::PROD), ("production", Env::PROD),
    ]))]
    env: Env,

    /// Proxies at these addresses or networks, such as 10.0.0.0/8, ::1, tell a client's address in
    /// X-Forwarded-For. By default no proxy does.
    #[arg(long = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// A request that takes longer is answered with 503.
    #[arg(long = "REQUEST_TIMEOUT", default_value = "10s", value_parser = time)]
    pub request_timeout: Duration,

    /// A client address may send this many posts at once, 1 at least. Each second after that it may
    /// send a tenth of them.
    #[arg(long = "POST_BURST", default_value = "500")]
    pub post_burst: NonZeroU32,

    /// Prometheus reads /metrics at this address, such as 127.0.0.1:5502. By default there is none.
    #[arg(long = "METRICS_ADDR")]
    pub metrics: Option<SocketAddr>,

    /// It is text or json. Production has json by default. RUST_LOG says what is logged: info by
    /// default.
    #[arg(long = "LOG_FORMAT", default_value = "text", action = ArgAction::Set)]
    #[arg(value_parser = choice([("text", false), ("json", true)]))]
    pub json_log: bool,

    /// It is true or false: whether files have a hash in their names, as in each release build.
    #[arg(long = "LEPTOS_HASH_FILES", hide = true, action = ArgAction::Set)]
    #[arg(default_value_t = !cfg!(debug_assertions))]
    hash_files: bool,

    /// `cargo leptos watch` says true.
    #[arg(long = "LEPTOS_WATCH", hide = true, action = ArgAction::Set)]
    #[arg(default_value = "false")]
    pub watched: bool,

    // `complete` fills these in from the others.
    #[arg(skip = LeptosOptions::builder().output_name("race-bib").reload_port(5501).build())]
    pub leptos: LeptosOptions,
    #[arg(skip = NonZeroU32::MIN)]
    pub posts_per_second: NonZeroU32,
}

/// Each line names a variable, what is wrong with it, and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// # Errors
    /// All that is wrong with the variables, at once.
    pub fn from_env() -> Result<Self, ConfigError> {
        match dotenvy::dotenv() {
            // A missing file is fine, the environment may have it all.
            Err(error) if !error.not_found() => {
                Err(ConfigError(format!(".env can't be read: {error}")))
            }
            _ => Self::from_variables(|name| std::env::var(name).ok()),
        }
    }

    /// The same, from other variables than the environment's. An empty one is not set.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut command = Self::command();
        // Two defaults depend on another setting.
        let env = variable("LEPTOS_ENV").unwrap_or_default();
        if env.trim().to_lowercase().starts_with("prod") {
            command = (command.mut_arg("secure", |arg| arg.default_value("true")))
                .mut_arg("json_log", |arg| arg.default_value("json"));
        }
        let (mut options, mut complaints) = (Vec::new(), Vec::new());
        for arg in command.get_arguments() {
            let (name, _, meaning) = describe(arg);
            let value = variable(&name).map(|value| value.trim().to_owned());
            let value = value.filter(|value| !value.is_empty());
            let option = value.as_ref().map(|value| format!("--{name}={value}"));
            // Each alone, so that all complaints are heard.
            let alone = Command::new("race-bib").no_binary_name(true).arg(arg);
            if let Err(error) = alone.try_get_matches_from(&option) {
                let reason = error.source().map(|reason| format!(": {reason}"));
                let reason = reason.unwrap_or_default();
                complaints.push(match value {
                    None => format!("{name} is not set. {meaning}"),
                    // Both that are required are secret.
                    _ if arg.is_required_set() => format!("{name} is wrong{reason}. {meaning}"),
                    Some(value) => format!("{name} is {value:?}{reason}. {meaning}"),
                });
            }
            options.extend(option);
        }
        let config = command
            .try_get_matches_from(options)
            .and_then(|mut all| Self::from_arg_matches_mut(&mut all));
        match config {
            Ok(config) if complaints.is_empty() => config.complete(),
            _ => Err(ConfigError(complaints.join("\n"))),
        }
    }

    fn complete(mut self) -> Result<Self, ConfigError> {
        (self.cookie.check()).map_err(|complaint| ConfigError(complaint.to_owned()))?;
        self.leptos.site_root = self.site_root.as_str().into();
        self.leptos.site_addr = match self.port {
            Some(port) => SocketAddr::from(([0, 0, 0, 0], port)),
            None => self.site_addr,
        };
        self.leptos.env = self.env.clone();
        self.leptos.hash_files = self.hash_files;
        if self.is_production() {
            self.cookie.add_prefix();
        }
        let tenth = NonZeroU32::new(self.post_burst.get() / 10);
        self.posts_per_second = tenth.unwrap_or(NonZeroU32::MIN);
        Ok(self)
    }

    pub fn is_production(&self) -> bool {
        self.env == Env::PROD
    }
}

/// Returns name, default and meaning of each setting.
pub fn settings() -> Vec<(String, String, String)> {
    let command = Config::command();
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    shown.map(describe).collect()
}

fn describe(arg: &Arg) -> (String, String, String) {
    let name = arg.get_long().unwrap_or_default().to_owned();
    let default = arg.get_default_values().first();
    let default = default.map_or_else(String::new, |default| default.display().to_string());
    // clap drops the last full stop.
    let meaning = format!("{}.", arg.get_help().cloned().unwrap_or_default());
    (name, default, meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789012345678901234567890123456789012345678901234567890123";
    const ENOUGH: [(&str, &str); 2] = [
        ("DATABASE_URL", "postgres://u@localhost/d"),
        ("SESSION_SECRET", SECRET),
    ];

    /// These variables, and those that are enough.
    pub fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
        let all = [variables, &ENOUGH].concat();
        let variable = |name: &str| {
            all.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::from_variables(variable).map_err(|error| error.to_string())
    }

    pub fn complaint(variables: &[(&str, &str)]) -> String {
        config(variables).err().expect("it must be refused")
    }

    #[test]
    fn an_address_and_a_secret_are_enough() {
        let config = config(&[]).expect("valid");
        assert_eq!(config.leptos.site_addr.to_string(), "127.0.0.1:5500");
        assert_eq!(config.cookie.name, "sessionId");
        assert!(!config.is_production() && !config.cookie.secure);
    }

    #[test]
    fn the_port_wins_and_listens_on_all_interfaces() {
        let config = config(&[("LEPTOS_SITE_ADDR", "127.0.0.1:1"), ("PORT", "80")]).expect("valid");
        assert_eq!(config.leptos.site_addr.to_string(), "0.0.0.0:80");
    }

    #[test]
    fn several_secrets_are_separated_by_commas() {
        let secrets = format!("{SECRET}, {}", SECRET.replace('0', "x"));
        let config = config(&[("SESSION_SECRET", &secrets)]).expect("valid");
        assert_eq!(config.keys.len(), 2);
        assert_eq!(config.keys[0], Key::derive_from(SECRET.as_bytes()));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_never_the_secret() {
        let complaint = complaint(&[
            ("DATABASE_URL", "mysql://root:my-little-secret@x"),
            ("SESSION_SECRET", "my-little-secret"),
            ("PORT", "many"),
            ("LEPTOS_ENV", "staging"),
            ("SESSION_IDLE", "soon"),
        ]);
        for words in [
            "DATABASE_URL",
            "SESSION_SECRET",
            "16 bytes",
            "PORT",
            "LEPTOS_ENV",
            "SESSION_IDLE",
        ] {
            assert!(complaint.contains(words), "{words} in {complaint}");
        }
        assert_eq!(complaint.lines().count(), 5);
        assert!(!complaint.contains("my-little-secret"));
    }

    #[test]
    fn each_wrong_value_is_told_with_its_shape() {
        for (name, value, shape) in [
            ("DATABASE_CONNECTIONS", "0", "1 at least"),
            ("SESSION_SECURE", "yes", "true or false"),
            ("SESSION_SAME_SITE", "loose", "lax, strict or none"),
            ("SESSION_SAME_SITE", "none", "SESSION_SECURE=true"),
            ("SESSION_NAME", "my session", "letters"),
            ("SESSION_MAX_AGE", "900d", "400 days"),
            ("TRUSTED_PROXIES", "proxy", "10.0.0.0/8"),
            ("METRICS_ADDR", "9000", "127.0.0.1:5502"),
            ("LOG_FORMAT", "xml", "text or json"),
            ("POST_BURST", "-1", "1 at least"),
        ] {
            let complaint = complaint(&[(name, value)]);
            assert!(
                complaint.contains(name) && complaint.contains(shape),
                "{complaint}"
            );
        }
    }
}
