//! A visitor of a site: a browser without JavaScript.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url,
    cookie::{CookieStore, Jar},
    header::{COOKIE, SET_COOKIE},
    redirect::Policy,
};

use crate::Result;

/// The header `Accept` of a page load.
pub const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// Where race-bib's form pushes a message.
pub const PUSH: &str = "/api/push_message";

/// A browser. It keeps cookies, and follows a redirect only where a test asks for that.
#[derive(Clone)]
pub struct Visitor {
    client: Client,
    cookies: Arc<Jar>,
    pub address: SocketAddr,
}

impl Visitor {
    pub fn new(address: SocketAddr) -> Self {
        let cookies = Arc::new(Jar::default());
        let client = browser().cookie_provider(cookies.clone()).build();
        Self {
            client: client.expect("a client"),
            cookies,
            address,
        }
    }

    /// The same browser at another instance: cookies don't tell ports apart.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// A tab that sends this header `Cookie`, whatever responses set.
    pub fn with_fixed_cookie(&self, cookie: &str) -> Result<Self> {
        let headers = [(COOKIE, cookie.parse()?)].into_iter().collect();
        Ok(Self {
            client: browser().default_headers(headers).build()?,
            ..self.clone()
        })
    }

    /// A request with no headers but the cookies.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        (self.client).request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let request = self.request(Method::GET, path);
        let request = (headers.iter()).fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        Ok(request.send().await?)
    }

    /// Loads a page.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.get_with(path, &[HTML]).await
    }

    /// Returns the HTML of a page. A status that is an error is one here.
    pub async fn page(&self, path: &str) -> Result<String> {
        Ok(self.get(path).await?.error_for_status()?.text().await?)
    }

    /// Returns the texts of the messages on a page.
    pub async fn messages(&self, path: &str) -> Result<Vec<String>> {
        Ok(texts(&self.page(path).await?))
    }

    /// Returns the texts of the messages on the page at the end of a chain of redirects.
    pub async fn follow(&self, mut response: Response) -> Result<Vec<String>> {
        while let Some(location) = response.headers().get("location") {
            let path = location.to_str()?.to_owned();
            response = self.get(&path).await?;
        }
        Ok(texts(&response.text().await?))
    }

    pub async fn post(&self, path: &str) -> Result<Response> {
        self.post_form(path, &[]).await
    }

    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Response> {
        let post = self.request(Method::POST, path).header(HTML.0, HTML.1);
        Ok(post.form(form).send().await?)
    }

    /// Posts a form. A response that is no redirect is an error.
    pub async fn submit(&self, path: &str, form: &[(&str, &str)]) -> Result {
        redirected(self.post_form(path, form).await?)
    }

    /// Posts the form of a message.
    pub async fn post_message(&self, text: &str) -> Result<Response> {
        self.post_form(PUSH, &[("level", "info"), ("text", text)])
            .await
    }

    /// Pushes a message. A response that is no redirect is an error.
    pub async fn push(&self, text: &str) -> Result {
        redirected(self.post_message(text).await?)
    }

    /// Returns the header `Cookie` of the next request.
    pub fn cookies(&self) -> Result<String> {
        let cookies = self.cookies.cookies(&self.url()?);
        Ok(cookies.ok_or("no cookies")?.to_str()?.to_owned())
    }

    /// Sets a cookie, as a script of the page would.
    pub fn set_cookie(&self, name: &str, value: &str) -> Result {
        let cookie = format!("{name}={value}; Path=/");
        self.cookies.add_cookie_str(&cookie, &self.url()?);
        Ok(())
    }

    fn url(&self) -> Result<Url> {
        Ok(Url::parse(&format!("http://{}", self.address))?)
    }
}

fn browser() -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(30))
}

fn redirected(response: Response) -> Result {
    match response.status() {
        StatusCode::SEE_OTHER => Ok(()),
        status => Err(format!("{}: {status}", response.url()).into()),
    }
}

/// Returns the first cookie that a response sets, as the header `Cookie` has it.
pub fn cookie_of(response: &Response) -> Result<String> {
    let line = response.headers().get(SET_COOKIE).ok_or("no cookie")?;
    let cookie = line.to_str()?.split(';').next();
    Ok(cookie.unwrap_or_default().to_owned())
}

/// Returns whether a visitor is in a race.
pub async fn races(visitor: &Visitor) -> Result<bool> {
    Ok(visitor.page("/race").await?.contains("bib-number"))
}

/// Returns the texts of the messages in a page's HTML.
pub fn texts(html: &str) -> Vec<String> {
    (html.split("class=\"flash-text\"").skip(1))
        .filter_map(|text| Some(text.split_once('>')?.1.split_once("</p>")?.0.to_owned()))
        .collect()
}
