//! Tests of apps: a browser without a network, and assertions of the messages that a response shows
//! and a request pushed. With a [`MemoryStore`](crate::MemoryStore), tests need no PostgreSQL.
//!
//! ```
//! use axum::{Router, response::Redirect, routing::{get, post}};
//! use flash_messages::{
//!     Flash, FlashError, FlashLayer, FlashMessage, MemoryStore,
//!     cookie::Cookie,
//!     testing::{Browser, assert_pushed, assert_shown},
//! };
//!
//! // The app, as its `main` has it, but for the store.
//! async fn start(flash: Flash) -> Result<Redirect, FlashError> {
//!     flash.redirect("/race", FlashMessage::success("You are off")).await
//! }
//!
//! async fn race(flash: Flash) -> String {
//!     flash.take().into_iter().map(|message| message.text).collect()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let flash = FlashLayer::new(MemoryStore::default(), Cookie::new("sessionId", ""));
//! let app = Router::new().route("/race/start", post(start)).route("/race", get(race));
//! let mut browser = Browser::new(app.layer(flash.clone()));
//!
//! // A form is sent, and the next page shows what it pushed.
//! let response = browser.post("/race/start", &[("bib", "7")]).await;
//! assert_pushed(&response, [FlashMessage::success("You are off")]);
//! let page = browser.follow(&response).await;
//! assert_shown(&page, [FlashMessage::success("You are off")]);
//! assert_eq!(page.body(), "You are off");
//!
//! // A message waits without a form.
//! browser.seed(&flash, [FlashMessage::info("It rains")]).await;
//! assert_shown(&browser.get("/race").await, [FlashMessage::info("It rains")]);
//!
//! // No message waits.
//! assert_shown(&browser.get("/race").await, []);
//! # }
//! ```

use axum::{
    Form, Router,
    body::{Body, to_bytes},
    response::IntoResponse,
    routing::post,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header, uri::PathAndQuery};
use tower::Service;
use tower_sessions::cookie::{Cookie, CookieJar};

use crate::{flash::Flash, layer::FlashLayer, message::FlashMessage, settle::can_show};

/// The name of the site that [`Browser`] visits.
const HOST: &str = "localhost";

/// Calls an app as a browser without JavaScript does: it accepts HTML, keeps cookies, says from which page
/// it comes (`Referer`), and reads each page to its end, so that its messages have arrived. There is no
/// network, so it sends `Secure` cookies, too.
///
/// # Panics
/// Its methods panic if a body ends with an error, or is larger than 16 MiB.
#[derive(Clone, Debug)]
pub struct Browser {
    app: Router,
    cookies: CookieJar,
    /// The address of the page that it shows.
    page: Option<String>,
}

impl Browser {
    /// Creates a browser without cookies for an app with its layers.
    pub fn new(app: Router) -> Self {
        Self {
            app,
            cookies: CookieJar::new(),
            page: None,
        }
    }

    /// Loads a page. `path` may have a query.
    ///
    /// # Panics
    /// The path is no URI.
    pub async fn get(&mut self, path: &str) -> Response<String> {
        self.send(Method::GET, path, Response::default()).await
    }

    /// Sends a form. Use [`follow`](Self::follow) to follow the redirect.
    ///
    /// # Panics
    /// The path is no URI.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response<String> {
        self.send(Method::POST, path, Form(fields).into_response())
            .await
    }

    /// Loads the page to which a response redirects.
    ///
    /// # Panics
    /// The response is no redirect, or leads to another site.
    pub async fn follow<B>(&mut self, response: &Response<B>) -> Response<String> {
        let status = response.status();
        assert!(status.is_redirection(), "{status} is no redirect");
        let location = response.headers().get(header::LOCATION);
        let path = location.and_then(|location| location.to_str().ok());
        let path = path.unwrap_or_else(|| panic!("a response {status} without a Location"));
        self.get(path).await
    }

    /// Pushes messages for the next page, with the layer of the app.
    ///
    /// # Panics
    /// A message can't be pushed, see [`Flash::push`].
    pub async fn seed<const N: usize>(&mut self, layer: &FlashLayer, messages: [FlashMessage; N]) {
        let push = move |flash: Flash| async move {
            for message in messages {
                (flash.push(message).await).unwrap_or_else(|error| panic!("a seed: {error}"));
            }
        };
        let app = Router::new().route("/", post(push)).layer(layer.clone());
        let cookies = self.cookies.clone();
        let page = None;
        let mut pushes = Self { app, cookies, page };
        pushes.post("/", &[]).await;
        self.cookies = pushes.cookies;
    }

    /// The body and its type are those of `content`.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        content: Response<Body>,
    ) -> Response<String> {
        let uri: Uri = path
            .parse()
            .unwrap_or_else(|error| panic!("{path} is no address: {error}"));
        let host = uri.host();
        assert!(
            host.is_none_or(|host| host == HOST),
            "{path} is on another site"
        );
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let (parts, body) = content.into_parts();
        // Without a host: it comes from no network, so nothing waits until the page is written to one.
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "text/html")
            .body(body)
            .unwrap_or_else(|error| panic!("{path} can't be requested: {error}"));
        let headers = request.headers_mut();
        headers.extend(parts.headers);
        if let Some(page) = &self.page {
            let page = HeaderValue::try_from(format!("http://{HOST}{page}"));
            headers.insert(header::REFERER, page.expect("it was an address"));
        }
        for cookie in self.cookies.iter() {
            let pair = format!("{}={}", cookie.name(), cookie.value());
            headers.append(
                header::COOKIE,
                HeaderValue::try_from(pair).expect("it was in a header"),
            );
        }
        // A Router is always ready.
        let response = match self.app.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        self.keep_cookies(response.headers());
        if !response.status().is_redirection() {
            self.page = Some(path.to_owned());
        }
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 16 << 20).await;
        let body = body.unwrap_or_else(|error| panic!("{path}: the body can't be read: {error}"));
        Response::from_parts(parts, String::from_utf8_lossy(&body).into_owned())
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let cookie = line.to_str().ok().map(str::to_owned).map(Cookie::parse);
            let Some(Ok(cookie)) = cookie else { continue };
            if cookie.max_age().is_some_and(|age| !age.is_positive()) {
                self.cookies.force_remove(cookie.name());
            } else {
                self.cookies.add(cookie);
            }
        }
    }
}

/// Returns the messages that a response shows, in the order of their pushes.
///
/// # Panics
/// The response did not come through a [`FlashLayer`].
#[track_caller]
pub fn shown<B>(response: &Response<B>) -> Vec<FlashMessage> {
    let (shown, _) = flash(response).outcome();
    if can_show(response) {
        shown
    } else {
        Vec::new()
    }
}

/// Returns the messages that the request pushed, in order.
///
/// # Panics
/// The response did not come through a [`FlashLayer`].
#[track_caller]
pub fn pushed<B>(response: &Response<B>) -> Vec<FlashMessage> {
    flash(response).outcome().1
}

/// Asserts that a response shows exactly these messages, in this order: `[]` if it shows none. It
/// ignores ids and scopes.
///
/// # Panics
/// The messages differ, or the response did not come through a [`FlashLayer`]. The
/// panic names the cause if no message is shown.
#[track_caller]
pub fn assert_shown<B, const N: usize>(response: &Response<B>, expected: [FlashMessage; N]) {
    let shown = without_ids(shown(response));
    let cause = if shown.is_empty() {
        flash(response).why_none_is_shown(can_show(response))
    } else {
        "other messages are shown"
    };
    assert_eq!(shown, without_ids(expected.into()), "{cause}");
}

/// Asserts that the request pushed exactly these messages, in this order. It ignores ids and scopes.
///
/// # Panics
/// The messages differ, or the response did not come through a [`FlashLayer`].
#[track_caller]
pub fn assert_pushed<B, const N: usize>(response: &Response<B>, expected: [FlashMessage; N]) {
    assert_eq!(
        without_ids(pushed(response)),
        without_ids(expected.into()),
        "messages pushed"
    );
}

#[track_caller]
fn flash<B>(response: &Response<B>) -> &Flash {
    (response.extensions().get())
        .expect("the response came through no FlashLayer: test the router with its layers, or a layer around it answered")
}

fn without_ids(mut messages: Vec<FlashMessage>) -> Vec<FlashMessage> {
    for message in &mut messages {
        (message.id, message.scope) = (0, Default::default());
    }
    messages
}
