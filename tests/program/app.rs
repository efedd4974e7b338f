//! The program, on a PostgreSQL of its own, and its visitors.

use std::{
    fs,
    net::TcpListener,
    ops::{Deref, DerefMut},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{
    Client, Response, StatusCode, Url,
    cookie::{CookieStore, Jar},
    redirect::Policy,
};
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

impl TestPostgres {
    /// Starts a standby that streams from this server.
    pub fn standby(&self) -> Result<TestPostgres> {
        let folder = folder();
        let server = self.server.start_standby(&folder, "-c fsync=off")?;
        Ok(TestPostgres { server, folder })
    }
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

    /// Starts it, waits until it is ready, and returns the file of its log too.
    pub async fn ready_logging(database_url: &str) -> Result<(Self, PathBuf)> {
        let file = folder();
        fs::create_dir_all(file.parent().ok_or("a folder")?)?;
        let app = Self::start_logging(database_url, &[], fs::File::create(&file)?).await?;
        app.answers("/readyz", StatusCode::OK).await?;
        Ok((app, file))
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
    cookies: Arc<Jar>,
    base: String,
}

impl Visitor {
    pub fn new(app: &App) -> Result<Self> {
        Self::of(&app.base)
    }

    /// A visitor of the site at this address, a proxy's say.
    pub fn of(base: &str) -> Result<Self> {
        let cookies = Arc::new(Jar::default());
        let client = Client::builder()
            .cookie_provider(cookies.clone())
            .redirect(Policy::none())
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            cookies,
            base: base.to_owned(),
        })
    }

    /// Another browser at the same site.
    pub fn another(&self) -> Result<Self> {
        Self::of(&self.base)
    }

    /// The same browser at another instance: cookies don't tell ports apart.
    pub fn at(&self, app: &App) -> Self {
        Self {
            base: app.base.clone(),
            ..self.clone()
        }
    }

    /// Posts a form to a server function.
    pub async fn post(&self, function: &str, form: &[(&str, &str)]) -> Result<Response> {
        let post = self.client.post(format!("{}/api/{function}", self.base));
        Ok(post.header("accept", "text/html").form(form).send().await?)
    }

    /// Posts a form. An answer that is no redirect is an error.
    pub async fn posted(&self, function: &str, form: &[(&str, &str)]) -> Result {
        match self.post(function, form).await?.status() {
            StatusCode::SEE_OTHER => Ok(()),
            status => Err(format!("{function}: {status}").into()),
        }
    }

    pub async fn push(&self, text: &str) -> Result<Response> {
        let form = [("level", "info"), ("text", text)];
        self.post("push_message", &form).await
    }

    /// Pushes a message. An answer that is no redirect is an error.
    pub async fn pushed(&self, text: &str) -> Result {
        let form = [("level", "info"), ("text", text)];
        self.posted("push_message", &form).await
    }

    pub async fn get(&self, path: &str) -> Result<Response> {
        let get = self.client.get(format!("{}{path}", self.base));
        Ok(get.header("accept", "text/html").send().await?)
    }

    /// The HTML of a page. A status that is an error is one here.
    pub async fn page(&self, path: &str) -> Result<String> {
        Ok(self.get(path).await?.error_for_status()?.text().await?)
    }

    /// The texts of the messages on a page.
    pub async fn shown(&self) -> Result<Vec<String>> {
        Ok(texts(&self.page("/").await?))
    }

    /// Returns whether this visitor is in a race.
    pub async fn races(&self) -> Result<bool> {
        Ok(self.page("/race").await?.contains("bib-number"))
    }

    /// The header `Cookie` of the next request.
    pub fn cookies(&self) -> Result<String> {
        let cookies = self.cookies.cookies(&Url::parse(&self.base)?);
        Ok(cookies.ok_or("no cookies")?.to_str()?.to_owned())
    }

    /// Sets a cookie, as a script of the page would.
    pub fn set_cookie(&self, name: &str, value: &str) -> Result {
        let url = Url::parse(&self.base)?;
        (self.cookies).add_cookie_str(&format!("{name}={value}; Path=/"), &url);
        Ok(())
    }
}

/// The texts of the messages in a page's HTML.
pub fn texts(html: &str) -> Vec<String> {
    (html.split("<p class=\"flash-text\">").skip(1))
        .filter_map(|text| Some(text.split_once("</p>")?.0.to_owned()))
        .collect()
}

/// Tries again until it succeeds. The last attempt begins before the limit is over.
pub async fn within<T>(limit: Duration, attempt: impl AsyncFn() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if start.elapsed() > limit => {
                return Err(format!("not within {limit:?}: {error}").into());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Waits until three new visitors in a row find the program ready, push a message and see it.
pub async fn works(app: &App, limit: Duration) -> Result {
    within(limit, async || {
        for _ in 0..3 {
            let visitor = Visitor::new(app)?;
            let ready = visitor.get("/readyz").await?.status();
            if ready != StatusCode::OK {
                return Err(format!("/readyz: {ready}").into());
            }
            visitor.pushed("seen").await?;
            let shown = visitor.shown().await?;
            if shown != ["seen"] {
                return Err(format!("the page shows {shown:?}").into());
            }
        }
        Ok(())
    })
    .await
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
