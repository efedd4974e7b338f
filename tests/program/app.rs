//! The program, on a PostgreSQL of its own, and its visitors.

use std::{
    fs,
    net::TcpListener,
    ops::{Deref, DerefMut},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Client, Response, StatusCode, redirect::Policy};
use xtask::{postgres::Postgres, tools::root};

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A PostgreSQL of this test alone; its data goes with it.
pub fn postgres(settings: &str) -> Result<TestPostgres> {
    let folder = folder();
    let server = Postgres::start(&folder, &format!("-c fsync=off {settings}"))?;
    Ok(TestPostgres { server, folder })
}

pub struct TestPostgres {
    server: Postgres,
    folder: PathBuf,
}

impl Deref for TestPostgres {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        &self.server
    }
}

impl DerefMut for TestPostgres {
    fn deref_mut(&mut self) -> &mut Postgres {
        &mut self.server
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        self.server.stop();
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder of this test alone.
pub fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    root().join(format!("target/program/{}-{number}", std::process::id()))
}

/// The program; dropped, it is killed.
pub struct App {
    process: Child,
    pub base: String,
}

impl App {
    /// Starts it and waits until it listens.
    pub async fn start(database_url: &str, more: &[(&str, &str)]) -> Result<Self> {
        Self::start_logging(database_url, more, Stdio::null()).await
    }

    /// The same, with its log in a file.
    pub async fn start_logging(
        database_url: &str,
        more: &[(&str, &str)],
        log: impl Into<Stdio>,
    ) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(env!("CARGO_BIN_EXE_race-bib"))
            // No .env there.
            .current_dir(std::env::temp_dir())
            .env("DATABASE_URL", database_url)
            .env("SESSION_SECRET", "only-for-tests-".repeat(5))
            .env("LEPTOS_SITE_ADDR", address.to_string())
            .env("RUST_LOG", "warn")
            .env("POST_BURST", "100000")
            .env_remove("PORT")
            .envs(more.iter().copied())
            .stdout(log)
            .spawn()?;
        let app = Self {
            process,
            base: format!("http://{address}"),
        };
        app.answers("/healthz", StatusCode::OK).await?;
        Ok(app)
    }

    pub async fn ready(database_url: &str) -> Result<Self> {
        let app = Self::start(database_url, &[]).await?;
        app.answers("/readyz", StatusCode::OK).await?;
        Ok(app)
    }

    /// Waits until a path has this status, for 20 seconds at most.
    pub async fn answers(&self, path: &str, status: StatusCode) -> Result {
        let start = Instant::now();
        loop {
            let answer = reqwest::get(format!("{}{path}", self.base)).await;
            if answer
                .as_ref()
                .is_ok_and(|answer| answer.status() == status)
            {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(20) {
                return Err(format!("{path} is not {status} but {answer:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn signal(&self, name: &str) -> Result {
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-s", name, &pid]).status()?;
        Ok(())
    }

    pub fn wait(mut self) -> Result<ExitStatus> {
        Ok(self.process.wait()?)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// A browser without JavaScript; it keeps cookies and follows no redirects.
#[derive(Clone)]
pub struct Visitor {
    client: Client,
    base: String,
}

impl Visitor {
    pub fn new(app: &App) -> Result<Self> {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::none())
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            base: app.base.clone(),
        })
    }

    /// The same browser at another instance: cookies don't tell ports apart.
    pub fn at(&self, app: &App) -> Self {
        Self {
            client: self.client.clone(),
            base: app.base.clone(),
        }
    }

    pub async fn push(&self, text: &str) -> Result<Response> {
        let post = self.client.post(format!("{}/api/push_message", self.base));
        let form = [("level", "info"), ("text", text)];
        Ok(post
            .header("accept", "text/html")
            .form(&form)
            .send()
            .await?)
    }

    pub async fn get(&self, path: &str) -> Result<Response> {
        let get = self.client.get(format!("{}{path}", self.base));
        Ok(get.header("accept", "text/html").send().await?)
    }

    /// The texts of the messages on a page.
    pub async fn shown(&self) -> Result<Vec<String>> {
        let html = self.get("/").await?.error_for_status()?.text().await?;
        let texts = html.split("<p class=\"flash-text\">").skip(1);
        Ok(texts
            .filter_map(|text| Some(text.split_once("</p>")?.0.to_owned()))
            .collect())
    }
}

/// Pushes one message after the other until it is stopped; counts in the texts of those that were
/// acknowledged.
pub async fn push_on(
    visitor: Visitor,
    name: String,
    stop: tokio::sync::watch::Receiver<bool>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if *stop.borrow() {
            break;
        }
        let text = format!("{name}-{number}");
        match visitor.push(&text).await {
            Ok(answer) if answer.status() == StatusCode::SEE_OTHER => acknowledged.push(text),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}
