//! Starts: config, logs, database, router, serve, shut down.

use std::{convert::Infallible, time::Duration};

use anyhow::{Context, Result, bail};
use leptos_flash::OtherLayout;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    application::Application,
    config::Config,
    observe::{serve_metrics, start_log},
    web::{files::SiteFiles, limits::PostLimit},
};

/// How long requests that are under way have when the server stops. Orchestrators kill after 10
/// seconds or more.
const GRACE: Duration = Duration::from_secs(8);

/// The first requests wait at most this long for the tables.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// A variable is missing or wrong, the site's files are missing, a port is taken. The error says
/// what to do.
pub async fn run() -> Result<()> {
    let config = Config::from_env()?;
    SiteFiles::find(&config.leptos).map_err(anyhow::Error::msg)?;
    start_log(&config);
    if config.is_production() && config.trusted_proxies.is_empty() {
        tracing::warn!(
            "TRUSTED_PROXIES is not set: all who come through a proxy share the limit of posts of one client. \
             Set it to the address of the proxy"
        );
    }
    let address = config.leptos.site_addr;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "can't listen on {address}. Is another server running? Set PORT or LEPTOS_SITE_ADDR"
        )
    })?;
    let pool = pool(&config);
    let app = Application::build(config.clone(), pool);
    if let Some(address) = config.metrics {
        serve_metrics(address, app.state.session_store.clone()).await?;
    }
    let mut preparing = std::pin::pin!(prepare(&config, &app));
    // While instances of the release before still run, columns that this one needs may be missing.
    let prepared = tokio::time::timeout(PREPARE_TIMEOUT, &mut preparing).await;
    let prepare = async {
        match prepared {
            Ok(prepared) => prepared?,
            Err(_) => preparing.await?,
        }
        std::future::pending().await
    };
    tracing::info!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        served = serve(listener, &app) => served,
        failed = prepare => failed,
        never = forget_quiet_clients(&app.state.post_limit) => match never {},
    }
}

/// Connects when it is first used: pages are served before the database is there.
fn pool(config: &Config) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.connections)
        .acquire_timeout(Duration::from_secs(2))
        .connect_lazy_with(
            (config.database.clone())
                .application_name("race-bib")
                .options([("statement_timeout", "5s")]),
        )
}

/// Creates the tables, as soon as there is a database.
///
/// # Errors
/// The tables have another layout.
async fn prepare(config: &Config, app: &Application) -> Result<()> {
    let mut pause = Duration::from_secs(1);
    loop {
        let Err(error) = app.migrate().await.map_err(anyhow::Error::from) else {
            tracing::info!("the database is ready");
            return Ok(());
        };
        if let Some(other) = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<OtherLayout>())
        {
            bail!("DATABASE_LAYOUT is wrong: {other}. docs/scale.md says how to change it");
        }
        tracing::warn!(
            "waiting for PostgreSQL at {}:{}, see DATABASE_URL; pages go without sessions and messages \
             until then. Next attempt in {pause:?}: {error}",
            config.database.get_host(),
            config.database.get_port(),
        );
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_secs(5));
    }
}

async fn forget_quiet_clients(limit: &PostLimit) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        limit.forget_quiet_clients();
    }
}

/// Serves until a signal, then lets the requests under way finish, for a while.
async fn serve(listener: TcpListener, app: &Application) -> Result<()> {
    tokio::select! {
        served = app.flash.serve(listener, app.router.clone(), stop_signal()) => Ok(served?),
        () = async {
            stop_signal().await;
            tracing::info!("stopping; requests under way have {GRACE:?}");
            tokio::time::sleep(GRACE).await;
        } => {
            tracing::warn!("some requests did not finish in time");
            app.flash.flush().await;
            Ok(())
        }
    }
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
