#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    use std::env;

    use anyhow::Context;
    use leptos::config::{Env, get_configuration};
    use leptos_flash::{
        FlashLayer, FlashStore, MemoryStore, PostgresSessionStore,
        cookie::{Cookie, Key, SameSite, time::Duration},
    };
    use sqlx::postgres::PgPoolOptions;
    use tokio::net::TcpListener;

    use {{crate_name}}::{app::router, store::Store};

    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => return Err(error).context(".env"),
        _ => {}
    }
    tracing_subscriber::fmt().with_env_filter(filter()).init();
    let mut options = get_configuration(None)?.leptos_options;
    if let Ok(port) = env::var("PORT") {
        let port: u16 = port.parse().context("PORT is a number up to 65535")?;
        options.site_addr = ([0, 0, 0, 0], port).into();
    }
    let is_production = options.env == Env::PROD;

    // In production the browser sends the cookie over HTTPS alone, and to this host alone.
    let name = if is_production {
        "__Host-sessionId"
    } else {
        "sessionId"
    };
    let cookie = Cookie::build(name)
        .path("/")
        .http_only(true)
        .secure(is_production)
        .same_site(SameSite::Lax)
        .max_age(Duration::days(30))
        .build();
    let (flash, store) = match env::var("DATABASE_URL") {
        Ok(url) => {
            let pool = PgPoolOptions::new().acquire_timeout(std::time::Duration::from_secs(5));
            let pool = pool.connect(&url).await.context("DATABASE_URL")?;
            let store = Store::Postgres(pool.clone());
            store.migrate().await?;
            let messages = FlashStore::new(PostgresSessionStore::new(pool));
            messages.migrate().await?;
            (FlashLayer::new(messages, cookie), store)
        }
        Err(_) if is_production => anyhow::bail!("set DATABASE_URL"),
        Err(_) => {
            tracing::warn!(
                "DATABASE_URL is not set: all is kept in memory, and ends with the program"
            );
            (
                FlashLayer::new(MemoryStore::default(), cookie),
                Store::default(),
            )
        }
    };
    let key = match env::var("SESSION_SECRET") {
        Ok(secret) => Key::try_from(secret.as_bytes()).context("SESSION_SECRET needs 64 bytes")?,
        Err(_) if is_production => anyhow::bail!("set SESSION_SECRET, 64 bytes or more"),
        Err(_) => Key::generate(),
    };
    let flash = flash.with_secrets([key]);

    let listener = TcpListener::bind(options.site_addr).await?;
    tracing::info!("listening on http://{}", options.site_addr);
    let app = router(options, flash.clone(), store);
    // It also deletes expired sessions and messages.
    Ok(flash.serve(listener, app, stop()).await?)
}

#[cfg(feature = "ssr")]
fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // Migrations say what is there already.
        "info,sqlx::postgres::notice=warn".into()
    })
}

/// Waits for Ctrl-C, or for the SIGTERM of an orchestrator.
#[cfg(feature = "ssr")]
async fn stop() {
    use tokio::signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    };

    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = ctrl_c() => {}
        () = terminate => {}
    }
}

/// cargo-leptos builds the browser's side from lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}
