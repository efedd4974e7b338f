//! Every variable that the server reads, read once at the start. `.env` fills in what the
//! environment leaves out.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
    time::Duration,
};

use cookie::{Key, SameSite};
use ipnet::IpNet;
use leptos::config::{Env, LeptosOptions};
use sqlx::postgres::PgConnectOptions;

/// Name, default and meaning of each variable, for `race-bib --help`. Tests hold README and
/// .env.example to it.
pub const VARIABLES: [(&str, &str, &str); 19] = [
    (
        "DATABASE_URL",
        "",
        "The PostgreSQL server: postgres://user:password@host:5432/database.",
    ),
    (
        "DATABASE_CONNECTIONS",
        "16",
        "Maximum connections, 6 at least.",
    ),
    (
        "SESSION_SECRET",
        "",
        "Signs the session cookie: 64 bytes at least, `race-bib secret` prints a fresh one. Several, with commas between them, for a change: the first signs, all are good.",
    ),
    (
        "SESSION_NAME",
        "sessionId",
        "The cookie's name; in production with the prefix __Host-, or __Secure- when there is a domain.",
    ),
    (
        "SESSION_DOMAIN",
        "",
        "A domain whose hosts all get the cookie, such as example.com. Left out, this host alone.",
    ),
    (
        "SESSION_SECURE",
        "",
        "true: the cookie travels over HTTPS alone. false by default, true in production.",
    ),
    (
        "SESSION_SAME_SITE",
        "lax",
        "lax, strict or none: whether the cookie comes along from other sites.",
    ),
    (
        "SESSION_IDLE",
        "14d",
        "A session ends after so long without a page.",
    ),
    (
        "SESSION_MAX_AGE",
        "30d",
        "A session ends at this age in any case.",
    ),
    ("LEPTOS_SITE_ADDR", "127.0.0.1:5500", "Where to listen."),
    (
        "PORT",
        "",
        "Where to listen, on all interfaces; wins over LEPTOS_SITE_ADDR.",
    ),
    (
        "LEPTOS_SITE_ROOT",
        "target/site",
        "The folder of the built site.",
    ),
    ("LEPTOS_ENV", "DEV", "PROD for production, behind HTTPS."),
    (
        "TRUSTED_PROXIES",
        "",
        "Addresses or networks, with commas between them, whose X-Forwarded-For tells a client's address: 10.0.0.0/8, ::1.",
    ),
    (
        "REQUEST_TIMEOUT",
        "10s",
        "A request that takes longer is answered with 503.",
    ),
    (
        "POST_BURST",
        "500",
        "How many posts at once one client address may send.",
    ),
    ("POSTS_PER_SECOND", "50", "How many it may send on and on."),
    (
        "METRICS_ADDR",
        "",
        "Where /metrics is served for Prometheus, 127.0.0.1:5502 say; nowhere by default.",
    ),
    (
        "LOG_FORMAT",
        "",
        "text or json; text by default, json in production. RUST_LOG says what is logged: info by default.",
    ),
];

#[derive(Clone)]
pub struct Config {
    pub database: PgConnectOptions,
    pub connections: u32,
    /// Not empty; the first signs.
    pub keys: Vec<Key>,
    pub cookie: CookieConfig,
    pub idle: Duration,
    pub max_age: Duration,
    pub leptos: LeptosOptions,
    pub trusted_proxies: Vec<IpNet>,
    pub request_timeout: Duration,
    pub post_burst: NonZeroU32,
    pub posts_per_second: NonZeroU32,
    pub metrics: Option<SocketAddr>,
    /// `cargo leptos watch` runs it.
    pub watched: bool,
    pub json_log: bool,
}

/// The session cookie's name and attributes.
#[derive(Clone)]
pub struct CookieConfig {
    pub name: String,
    pub domain: Option<String>,
    pub secure: bool,
    pub same_site: SameSite,
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
        let mut reader = Reader {
            variable,
            wrong: Vec::new(),
        };
        let production = reader.choice("LEPTOS_ENV", "DEV or PROD", false, |env| {
            match env.to_uppercase().as_str() {
                "DEV" | "DEVELOPMENT" => Some(false),
                "PROD" | "PRODUCTION" => Some(true),
                _ => None,
            }
        });
        let database = reader.database();
        let keys = reader.keys();
        let cookie = reader.cookie(production);
        let site_addr = reader.value(
            "LEPTOS_SITE_ADDR",
            "an address and a port, such as 127.0.0.1:5500",
            SocketAddr::from(([127, 0, 0, 1], 5500)),
        );
        let port = reader.choice("PORT", "a number from 0 to 65535", None, |port| {
            port.parse().ok().map(Some)
        });
        let site_root = reader.text("LEPTOS_SITE_ROOT");
        // cargo-leptos sets it for its own runs; a release build always has hashed names.
        let hash_files = reader.text("LEPTOS_HASH_FILES");
        let leptos = LeptosOptions::builder()
            .output_name("race-bib")
            .site_root(site_root.unwrap_or_else(|| "target/site".to_owned()))
            .site_pkg_dir("pkg")
            .site_addr(port.map_or(site_addr, |port| SocketAddr::from(([0, 0, 0, 0], port))))
            .reload_port(5501)
            .env(if production { Env::PROD } else { Env::DEV })
            .hash_files(hash_files.map_or(!cfg!(debug_assertions), |on| on == "true"))
            .build();
        let positive = "a whole number, 1 at least";
        let some = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let config =
            Self {
                database: database.unwrap_or_default(),
                connections: reader
                    .value("DATABASE_CONNECTIONS", positive, some(16))
                    .get(),
                keys,
                cookie,
                idle: reader.duration("SESSION_IDLE", Duration::from_secs(14 * DAY)),
                max_age: reader.duration("SESSION_MAX_AGE", Duration::from_secs(30 * DAY)),
                leptos,
                trusted_proxies: reader.choice(
                    "TRUSTED_PROXIES",
                    "addresses or networks with commas between them, such as 10.0.0.0/8, ::1",
                    Vec::new(),
                    |list| list.split(',').map(|item| network(item.trim())).collect(),
                ),
                request_timeout: reader.duration("REQUEST_TIMEOUT", Duration::from_secs(10)),
                post_burst: reader.value("POST_BURST", positive, some(500)),
                posts_per_second: reader.value("POSTS_PER_SECOND", positive, some(50)),
                metrics: reader.choice(
                    "METRICS_ADDR",
                    "an address and a port, such as 127.0.0.1:5502",
                    None,
                    |address| address.parse().ok().map(Some),
                ),
                watched: reader.text("LEPTOS_WATCH").is_some(),
                json_log: reader.choice("LOG_FORMAT", "text or json", production, |format| {
                    match format {
                        "text" => Some(false),
                        "json" => Some(true),
                        _ => None,
                    }
                }),
            };
        match reader.wrong.is_empty() {
            true => Ok(config),
            false => Err(ConfigError(reader.wrong)),
        }
    }

    pub fn is_production(&self) -> bool {
        matches!(self.leptos.env, Env::PROD)
    }
}

const DAY: u64 = 24 * 60 * 60;

/// Reads variables and collects complaints.
struct Reader<F> {
    variable: F,
    wrong: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// None when it is not set, or empty.
    fn text(&self, name: &str) -> Option<String> {
        let text = (self.variable)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn choice<T>(
        &mut self,
        name: &str,
        shape: &str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        parse(&text).unwrap_or_else(|| {
            self.wrong
                .push(format!("{name} is \"{text}\". It must be {shape}."));
            default
        })
    }

    fn value<T: FromStr>(&mut self, name: &str, shape: &str, default: T) -> T {
        self.choice(name, shape, default, |text| text.parse().ok())
    }

    fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let shape = "a time with its unit, 1 second to 400 days, such as 30m, 14d or 1h 30m";
        self.choice(name, shape, default, |text| {
            let limits = Duration::from_secs(1)..=Duration::from_secs(400 * DAY);
            humantime::parse_duration(text)
                .ok()
                .filter(|time| limits.contains(time))
        })
    }

    /// The value may have a password in it, so no complaint repeats it.
    fn database(&mut self) -> Option<PgConnectOptions> {
        let like = "postgres://user:password@host:5432/database";
        let Some(url) = self.text("DATABASE_URL") else {
            self.wrong.push(format!(
                "DATABASE_URL is not set. Set it to the address of a PostgreSQL server, such as {like}, \
                 or run `cargo xtask serve`, which brings a server of its own."
            ));
            return None;
        };
        // sqlx takes any scheme.
        let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = url.parse().ok().filter(|_| known);
        if options.is_none() {
            self.wrong.push(format!(
                "DATABASE_URL is not the address of a PostgreSQL server. It looks like {like}."
            ));
        }
        options
    }

    fn keys(&mut self) -> Vec<Key> {
        let make_one = "`race-bib secret` or `openssl rand -hex 64` prints a fresh one.";
        let secrets = self.text("SESSION_SECRET").unwrap_or_default();
        if secrets.split(',').all(|secret| secret.trim().is_empty()) {
            self.wrong
                .push(format!("SESSION_SECRET is not set. {make_one}"));
        }
        let mut keys = Vec::new();
        for secret in secrets
            .split(',')
            .map(str::trim)
            .filter(|secret| !secret.is_empty())
        {
            let bytes = secret.len();
            if bytes < MIN_SECRET {
                self.wrong.push(format!(
                    "SESSION_SECRET has {bytes} bytes, {MIN_SECRET} are needed. {make_one}"
                ));
            } else {
                keys.push(Key::derive_from(secret.as_bytes()));
            }
        }
        keys
    }

    fn cookie(&mut self, production: bool) -> CookieConfig {
        let secure = self.value("SESSION_SECURE", "true or false", production);
        let domain = self.choice(
            "SESSION_DOMAIN",
            "a domain and nothing else, such as example.com: without https://, port and path, and no \
             single name such as localhost and no IP address. For those leave SESSION_DOMAIN out: then \
             this host alone gets the cookie",
            None,
            |domain| cookie_domain(domain).map(Some),
        );
        let same_site = self.choice(
            "SESSION_SAME_SITE",
            "lax, strict or none",
            // Strict would lose the session when somebody comes in by a link from another site.
            SameSite::Lax,
            |same_site| match same_site.to_lowercase().as_str() {
                "lax" => Some(SameSite::Lax),
                "strict" => Some(SameSite::Strict),
                "none" => Some(SameSite::None),
                _ => None,
            },
        );
        if same_site == SameSite::None && !secure {
            self.wrong.push(
                "SESSION_SAME_SITE is none, which browsers take with SESSION_SECURE=true only."
                    .to_owned(),
            );
        }
        let name = self.choice(
            "SESSION_NAME",
            "1 to 64 letters, digits, - and _, and begin without __: production adds its own prefix",
            "sessionId".to_owned(),
            |name| {
                let safe = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
                let fits = name.len() <= 64 && !name.starts_with("__") && name.chars().all(safe);
                fits.then(|| name.to_owned())
            },
        );
        // A browser takes it only with `Secure`, from the root path, and `__Host-` without a domain:
        // nobody but this host can have set it (RFC 6265bis, 4.1.3).
        let prefix = match (production && secure, &domain) {
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
            (false, _) => "",
        };
        CookieConfig {
            name: format!("{prefix}{name}"),
            domain,
            secure,
            same_site,
        }
    }
}

/// Returns the domain when a browser takes it as the attribute of a cookie, without the dot in front
/// that browsers ignore (RFC 6265, 5.2.3). One whose last label begins with a digit is an address.
fn cookie_domain(text: &str) -> Option<String> {
    let domain = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    let (_, last) = domain.rsplit_once('.')?;
    let fits = domain.len() <= 253
        && domain.split('.').all(is_label)
        && last.starts_with(|first: char| first.is_ascii_alphabetic());
    fits.then_some(domain)
}

/// A network, or an address alone.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
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

    fn complaint(variables: &[(&str, &str)]) -> String {
        let enough = [URL, ("SESSION_SECRET", SECRET)];
        config(&[variables, &enough].concat())
            .err()
            .expect("it must be refused")
    }

    const URL: (&str, &str) = ("DATABASE_URL", "postgres://u@localhost/d");
    const SECRET: &str = "0123456789012345678901234567890123456789012345678901234567890123";

    #[test]
    fn an_address_and_a_secret_are_enough() {
        let config = config(&[URL, ("SESSION_SECRET", SECRET)]).expect("valid");
        assert_eq!(config.leptos.site_addr.to_string(), "127.0.0.1:5500");
        assert_eq!(config.cookie.name, "sessionId");
        assert!(!config.is_production() && !config.cookie.secure);
    }

    #[test]
    fn the_port_wins_and_listens_on_all_interfaces() {
        let address = ("LEPTOS_SITE_ADDR", "127.0.0.1:1");
        let config =
            config(&[URL, ("SESSION_SECRET", SECRET), address, ("PORT", "80")]).expect("valid");
        assert_eq!(config.leptos.site_addr.to_string(), "0.0.0.0:80");
    }

    #[test]
    fn in_production_the_cookie_belongs_to_this_host_alone() {
        let production = [URL, ("SESSION_SECRET", SECRET), ("LEPTOS_ENV", "PROD")];
        let own = config(&production).expect("valid");
        assert_eq!(own.cookie.name, "__Host-sessionId");
        assert!(own.cookie.secure && own.json_log);
        let shared = [&production[..], &[("SESSION_DOMAIN", "example.com")]].concat();
        assert_eq!(
            config(&shared).expect("valid").cookie.name,
            "__Secure-sessionId"
        );
    }

    #[test]
    fn a_domain_that_no_browser_takes_is_refused_with_the_cure() {
        let long = format!("{}.example.com", "x".repeat(64));
        for domain in [
            "https://example.com",
            "example.com:8443",
            "a b",
            "example.com/",
            "example..com",
            "..example.com",
            "example.com.",
            ".",
            "localhost",
            ".com",
            "127.0.0.1",
            "1.2.3.0x4",
            "::1",
            "[::1]",
            "*.example.com",
            "example.com; Secure",
            "example.com, example.org",
            "bücher.example",
            &long,
        ] {
            let complaint = complaint(&[("SESSION_DOMAIN", domain)]);
            for words in ["SESSION_DOMAIN", domain, "such as example.com", "leave"] {
                assert!(complaint.contains(words), "{words} in {complaint}");
            }
        }
    }

    #[test]
    fn a_domain_is_taken_as_browsers_take_it() {
        for (written, domain) in [
            ("example.com", "example.com"),
            (".Example.COM", "example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("a_b.example.co.uk", "a_b.example.co.uk"),
        ] {
            let variables = [URL, ("SESSION_SECRET", SECRET), ("SESSION_DOMAIN", written)];
            let cookie = config(&variables).expect("valid").cookie;
            assert_eq!(cookie.domain.as_deref(), Some(domain));
        }
    }

    #[test]
    fn a_cookie_whose_name_no_browser_takes_is_refused() {
        let long = "x".repeat(65);
        for name in [
            "a;b",
            "a=b",
            "naïve",
            "a\tb",
            "__Host-id",
            "__secure-id",
            &long,
        ] {
            let complaint = complaint(&[("SESSION_NAME", name)]);
            assert!(complaint.contains("SESSION_NAME"), "{complaint}");
        }
        let empty = [URL, ("SESSION_SECRET", SECRET), ("SESSION_NAME", " ")];
        let cookie = config(&empty).expect("as if it were not set").cookie;
        assert_eq!(cookie.name, "sessionId");
    }

    #[test]
    fn several_secrets_are_separated_by_commas() {
        let secrets = format!("{SECRET}, {}", SECRET.replace('0', "x"));
        let config = config(&[URL, ("SESSION_SECRET", &secrets)]).expect("valid");
        assert_eq!(config.keys.len(), 2);
        assert_eq!(config.keys[0], Key::derive_from(SECRET.as_bytes()));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_never_the_secret() {
        let complaint = config(&[
            ("DATABASE_URL", "mysql://root:my-little-secret@x"),
            ("SESSION_SECRET", "my-little-secret"),
            ("PORT", "many"),
            ("LEPTOS_ENV", "staging"),
            ("SESSION_IDLE", "soon"),
        ])
        .err()
        .expect("it must be refused");
        for name in [
            "DATABASE_URL",
            "SESSION_SECRET",
            "16 bytes",
            "PORT",
            "LEPTOS_ENV",
            "SESSION_IDLE",
        ] {
            assert!(complaint.contains(name), "{name} in {complaint}");
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

    #[test]
    fn each_variable_is_in_the_readme_and_in_the_example() {
        let readme = include_str!("../README.md");
        let example = include_str!("../.env.example");
        for (name, default, _) in VARIABLES {
            assert!(
                readme.contains(&format!("`{name}`")),
                "{name} is not in README.md"
            );
            assert!(
                example.contains(&format!("{name}={default}\n")),
                "{name}={default} is not in .env.example"
            );
        }
    }
}
