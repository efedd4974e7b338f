//! Batches: what many requests ask PostgreSQL at the same time goes there in one statement.

use std::{
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pg_sessions::database::{
    Connection, Database, is_broken, is_timeout, may_be_row_error, with_timeout,
};
use sqlx::PgConnection;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

/// A statement that answers many requests at once.
pub trait Query: Clone + Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Reply: Send + 'static;

    /// Returns the answers, in the order of the requests. `again`: an attempt with another connection
    /// may have done it already.
    fn run(
        &self,
        connection: &mut PgConnection,
        requests: &[Self::Request],
        again: bool,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Reply>>> + Send;
}

/// Runs a statement as soon as a request asks something. Requests that come while it is under way
/// wait, and go into the next one. So the more there is to do, the less each request costs. The
/// connection goes back, which is a round trip of its own in sqlx, when no request waits.
///
/// A slow statement doesn't hold up everybody: if it takes longer than [`PATIENCE`], a second one
/// starts, up to [`MAX_RUNNING`].
#[derive(Debug)]
pub struct Batcher<S: Query>(Arc<Mutex<Queue<S>>>);

const PATIENCE: Duration = Duration::from_millis(10);

/// How long a request waits for its turn while others are under way.
const TURN: Duration = Duration::from_secs(2);

const MAX_RUNNING: usize = 2;

const MAX_REQUESTS: usize = 64;

#[derive(Debug)]
struct Queue<S: Query> {
    waiting: Vec<Waiting<S>>,
    running: usize,
    tickets: u64,
}

struct Waiting<S: Query> {
    ticket: u64,
    request: S::Request,
    reply: oneshot::Sender<Answer<S>>,
    span: Span,
}

type Answer<S> = Result<<S as Query>::Reply, Arc<sqlx::Error>>;

impl<S: Query> Batcher<S> {
    /// Runs `statement` for this request, and for all that wait. The statement goes on when its
    /// request stops waiting.
    ///
    /// # Errors
    /// The statement fails; or it was not its turn within 2 seconds, and it has not run then.
    pub async fn ask(&self, statement: &S, database: &Database, request: S::Request) -> Answer<S> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = {
            let mut queue = self.lock();
            queue.tickets += 1;
            let ticket = queue.tickets;
            queue.waiting.push(Waiting {
                ticket,
                request,
                reply,
                span: Span::current(),
            });
            ticket
        };
        self.run_beside(0, statement, database);
        let lost = |_| Arc::new(sqlx::Error::WorkerCrashed);
        if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answer).await {
            return answer.map_err(lost)?;
        }
        self.run_beside(MAX_RUNNING - 1, statement, database);
        if let Ok(answer) = tokio::time::timeout(TURN, &mut answer).await {
            return answer.map_err(lost)?;
        }
        // A statement that is under way has its own limit. Until then its question has not failed.
        let waits = |waiting: &mut Waiting<S>| waiting.ticket == ticket;
        if self.lock().waiting.extract_if(.., waits).next().is_some() {
            return Err(Arc::new(sqlx::Error::PoolTimedOut));
        }
        answer.await.map_err(lost)?
    }

    /// Starts to answer, when no more than `others` statements are under way.
    fn run_beside(&self, others: usize, statement: &S, database: &Database) {
        let mut queue = self.lock();
        if queue.running <= others && !queue.waiting.is_empty() {
            queue.running += 1;
            let running = Running {
                queue: self.clone(),
                ended: false,
            };
            // In a task of its own, which a dropped request doesn't stop: a statement that is under
            // way isn't stopped by dropping its future either.
            tokio::spawn(running.answer_all(statement.clone(), database.clone()));
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
            running: 0,
            tickets: 0,
        })))
    }
}

impl<S: Query> std::fmt::Debug for Waiting<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

/// One of the tasks that answer.
struct Running<S: Query> {
    queue: Batcher<S>,
    ended: bool,
}

impl<S: Query> Running<S> {
    /// Runs until no request waits.
    async fn answer_all(mut self, statement: S, database: Database) {
        let mut connection = None;
        loop {
            // Requests that have come already are read first, and ask too.
            tokio::task::yield_now().await;
            let Some(waiting) = self.next() else {
                break;
            };
            // The log line of the first request has it.
            let span = waiting
                .first()
                .map_or_else(Span::none, |first| first.span.clone());
            let (requests, replies): (Vec<_>, Vec<_>) = (waiting.into_iter())
                .map(|waiting| (waiting.request, waiting.reply))
                .unzip();
            let answers = answer(&statement, &database, &mut connection, &requests);
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

    /// Takes the next requests, without those whose request is gone. Returns None at the end.
    fn next(&mut self) -> Option<Vec<Waiting<S>>> {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|waiting| !waiting.reply.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            self.ended = true;
            return None;
        }
        let number = queue.waiting.len().min(MAX_REQUESTS);
        Some(queue.waiting.drain(..number).collect())
    }
}

/// Its runtime ended, or it panicked.
impl<S: Query> Drop for Running<S> {
    fn drop(&mut self) {
        if !self.ended {
            self.queue.lock().running -= 1;
        }
    }
}

/// Runs the statement on a connection that is kept for the next one. A connection that turns out to
/// be broken is replaced once.
async fn answer<S: Query>(
    statement: &S,
    database: &Database,
    kept: &mut Option<Connection>,
    requests: &[S::Request],
) -> sqlx::Result<Vec<Answer<S>>> {
    let mut again = false;
    loop {
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(database.connection().await?),
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
            Err(error) if !again && is_broken(&error) && !is_timeout(&error) => again = true,
            result => return result,
        }
    }
}
