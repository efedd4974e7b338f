//! The app on a fresh database, and its visitor.

use std::{net::SocketAddr, ops::Deref};

use race_bib::{application::Application, config::Config, state::AppState};
use sqlx::PgPool;
use test_support::Database;

pub use test_support::{PUSH, Result, Visitor};

/// A visitor of an app that listens on a port of its own.
pub struct App {
    visitor: Visitor,
    pub pool: PgPool,
    _database: Database,
}

impl App {
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts the app with further variables.
    pub async fn start_with(more: &[(&'static str, &str)]) -> Result<Self> {
        let more = more
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let usual = [
            ("DATABASE_URL", "postgres://only/the-pool-counts".to_owned()),
            ("SESSION_SECRET", "only-for-tests-".repeat(5)),
            ("LEPTOS_HASH_FILES", "false".to_owned()),
            (
                "DATABASE_LAYOUT",
                std::env::var("DATABASE_LAYOUT").unwrap_or_default(),
            ),
        ];
        let variables: Vec<_> = more.chain(usual).collect();
        let variable = |name: &str| Some(variables.iter().find(|(key, _)| *key == name)?.1.clone());
        let config = Config::from_variables(variable)?;
        let database = Database::create().await?;
        let pool = database.connect().await?;
        let app = Application::build_with(config, pool.clone(), panicking());
        app.migrate().await?;
        let app = (app.router).into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let visitor = Visitor::new(listener.local_addr()?);
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self {
            visitor,
            pool,
            _database: database,
        })
    }
}

impl Deref for App {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

fn panicking() -> axum::Router<AppState> {
    axum::Router::new().route("/panics", axum::routing::get(panic))
}

async fn panic() -> &'static str {
    panic!("a secret of the inside")
}
