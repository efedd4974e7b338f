//! Against the web: what is refused before it reaches a page, and what browsers are told to refuse.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use ipnet::IpNet;
use leptos::nonce::Nonce;
use uuid::Uuid;

use crate::{config::Config, error::AppError};

/// Returns the refusal of a request that must not get in: one with headers that no browser sends, and
/// of those that change something one from another site or over the limit of its client address.
pub fn refusal_of(request: &Request, limit: &PostLimit) -> Option<Response> {
    if are_too_large(request.headers()) {
        return Some(AppError::Headers.into_response());
    }
    if is_safe(request.method()) {
        return None;
    }
    if !is_same_origin(request.headers()) {
        return Some(AppError::CrossSite.into_response());
    }
    let seconds = limit.check(request).err()?;
    let wait = [(header::RETRY_AFTER, seconds.to_string())];
    Some((wait, AppError::TooManyPosts).into_response())
}

/// The most bytes of a request's headers, names and values together.
const MAX_HEADERS: usize = 32 * 1024;

pub fn are_too_large(headers: &HeaderMap) -> bool {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    bytes.sum::<usize>() > MAX_HEADERS
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// By `Sec-Fetch-Site`, else by `Origin`. A request without both is from no browser
/// (<https://web.dev/articles/fetch-metadata>).
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = text(&header::ORIGIN) else {
        return true;
    };
    let host = origin
        .strip_prefix(b"https://")
        .or(origin.strip_prefix(b"http://"));
    host.is_some() && host == text(&header::HOST)
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
    fn check(&self, request: &Request) -> Result<(), u64> {
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

/// What browsers are told to refuse, on every answer.
#[derive(Clone, Copy)]
pub struct BrowserRules {
    https: bool,
    /// cargo-leptos tells open pages to reload, by a socket.
    reload_port: Option<u32>,
}

impl BrowserRules {
    pub fn new(config: &Config) -> Self {
        let reload_port = config.watched.then_some(config.leptos.reload_port);
        Self {
            https: config.is_production(),
            reload_port,
        }
    }

    /// Only what WASM needs beyond this site's own files (<https://www.w3.org/TR/CSP3/>).
    fn policy(&self, nonce: &str) -> String {
        let reload = self
            .reload_port
            .map(|port| format!(" ws://127.0.0.1:{port} ws://localhost:{port}"));
        format!(
            "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self'; connect-src 'self'{}; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
            reload.unwrap_or_default()
        )
    }
}

/// Gives each request a nonce for the scripts in its page, and each answer the headers.
pub async fn tell_browser(
    State(rules): State<BrowserRules>,
    mut request: Request,
    next: Next,
) -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    request
        .extensions_mut()
        .insert(Nonce::from_value(nonce.as_str()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.reserve(8);
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ];
    let https = ("strict-transport-security", "max-age=63072000");
    for (name, value) in fixed.into_iter().chain(rules.https.then_some(https)) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&rules.policy(&nonce)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // A page belongs to its visitor. One with messages is `no-store` already; that one does not come
    // back with the back button, the others may.
    let page = HeaderValue::from_static("private, no-cache");
    headers.entry(header::CACHE_CONTROL).or_insert(page);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_post_is_of_this_origin_or_of_no_browser() {
        let host = ("host", "race.example:8443");
        for (lines, allowed) in [
            (vec![host], true),
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "none")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("origin", "https://race.example:8443")], true),
            (vec![host, ("origin", "https://race.example")], false),
            (vec![host, ("origin", "https://evil.example")], false),
            (vec![host, ("origin", "null")], false),
            (
                vec![
                    host,
                    ("origin", "https://race.example:8443"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
        ] {
            assert_eq!(is_same_origin(&headers(&lines)), allowed, "{lines:?}");
        }
    }

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
