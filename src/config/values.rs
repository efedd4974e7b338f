//! What a variable's text must look like. clap puts the reason after the text that is refused.

use std::{net::IpAddr, time::Duration};

use cookie::Key;
use ipnet::IpNet;
use sqlx::postgres::PgConnectOptions;

pub fn database(url: &str) -> Result<PgConnectOptions, &'static str> {
    // sqlx takes any scheme.
    let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = url.parse().ok().filter(|_| known);
    options.ok_or("it is not the address of a PostgreSQL server")
}

pub fn key(secret: &str) -> Result<Key, String> {
    match secret.trim().as_bytes() {
        long if long.len() >= 64 => Ok(Key::derive_from(long)),
        short => Err(format!("it has {} bytes, 64 are needed", short.len())),
    }
}

pub fn time(text: &str) -> Result<Duration, &'static str> {
    let limits = Duration::from_secs(1)..=Duration::from_secs(400 * 24 * 60 * 60);
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| limits.contains(time))
        .ok_or("it must be a time with its unit, 1 second to 400 days, such as 30m, 14d or 1h 30m")
}

/// A network, or an address alone.
pub fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = || text.trim().parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.trim().parse().ok().or_else(address);
    network.ok_or("that is no address and no network")
}

/// Takes one of these words, in upper or lower case.
pub fn choice<T: Clone, const N: usize>(
    words: [(&'static str, T); N],
) -> impl Fn(&str) -> Result<T, &'static str> + Clone {
    move |text| {
        let chosen = words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text));
        chosen
            .map(|(_, value)| value.clone())
            .ok_or("there is no such value")
    }
}
