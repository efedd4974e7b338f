//! Numbers for Prometheus, on an address of their own: nobody outside should read them.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode},
    routing::get,
};
use leptos_flash::PostgresSessionStore;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// Seconds.
const TIMES: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0];

#[derive(Clone)]
struct Numbers {
    prometheus: PrometheusHandle,
    sessions: PostgresSessionStore,
}

/// Counts from now on, and serves `/metrics` on `address`.
///
/// # Errors
/// The port is taken.
pub async fn serve_metrics(address: SocketAddr, sessions: PostgresSessionStore) -> Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("METRICS_ADDR: can't listen on {address}. Set another one"))?;
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &TIMES)?
        .install_recorder()?;
    let upkeep = prometheus.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let app = Router::new()
        .route("/metrics", get(numbers))
        .with_state(Numbers {
            prometheus,
            sessions,
        });
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(())
}

async fn numbers(
    State(Numbers {
        prometheus,
        sessions,
    }): State<Numbers>,
) -> String {
    let (open, idle) = sessions.database().connections();
    let idle = u32::try_from(idle).unwrap_or(u32::MAX);
    metrics::gauge!("database_connections").set(open);
    metrics::gauge!("database_connections_idle").set(idle);
    prometheus.render()
}

/// Counts an answered request.
pub fn count_request(method: &Method, route: &str, status: StatusCode, time: Duration) {
    // A client may make methods up; each label is kept for ever.
    let known = [Method::GET, Method::POST, Method::HEAD].contains(method);
    let method = if known { method.as_str() } else { "other" };
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(time);
}
