//! Seen from outside: the log, a line for each request with its statements, numbers for Prometheus.

mod statements;

mod log;

mod metrics;

mod requests;

pub use log::start_log;
pub use metrics::serve_metrics;
pub use requests::{AnsweredRequest, RequestLog, log_request, note_session};
pub use statements::Statement;
