//! The batcher, which answers many concurrent requests with one statement.

use std::{
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pg_sessions::database::{
    Connection, Database, Deadline, is_retryable, may_be_row_error, with_timeout,
};
use sqlx::PgConnection;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

/// A statement that answers many requests at once.
pub trait Query: Clone + Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Reply: Send + 'static;

    /// A request fails if no statement takes it within this time, or can't reach the database.
    const TIMEOUT: Duration;

    /// Returns the shard that a request asks. A statement asks one.
    fn shard(&self, request: &Self::Request) -> i16;

    /// Runs the statement for requests of one shard. Returns the replies, in the order of the requests.
    /// If `again`, an earlier attempt on another connection may have had its effects already.
    fn run(
        &self,
        connection: &mut PgConnection,
        requests: &[Self::Request],
        again: bool,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Reply>>> + Send;
}

/// Runs a statement as soon as there is a request. Requests that arrive meanwhile share the next
/// statement. So under load each request costs less.
///
/// A slow statement doesn't delay all requests: if it takes longer than 10 ms, a second one starts. The
/// worker keeps its connection until no request waits: sqlx needs a round trip to return it.
#[derive(Debug)]
pub struct Batcher<S: Query>(Arc<Mutex<Queue<S>>>);

/// A request starts a second worker after this time.
const SECOND_WORKER_DELAY: Duration = Duration::from_millis(10);

/// Maximum number of workers, so of concurrent statements.
const MAX_WORKERS: usize = 2;

/// Maximum number of requests in a statement.
const MAX_REQUESTS: usize = 64;

#[derive(Debug)]
struct Queue<S: Query> {
    waiting: Vec<Waiting<S>>,
    workers: usize,
    /// The ticket of the last request.
    last_ticket: u64,
}

struct Waiting<S: Query> {
    /// Identifies the request in the queue.
    ticket: u64,
    request: S::Request,
    reply: oneshot::Sender<Answer<S>>,
    since: Instant,
    /// The tracing span of the HTTP request.
    span: Span,
}

type Answer<S> = Result<<S as Query>::Reply, Arc<sqlx::Error>>;

impl<S: Query> Batcher<S> {
    /// Runs `statement` for this request and for all that wait, and returns the reply to this one. A
    /// running statement continues if this future is dropped.
    ///
    /// # Errors
    /// - The statement fails.
    /// - No statement took the request within its time. Then it has had no effect.
    pub async fn run(&self, statement: &S, database: &Database, request: S::Request) -> Answer<S> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = {
            let mut queue = self.lock();
            queue.last_ticket += 1;
            let ticket = queue.last_ticket;
            queue.waiting.push(Waiting {
                ticket,
                request,
                reply,
                since: Instant::now(),
                span: Span::current(),
            });
            ticket
        };
        self.start_worker(1, statement, database);
        let lost = |_| Arc::new(sqlx::Error::WorkerCrashed);
        if let Ok(answer) = tokio::time::timeout(SECOND_WORKER_DELAY, &mut answer).await {
            return answer.map_err(lost)?;
        }
        self.start_worker(MAX_WORKERS, statement, database);
        if let Ok(answer) = tokio::time::timeout(S::TIMEOUT, &mut answer).await {
            return answer.map_err(lost)?;
        }
        // If the request is not in the queue, a statement runs for it. That has its own time limit.
        let is_ours = |waiting: &mut Waiting<S>| waiting.ticket == ticket;
        if self.lock().waiting.extract_if(.., is_ours).next().is_some() {
            return Err(Arc::new(sqlx::Error::PoolTimedOut));
        }
        answer.await.map_err(lost)?
    }

    /// Starts a worker if requests wait and fewer than `max` workers run.
    fn start_worker(&self, max: usize, statement: &S, database: &Database) {
        let mut queue = self.lock();
        if queue.workers < max && !queue.waiting.is_empty() {
            queue.workers += 1;
            let worker = Worker {
                batcher: self.clone(),
                ended: false,
            };
            // A worker has its own task, because a dropped request must not stop it. PostgreSQL would
            // not stop the statement anyway.
            tokio::spawn(worker.run(statement.clone(), database.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Query> Clone for Batcher<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Query> Default for Batcher<S> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Queue {
            waiting: Vec::new(),
            workers: 0,
            last_ticket: 0,
        })))
    }
}

impl<S: Query> std::fmt::Debug for Waiting<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

/// A task that runs one statement after the other.
struct Worker<S: Query> {
    batcher: Batcher<S>,
    ended: bool,
}

impl<S: Query> Worker<S> {
    /// Runs until no request waits.
    async fn run(mut self, statement: S, database: Database) {
        let mut connection = None;
        loop {
            // Other tasks run first: requests that have arrived already may join the queue.
            tokio::task::yield_now().await;
            let Some(waiting) = self.next(&statement) else {
                break;
            };
            // The statement appears in the log of the first request.
            let span = waiting
                .first()
                .map_or_else(Span::none, |first| first.span.clone());
            let since = waiting.iter().map(|waiting| waiting.since).min();
            let deadline = Deadline::since(since.unwrap_or_else(Instant::now), S::TIMEOUT);
            let (requests, replies): (Vec<_>, Vec<_>) = (waiting.into_iter())
                .map(|waiting| (waiting.request, waiting.reply))
                .unzip();
            let answers = execute(&statement, &database, &mut connection, &requests, deadline);
            match answers.instrument(span).await {
                Ok(answers) => {
                    for (reply, answer) in replies.into_iter().zip(answers) {
                        _ = reply.send(answer);
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for reply in replies {
                        _ = reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Returns the next requests, all of one shard, or `None` if no request waits. It drops requests that
    /// were cancelled.
    fn next(&mut self, statement: &S) -> Option<Vec<Waiting<S>>> {
        let mut queue = self.batcher.lock();
        queue.waiting.retain(|waiting| !waiting.reply.is_closed());
        if queue.waiting.is_empty() {
            queue.workers -= 1;
            self.ended = true;
            return None;
        }
        let shard = statement.shard(&queue.waiting[0].request);
        let is_next = |waiting: &mut Waiting<S>| statement.shard(&waiting.request) == shard;
        let next = queue.waiting.extract_if(.., is_next);
        Some(next.take(MAX_REQUESTS).collect())
    }
}

impl<S: Query> Drop for Worker<S> {
    fn drop(&mut self) {
        // The worker has panicked, or the runtime has ended.
        if !self.ended {
            self.batcher.lock().workers -= 1;
        }
    }
}

/// Runs a statement on the `kept` connection, and keeps it for the next statement. If the connection
/// turns out to be broken, another one replaces it, until the deadline. Returns the answers, in the order of the
/// requests.
async fn execute<S: Query>(
    statement: &S,
    database: &Database,
    kept: &mut Option<Connection>,
    requests: &[S::Request],
    mut deadline: Deadline,
) -> sqlx::Result<Vec<Answer<S>>> {
    let mut again = false;
    loop {
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(database.connection(&mut deadline).await?),
        };
        let result = with_timeout(statement.run(connection, requests, again)).await;
        let result = match connection.check(result) {
            // Retry one by one: a single bad row fails the whole batch.
            Err(error)
                if requests.len() > 1 && may_be_row_error(&error) && !connection.is_closed() =>
            {
                let mut answers = Vec::new();
                for request in requests {
                    let request = slice::from_ref(request);
                    let one = with_timeout(statement.run(connection, request, again)).await;
                    let one = connection
                        .check(one)
                        .map(|answers| answers.into_iter().next());
                    answers.extend(one.map_err(Arc::new).transpose());
                    if connection.is_closed() {
                        break;
                    }
                }
                let closed = || Err(Arc::new(sqlx::Error::WorkerCrashed));
                answers.resize_with(requests.len(), closed);
                Ok(answers)
            }
            result => result.map(|answers| answers.into_iter().map(Ok).collect()),
        };
        if connection.is_closed() {
            *kept = None;
        }
        match result {
            Err(error) if is_retryable(&error) && deadline.wait_to_retry().await => again = true,
            result => return result,
        }
    }
}
