//! The settings of the session cookie, and what browsers take.

use clap::{ArgAction, Args};
use cookie::SameSite;

use super::values::choice;

/// The session cookie's name and attributes.
#[derive(Args, Clone)]
pub struct CookieConfig {
    /// The session cookie has this name. Production adds the prefix `__Host-`, or `__Secure-` when
    /// there is a SESSION_DOMAIN.
    #[arg(long = "SESSION_NAME", default_value = "sessionId", value_parser = name)]
    pub name: String,

    /// All hosts of this domain, such as example.com, get the cookie. If you leave it out, this host
    /// alone gets it.
    #[arg(long = "SESSION_DOMAIN", value_parser = domain)]
    pub domain: Option<String>,

    /// It is true or false: whether browsers send the cookie over HTTPS alone. Production has true
    /// by default.
    #[arg(long = "SESSION_SECURE", default_value = "false", action = ArgAction::Set)]
    pub secure: bool,

    /// It is lax, strict or none: whether browsers send the cookie with requests from other sites.
    /// The value none needs SESSION_SECURE=true.
    // Strict would lose the session when somebody comes in by a link from another site.
    #[arg(long = "SESSION_SAME_SITE", default_value = "lax")]
    #[arg(value_parser = choice([
        ("lax", SameSite::Lax), ("strict", SameSite::Strict), ("none", SameSite::None),
    ]))]
    pub same_site: SameSite,
}

impl CookieConfig {
    /// Says what no browser takes.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match (self.same_site, self.secure) {
            (SameSite::None, false) => {
                Err("SESSION_SAME_SITE is none, which browsers take with SESSION_SECURE=true only.")
            }
            _ => Ok(()),
        }
    }

    /// A browser takes a prefix only with `Secure`, from the root path, and `__Host-` without a
    /// domain: nobody but this host can have set it (RFC 6265bis, 4.1.3).
    pub(super) fn add_prefix(&mut self) {
        let prefix = match (self.secure, &self.domain) {
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
            (false, _) => "",
        };
        self.name.insert_str(0, prefix);
    }
}

fn name(text: &str) -> Result<String, &'static str> {
    let fits = !text.starts_with("__") && text.bytes().all(is_plain) && text.len() <= 64;
    fits.then(|| text.to_owned())
        .ok_or("it must be 1 to 64 letters, digits, - and _, and must not begin with __")
}

/// Returns the domain when a browser takes it as the attribute of a cookie, without the dot in front
/// that browsers ignore (RFC 6265, 5.2.3). One whose last label begins with a digit is an address.
fn domain(text: &str) -> Result<String, &'static str> {
    let domain = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_plain);
    let last = domain.rsplit_once('.').map(|(_, last)| last);
    let fits = last.is_some_and(|last| last.starts_with(|first: char| first.is_ascii_alphabetic()))
        && domain.len() <= 253
        && domain.split('.').all(is_label);
    fits.then_some(domain).ok_or(
        "it must be a domain without https://, port and path, and no single name such as localhost \
         and no IP address",
    )
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{complaint, config};

    #[test]
    fn in_production_the_cookie_belongs_to_this_host_alone() {
        let own = config(&[("LEPTOS_ENV", "PROD")]).expect("valid");
        assert_eq!(own.cookie.name, "__Host-sessionId");
        assert!(own.cookie.secure && own.json_log);
        let shared = config(&[("LEPTOS_ENV", "PROD"), ("SESSION_DOMAIN", "example.com")]);
        assert_eq!(shared.expect("valid").cookie.name, "__Secure-sessionId");
    }

    #[test]
    fn a_domain_that_no_browser_takes_is_refused_with_the_cure() {
        let long = format!("{}.example.com", "x".repeat(64));
        let domains = "https://example.com|example.com:8443|a b|example.com/|example..com|..example.com|\
                       example.com.|.|localhost|.com|127.0.0.1|1.2.3.0x4|::1|[::1]|*.example.com|\
                       example.com; Secure|example.com, example.org|bücher.example";
        for domain in domains.split('|').chain([&*long]) {
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
            let config = config(&[("SESSION_DOMAIN", written)]).expect("valid");
            assert_eq!(config.cookie.domain.as_deref(), Some(domain));
        }
    }

    #[test]
    fn a_cookie_whose_name_no_browser_takes_is_rejected() {
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
        let empty = config(&[("SESSION_NAME", " ")]).expect("as if it were not set");
        assert_eq!(empty.cookie.name, "sessionId");
    }
}
