//! What visitors do: each has a connection of its own and asks again when it was answered.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::SendRequest,
    header,
};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::{net::TcpStream, task::JoinSet};

#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub visitors: usize,
    pub visit: Visit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    Stranger,
    Session,
    Message,
}

pub const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "page without a cookie",
        visitors: 16,
        visit: Visit::Stranger,
    },
    Scenario {
        name: "page with a session",
        visitors: 16,
        visit: Visit::Session,
    },
    Scenario {
        name: "post, redirect, page",
        visitors: 16,
        visit: Visit::Message,
    },
    Scenario {
        name: "the same, 100 sessions at once",
        visitors: 100,
        visit: Visit::Message,
    },
];

/// What was seen of all visitors.
pub struct Seen {
    /// In nanoseconds, exact to three digits.
    pub latencies: Histogram<u64>,
    pub requests: u64,
    pub bytes: u64,
    /// Messages that were not on the page that followed.
    pub wrong: u64,
}

impl Seen {
    fn nothing() -> Result<Self> {
        Ok(Self {
            latencies: Histogram::new(3)?,
            requests: 0,
            bytes: 0,
            wrong: 0,
        })
    }
}

/// A server, as visitors see it.
#[derive(Clone)]
pub struct Site {
    pub address: String,
    /// Where a message is posted.
    pub post: &'static str,
}

/// Those who visit at the same time.
pub struct Visitors(Vec<Visitor>, Visit);

impl Visitors {
    /// Connects them, with a session each where the scenario has one.
    pub async fn arrive(site: &Site, scenario: Scenario) -> Result<Self> {
        let mut visitors = Vec::new();
        for number in 0..scenario.visitors {
            let mut visitor = Visitor::connect(site, number).await?;
            if scenario.visit != Visit::Stranger {
                visitor.post_and_read().await?;
            }
            visitors.push(visitor);
        }
        Ok(Self(visitors, scenario.visit))
    }

    /// The start page, its head first, and a page with a message, as the first of them gets it.
    pub async fn pages(&mut self) -> Result<(String, [String; 2])> {
        let visitor = self.0.first_mut().context("nobody")?;
        let (answer, page) = visitor.send(Method::GET, "/", "").await?;
        let mut head = String::new();
        for (name, value) in answer.headers() {
            writeln!(head, "{name}: {}", value.to_str()?)?;
        }
        let with_message = visitor.post_and_read().await?;
        let pages = [page, with_message].map(|page| String::from_utf8_lossy(&page).into_owned());
        Ok((head, pages))
    }

    /// Lets them visit for some time.
    pub async fn visit(&mut self, time: Duration) -> Result<Seen> {
        let visit = self.1;
        let mut visiting = JoinSet::new();
        for mut visitor in self.0.drain(..) {
            visitor.seen = Seen::nothing()?;
            visiting.spawn(async move {
                visitor.visit_for(visit, time).await?;
                anyhow::Ok(visitor)
            });
        }
        let mut all = Seen::nothing()?;
        while let Some(visitor) = visiting.join_next().await {
            let visitor = visitor??;
            all.latencies.add(&visitor.seen.latencies)?;
            all.requests += visitor.seen.requests;
            all.bytes += visitor.seen.bytes;
            all.wrong += visitor.seen.wrong;
            self.0.push(visitor);
        }
        Ok(all)
    }
}

pub struct Visitor {
    site: Site,
    connection: SendRequest<Full<Bytes>>,
    cookie: Option<String>,
    number: usize,
    messages: u64,
    seen: Seen,
}

impl Visitor {
    pub async fn connect(site: &Site, number: usize) -> Result<Self> {
        let stream = TcpStream::connect(&site.address)
            .await
            .with_context(|| site.address.clone())?;
        stream.set_nodelay(true)?;
        let (connection, driver) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self {
            site: site.clone(),
            connection,
            cookie: None,
            number,
            messages: 0,
            seen: Seen::nothing()?,
        })
    }

    /// Opens another tab of the same browser.
    pub async fn tab(&self, number: usize) -> Result<Self> {
        let mut tab = Self::connect(&self.site, number).await?;
        tab.cookie.clone_from(&self.cookie);
        Ok(tab)
    }

    async fn visit_for(&mut self, visit: Visit, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let start = Instant::now();
            match visit {
                Visit::Message => {
                    self.post_and_read().await?;
                }
                Visit::Stranger => {
                    self.cookie = None;
                    self.send(Method::GET, "/", "").await?;
                }
                Visit::Session => {
                    self.send(Method::GET, "/", "").await?;
                }
            }
            let nanos = start.elapsed().as_nanos();
            self.seen.latencies.record(u64::try_from(nanos)?)?;
        }
        Ok(())
    }

    /// Posts a message, follows the redirect, and looks for it.
    async fn post_and_read(&mut self) -> Result<Bytes> {
        let (text, page) = self.post().await?;
        let (_, body) = self.send(Method::GET, &page, "").await?;
        self.seen.wrong += u64::from(memmem::find(&body, text.as_bytes()).is_none());
        Ok(body)
    }

    /// Posts a message. Returns its text, and the page to which the response leads.
    pub async fn post(&mut self) -> Result<(String, String)> {
        self.messages += 1;
        // As long as any other.
        let text = format!("Checkpoint-{:06}-of-{:04}", self.messages, self.number);
        let form = format!("level=info&text={text}");
        let (answer, _) = self.send(Method::POST, self.site.post, &form).await?;
        ensure!(
            answer.status().is_redirection(),
            "the post was answered with {}",
            answer.status()
        );
        let page = answer
            .headers()
            .get(header::LOCATION)
            .context("no location")?
            .to_str()?
            .to_owned();
        Ok((text, page))
    }

    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        form: &str,
    ) -> Result<(Response<()>, Bytes)> {
        self.send_with(method, path, form, &[]).await
    }

    /// Sends a request with further headers.
    pub async fn send_with(
        &mut self,
        method: Method,
        path: &str,
        form: &str,
        headers: &[(&str, &str)],
    ) -> Result<(Response<()>, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.site.address)
            .header(header::ACCEPT, "text/html");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !form.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.body(Full::new(Bytes::from(form.to_owned())))?;
        self.connection.ready().await?;
        let response: Response<Incoming> = self.connection.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(
            head.status == StatusCode::OK || head.status.is_redirection(),
            "{path} was answered with {}",
            head.status
        );
        for line in head.headers.get_all(header::SET_COOKIE) {
            let cookie = line.to_str()?.split(';').next().unwrap_or_default();
            self.cookie = Some(cookie.to_owned());
        }
        self.seen.requests += 1;
        let names_and_values = head
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4);
        self.seen.bytes += (body.len() + names_and_values.sum::<usize>()) as u64;
        Ok((Response::from_parts(head, ()), body))
    }
}
