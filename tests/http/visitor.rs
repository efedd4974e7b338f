//! A visitor of the app.

use std::net::SocketAddr;

use race_bib::{application::Application, config::Config, state::AppState};
use reqwest::{Client, Response, redirect::Policy};
use sqlx::PgPool;

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A browser without JavaScript, and the app on a port of its own.
pub struct Visitor {
    pub client: Client,
    pub base: String,
}

impl Visitor {
    pub async fn start(pool: PgPool) -> Result<Self> {
        Self::start_with(pool, &[]).await
    }

    pub async fn start_with(pool: PgPool, more: &[(&'static str, &str)]) -> Result<Self> {
        let more = more
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let usual = [
            ("DATABASE_URL", "postgres://only/the-pool-counts".to_owned()),
            ("SESSION_SECRET", "only-for-tests-".repeat(5)),
            ("LEPTOS_HASH_FILES", "false".to_owned()),
        ];
        let variables: Vec<_> = more.chain(usual).collect();
        let variable = |name: &str| Some(variables.iter().find(|(key, _)| *key == name)?.1.clone());
        let config = Config::from_variables(variable)?;
        let app = Application::build_with(config, pool, panicking());
        app.migrate().await?;
        let app = (app.router).into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, app).into_future());
        let client = Client::builder()
            .cookie_store(true)
            .redirect(Policy::none())
            .build()?;
        Ok(Self { client, base })
    }

    pub async fn page(&self, path: &str) -> Result<Response> {
        let request = self.client.get(format!("{}{path}", self.base));
        Ok(request.header("accept", "text/html").send().await?)
    }

    pub async fn push(&self, form: &[(&str, &str)]) -> Result<Response> {
        let request = self.client.post(format!("{}/api/push_message", self.base));
        Ok(request
            .header("accept", "text/html")
            .form(form)
            .send()
            .await?)
    }
}

fn panicking() -> axum::Router<AppState> {
    axum::Router::new().route("/panics", axum::routing::get(panic))
}

async fn panic() -> &'static str {
    panic!("a secret of the inside")
}
