//! The program, and what the tests do with it.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::StatusCode;
use tempfile::NamedTempFile;
use test_support::free_address;

pub use test_support::{Program, Result, Visitor, postgres, races, texts, within};

/// The program that this run has built.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_race-bib");

/// Starts the program, and waits until it listens.
pub async fn start(database_url: &str, more: &[(&str, &str)]) -> Result<Program> {
    start_logging(database_url, more, Stdio::null()).await
}

/// The same, with its log in a file.
pub async fn start_logging(
    database_url: &str,
    more: &[(&str, &str)],
    log: impl Into<Stdio>,
) -> Result<Program> {
    let address = free_address().await?;
    let mut command = command(Path::new(PROGRAM), database_url, address);
    command.envs(more.iter().copied()).stdout(log);
    Program::start(&mut command, address).await
}

/// Returns a command that starts a program of any release at this address.
pub fn command(program: &Path, database_url: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        // No .env there.
        .current_dir(std::env::temp_dir())
        .env("DATABASE_URL", database_url)
        .env("SESSION_SECRET", "only-for-tests-".repeat(5))
        .env("LEPTOS_SITE_ADDR", address.to_string())
        .env("RUST_LOG", "warn")
        .env("POST_BURST", "100000")
        .env_remove("PORT");
    command
}

/// Starts the program, and waits until it is ready.
pub async fn ready(database_url: &str) -> Result<Program> {
    let app = start(database_url, &[]).await?;
    app.answers("/readyz", StatusCode::OK).await?;
    Ok(app)
}

/// The same, with its log in a file.
pub async fn ready_logging(database_url: &str) -> Result<(Program, NamedTempFile)> {
    let log = NamedTempFile::new()?;
    let app = start_logging(database_url, &[], log.reopen()?).await?;
    app.answers("/readyz", StatusCode::OK).await?;
    Ok((app, log))
}

/// Waits until three new visitors in a row find the program ready, push a message and see it.
pub async fn works(app: &Program, limit: Duration) -> Result {
    within(limit, async || {
        for _ in 0..3 {
            let visitor = Visitor::new(app.address);
            let ready = visitor.get("/readyz").await?.status();
            if ready != StatusCode::OK {
                return Err(format!("/readyz: {ready}").into());
            }
            visitor.push("seen").await?;
            let shown = visitor.messages("/").await?;
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
            Ok(()) => acknowledged.push(text),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}
