//! A log line for each request, and in development the last requests for the session page.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use tower_sessions::{Session, session};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    metrics::count_request,
    statements::{Statement, request_span, statements_of},
};
use crate::config::Config;

/// Answers a request within a span, gives the response an `x-request-id`, and logs it.
///
/// The path is logged without its query, which may hold what somebody typed.
pub async fn log_request(State(log): State<RequestLog>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    // tower-http's request ids are the client's, where it sends one.
    let id = Uuid::new_v4().simple().to_string();
    let span = request_span(&id);
    let start = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (time, status) = (start.elapsed(), response.status());
    let statements = statements_of(&span);
    if log.counts {
        count_request(&method, route, status, time);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let _entered = span.entered();
    tracing::info!(
        %method, path, route, status = status.as_u16(), ?time, statements = statements.len(),
        "answered"
    );
    if log.kept > 0 {
        for Statement { name, sql, time } in &statements {
            tracing::info!(?time, "{name}: {sql}");
        }
        let session = response.extensions().get().and_then(Session::id);
        let request = AnsweredRequest {
            method,
            path,
            status,
            time,
            statements,
        };
        log.push(session, request);
    }
    response
}

/// Puts the session where [`log_request`] finds it.
pub async fn note_session(session: Session, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(session);
    response
}

/// A request as the session page shows it in development.
#[derive(Clone, Debug)]
pub struct AnsweredRequest {
    pub method: Method,
    pub path: String,
    pub status: StatusCode,
    pub time: Duration,
    pub statements: Vec<Statement>,
}

/// The last requests of all sessions. In production it keeps none.
#[derive(Clone)]
pub struct RequestLog {
    counts: bool,
    kept: usize,
    last: Arc<Mutex<VecDeque<(session::Id, AnsweredRequest)>>>,
}

impl RequestLog {
    pub fn new(config: &Config) -> Self {
        Self {
            counts: config.metrics.is_some(),
            kept: if config.is_production() { 0 } else { 200 },
            last: Arc::default(),
        }
    }

    fn push(&self, session: Option<session::Id>, request: AnsweredRequest) {
        let mut last = self.last();
        last.extend(session.map(|session| (session, request)));
        let surplus = last.len().saturating_sub(self.kept);
        last.drain(..surplus);
    }

    /// Returns the last ten of a session, the newest first.
    pub fn of(&self, session: session::Id) -> Vec<AnsweredRequest> {
        (self.last().iter().rev())
            .filter(|(id, _)| *id == session)
            .map(|(_, request)| request.clone())
            .take(10)
            .collect()
    }

    fn last(&self) -> MutexGuard<'_, VecDeque<(session::Id, AnsweredRequest)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
