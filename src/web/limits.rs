//! Limits: the size of a request's headers, and how many posts a client may send.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request},
    http::HeaderMap,
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use ipnet::IpNet;

use crate::config::Config;

/// The most bytes of a request's headers, names and values together.
const MAX_HEADERS: usize = 32 * 1024;

pub fn are_too_large(headers: &HeaderMap) -> bool {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    bytes.sum::<usize>() > MAX_HEADERS
}

/// How many posts a client may send; a network of IPv6 addresses counts as one client.
#[derive(Clone)]
pub struct PostLimit {
    limiter: Arc<DefaultKeyedRateLimiter<IpAddr>>,
    trusted_proxies: Arc<[IpNet]>,
}

impl PostLimit {
    pub fn new(config: &Config) -> Self {
        Self::with(
            config.posts_per_second,
            config.post_burst,
            &config.trusted_proxies,
        )
    }

    fn with(per_second: NonZeroU32, burst: NonZeroU32, trusted_proxies: &[IpNet]) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = Arc::new(RateLimiter::keyed(quota));
        Self {
            limiter,
            trusted_proxies: trusted_proxies.into(),
        }
    }

    /// Forgets clients that have been quiet. Call it now and then.
    pub fn forget_quiet_clients(&self) {
        self.limiter.retain_recent();
    }

    /// Seconds to wait, when it is too many.
    pub fn check(&self, request: &Request) -> Result<(), u64> {
        let Some(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
            return Ok(());
        };
        let client = client_address(peer.ip(), request.headers(), &self.trusted_proxies);
        self.check_client(client)
    }

    fn check_client(&self, client: IpAddr) -> Result<(), u64> {
        self.limiter
            .check_key(&network_of(client))
            .map_err(|until| {
                let wait = until.wait_time_from(DefaultClock::default().now());
                wait.as_secs() + 1
            })
    }
}

/// The last address of X-Forwarded-For that is no proxy of ours; the peer's where that is none.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| {
        trusted
            .iter()
            .any(|network| network.contains(&address.to_canonical()))
    };
    let forwarded: Vec<&str> = (headers.get_all("x-forwarded-for").iter())
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .collect();
    let mut client = peer.to_canonical();
    for address in forwarded.iter().rev() {
        let (true, Some(address)) = (is_trusted(&client), address_in(address.trim())) else {
            break;
        };
        client = address.to_canonical();
    }
    client
}

/// Some proxies add the port.
fn address_in(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    text.parse().or_else(|_| with_port()).ok()
}

/// Of IPv6 the /64: one household has all of it.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::headers;

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let chain = headers(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.7")]);
        let client = |peer: &str, headers: &HeaderMap| {
            client_address(peer.parse().expect("an address"), headers, &trusted).to_string()
        };
        assert_eq!(client("9.9.9.9", &chain), "9.9.9.9");
        assert_eq!(client("10.0.0.1", &chain), "2.2.2.2");
        assert_eq!(client("::ffff:10.0.0.1", &chain), "2.2.2.2");
        let with_ports = headers(&[("x-forwarded-for", "[2001:db8::1]:443, 10.0.0.7:80")]);
        assert_eq!(client("10.0.0.1", &with_ports), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &headers(&[])), "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &headers(&[("x-forwarded-for", "nobody")])),
            "10.0.0.1"
        );
    }

    #[test]
    fn a_client_has_its_burst_and_then_waits() {
        let one = NonZeroU32::MIN;
        let limit = PostLimit::with(one, one.saturating_add(2), &[]);
        let client = |text: &str| limit.check_client(text.parse().expect("an address"));
        for _ in 0..3 {
            assert_eq!(client("2001:db8::1"), Ok(()));
        }
        assert_eq!(client("2001:db8::2"), Err(1), "the same /64");
        assert_eq!(client("2001:db8:0:1::1"), Ok(()));
        assert_eq!(client("192.0.2.1"), Ok(()));
    }
}
