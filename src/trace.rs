//! Seen from outside: a log line for each request, with the statements that it sent to PostgreSQL.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt::{self, Write as _},
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
use tracing::{
    Event, Instrument, Span, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, Registry, layer::Context, registry::LookupSpan};
use uuid::Uuid;

use crate::router::AppState;

/// Answers a request within a span, gives the answer an `x-request-id`, and logs it.
///
/// The path is logged without its query, which may hold what somebody typed.
pub async fn trace(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let id = Uuid::new_v4().simple().to_string();
    let span = tracing::info_span!("request", id);
    let start = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (time, status) = (start.elapsed(), response.status());
    let statements = statements_of(&span);
    let route = response.extensions_mut().remove().unwrap_or(Route::NONE).0;
    if state.config.metrics.is_some() {
        // A client may make methods up; each label is kept for ever.
        let known = [Method::GET, Method::POST, Method::HEAD].contains(&method);
        let labels = [
            (
                "method",
                if known {
                    method.to_string()
                } else {
                    "other".to_owned()
                },
            ),
            ("route", route.to_string()),
            ("status", status.as_u16().to_string()),
        ];
        metrics::counter!("http_requests_total", &labels).increment(1);
        metrics::histogram!("http_request_duration_seconds", &labels).record(time);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let _entered = span.entered();
    tracing::info!(
        %method, path, %route, status = status.as_u16(), ?time, statements = statements.len(),
        "answered"
    );
    let last = &state.last_requests;
    if last.kept > 0 {
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
        last.push(session, request);
    }
    response
}

/// The pattern of the route that answers, such as `/messages/hop/{hop}`.
#[derive(Clone)]
pub struct Route(Cow<'static, str>);

impl Route {
    const NONE: Self = Self(Cow::Borrowed("none"));

    pub fn of(request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        matched.map_or(Self::NONE, |route| {
            Self(Cow::Owned(route.as_str().to_owned()))
        })
    }
}

/// Puts the route where [`trace`] finds it. It goes inside the router, which knows it.
pub async fn note_route(request: Request, next: Next) -> Response {
    let route = Route::of(&request);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(route);
    response
}

/// Puts the session where [`trace`] finds it. It goes inside the session layer.
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

/// What went to PostgreSQL: the text with its placeholders, never the values.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The comment that it begins with, else its first words.
    pub name: String,
    pub sql: String,
    pub time: Duration,
}

/// The last requests of all sessions. In production it keeps none.
#[derive(Clone, Debug)]
pub struct LastRequests {
    kept: usize,
    requests: Arc<Mutex<VecDeque<(session::Id, AnsweredRequest)>>>,
}

impl LastRequests {
    pub fn keep(kept: usize) -> Self {
        Self {
            kept,
            requests: Arc::default(),
        }
    }

    fn push(&self, session: Option<session::Id>, request: AnsweredRequest) {
        let mut requests = self.requests();
        requests.extend(session.map(|session| (session, request)));
        let surplus = requests.len().saturating_sub(self.kept);
        requests.drain(..surplus);
    }

    /// The last ten of a session, the newest first.
    pub fn of(&self, session: session::Id) -> Vec<AnsweredRequest> {
        (self.requests().iter().rev())
            .filter(|(id, _)| *id == session)
            .map(|(_, request)| request.clone())
            .take(10)
            .collect()
    }

    fn requests(&self) -> MutexGuard<'_, VecDeque<(session::Id, AnsweredRequest)>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects what sqlx logs of its statements, in the span of the request that sent them: with their
/// texts in development, their number alone in production.
pub struct StatementLayer {
    pub with_texts: bool,
}

#[derive(Default)]
struct Statements(Vec<Statement>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for StatementLayer {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        if let (true, Some(span)) = (is_request(attributes.metadata()), context.span(id)) {
            span.extensions_mut().insert(Statements::default());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "sqlx::query" {
            return;
        }
        let mut scope = context.event_scope(event).into_iter().flatten();
        if let Some(request) = scope.find(|span| is_request(span.metadata())) {
            let mut seen = SeenStatement::default();
            if self.with_texts {
                event.record(&mut seen);
            }
            if let Some(Statements(statements)) = request.extensions_mut().get_mut() {
                statements.push(seen.statement());
            }
        }
    }
}

fn is_request(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.name() == "request" && metadata.target() == module_path!()
}

fn statements_of(span: &Span) -> Vec<Statement> {
    let statements = span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let statements = span.extensions_mut().remove::<Statements>()?;
        Some(statements.0)
    });
    statements.flatten().unwrap_or_default()
}

/// The fields of sqlx's event (sqlx-core 0.8, logger.rs).
#[derive(Default)]
struct SeenStatement {
    summary: String,
    sql: String,
    seconds: f64,
}

impl SeenStatement {
    fn statement(self) -> Statement {
        let text = if self.sql.is_empty() {
            self.summary
        } else {
            self.sql
        };
        let sql = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let comment = sql
            .strip_prefix("/* ")
            .and_then(|sql| sql.split_once(" */ "));
        let (name, sql) = match comment {
            Some((name, sql)) => (name.to_owned(), sql.to_owned()),
            None => (sql.chars().take(40).collect(), sql),
        };
        Statement {
            name,
            sql,
            time: Duration::from_secs_f64(self.seconds.max(0.0)),
        }
    }
}

impl Visit for SeenStatement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.sql = value.to_owned(),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "summary" {
            _ = write!(self.summary, "{value:?}");
        }
    }
}
