//! The statements that a request sent to PostgreSQL, out of what sqlx logs.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use tracing::{
    Event, Span, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, Registry, layer::Context, registry::LookupSpan};

/// What went to PostgreSQL: the text with its placeholders, never the values.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The comment that it begins with, else its first words.
    pub name: String,
    pub sql: String,
    pub time: Duration,
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

/// The span of a request, which its statements are collected in.
pub fn request_span(id: &str) -> Span {
    tracing::info_span!("request", id)
}

fn is_request(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.name() == "request" && metadata.target() == module_path!()
}

/// Takes them out of the span.
pub fn statements_of(span: &Span) -> Vec<Statement> {
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
