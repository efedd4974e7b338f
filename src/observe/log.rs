//! What is logged, and how.

use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::statements::StatementLayer;
use crate::config::Config;

/// PostgreSQL's notices say at each start that the tables are there.
const DEFAULT_LOG: &str = "info,sqlx::postgres::notice=warn";

/// Logs from now on.
pub fn start_log(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| DEFAULT_LOG.into());
    let lines = tracing_subscriber::fmt::layer();
    let lines = match config.json_log {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.boxed(),
    };
    let with_texts = !config.is_production();
    // All spans, not the request's alone: a statement finds its request through those between.
    let statements = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("sqlx::query", LevelFilter::DEBUG);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(StatementLayer { with_texts }.with_filter(statements))
        .init();
}
