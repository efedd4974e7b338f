//! Starts: config, logs, database, router, serve, shut down.

use anyhow::{Context, Result};
use leptos_flash::{FlashLayer, FlashStore, PostgresSessionStore, purge_every};
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    config::Config,
    router::router,
    trace::{self, StatementLayer},
};

/// PostgreSQL's notices say at each start that the tables are there.
const DEFAULT_LOG: &str = "info,sqlx::postgres::notice=warn";

const PURGE_PERIOD: Duration = Duration::from_secs(15 * 60);

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// A variable is missing or wrong, the database can't be reached, the port is taken. The error says
/// what to do.
pub async fn run() -> Result<()> {
    let config = Config::from_env()?;
    start_log(&config);

    let pool = PgPoolOptions::new()
        .max_connections(config.connections)
        .acquire_timeout(Duration::from_secs(2))
        // A ping before each use would double the round trips; a broken connection fails one
        // statement, and the pool replaces it.
        .test_before_acquire(false)
        .connect_with(config.database.clone())
        .await
        .with_context(|| {
            format!(
                "DATABASE_URL: no PostgreSQL answers at {}:{}. Start it, mend the variable, or unset it \
                 and run `cargo xtask serve`, which brings a server of its own",
                config.database.get_host(),
                config.database.get_port(),
            )
        })?;

    let session_store = PostgresSessionStore::new(pool.clone()).with_idle_expiry(config.idle);
    session_store
        .migrate()
        .await
        .context("the table of the sessions could not be created")?;
    // Somebody may try 500 pushes before they look.
    let flash_store = FlashStore::new(&session_store).with_max_waiting(500);
    flash_store
        .migrate()
        .await
        .context("the table of the flash messages could not be created")?;
    let flash = FlashLayer::new(flash_store.clone());
    tokio::spawn(purge_every(
        PURGE_PERIOD,
        flash_store,
        session_store.clone(),
    ));

    let address = config.leptos.site_addr;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "can't listen on {address}. Is another server running? Set PORT or LEPTOS_SITE_ADDR"
        )
    })?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        router(&config, pool, session_store, flash.clone()),
    )
    .with_graceful_shutdown(stop_signal())
    .await?;
    flash.flush().await;
    Ok(())
}

fn start_log(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| DEFAULT_LOG.into());
    let lines = tracing_subscriber::fmt::layer();
    let lines = match config.json_log {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.boxed(),
    };
    let statements = Targets::new()
        .with_target("sqlx::query", LevelFilter::DEBUG)
        .with_target(trace::TARGET, LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(StatementLayer.with_filter(statements))
        .init();
}

async fn stop_signal() {
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        },
        _ => std::future::pending().await,
    }
}
