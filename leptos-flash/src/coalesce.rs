//! Coalesced: what many requests ask PostgreSQL at the same time goes there in one statement.

use std::{
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::PgConnection;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::database::{Connection, Database, is_broken, is_timeout, with_timeout};

/// A statement that answers many questions at once.
pub(crate) trait Statement: Clone + Send + Sync + 'static {
    type Question: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// Returns the answers, in the order of the questions. `again`: an attempt with another connection
    /// may have done it already.
    fn run(
        &self,
        connection: &mut PgConnection,
        questions: &[Self::Question],
        again: bool,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Answer>>> + Send;
}

/// Runs a statement as soon as a request asks something. Questions that come while it is under way
/// wait, and go into the next one. So the more there is to do, the less each request costs. The
/// connection goes back, which is a round trip of its own in sqlx, when no question waits.
///
/// A slow statement doesn't hold up everybody: if it takes longer than [`PATIENCE`], a second one
/// starts, up to [`MAX_RUNNING`].
#[derive(Debug)]
pub(crate) struct Coalesced<S: Statement>(Arc<Mutex<Queue<S>>>);

const PATIENCE: Duration = Duration::from_millis(10);

const MAX_RUNNING: usize = 2;

const MAX_QUESTIONS: usize = 64;

#[derive(Debug)]
struct Queue<S: Statement> {
    waiting: Vec<Waiting<S>>,
    running: usize,
}

struct Waiting<S: Statement> {
    question: S::Question,
    reply: oneshot::Sender<Answer<S>>,
    span: Span,
}

type Answer<S> = Result<<S as Statement>::Answer, Arc<sqlx::Error>>;

impl<S: Statement> Coalesced<S> {
    /// Runs `statement` for this question, and for all that wait. The statement goes on when its
    /// request stops waiting.
    pub async fn ask(
        &self,
        statement: &S,
        database: &Database,
        question: S::Question,
    ) -> Answer<S> {
        let (reply, mut answer) = oneshot::channel();
        self.lock().waiting.push(Waiting {
            question,
            reply,
            span: Span::current(),
        });
        self.run_beside(0, statement, database);
        let answer = match tokio::time::timeout(PATIENCE, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.run_beside(MAX_RUNNING - 1, statement, database);
                // The statement has its own limit; the rest is for the queue before it.
                let late = |_| Arc::new(sqlx::Error::PoolTimedOut);
                tokio::time::timeout(Duration::from_secs(5), answer)
                    .await
                    .map_err(late)?
            }
        };
        answer.map_err(|_| Arc::new(sqlx::Error::WorkerCrashed))?
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

impl<S: Statement> Clone for Coalesced<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Statement> Default for Coalesced<S> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Queue {
            waiting: Vec::new(),
            running: 0,
        })))
    }
}

impl<S: Statement> std::fmt::Debug for Waiting<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

/// One of the tasks that answer.
struct Running<S: Statement> {
    queue: Coalesced<S>,
    ended: bool,
}

impl<S: Statement> Running<S> {
    /// Runs until no question waits.
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
            let (questions, replies): (Vec<_>, Vec<_>) = (waiting.into_iter())
                .map(|waiting| (waiting.question, waiting.reply))
                .unzip();
            let answers = answer(&statement, &database, &mut connection, &questions);
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

    /// Takes the next questions, without those whose request is gone. Returns None at the end.
    fn next(&mut self) -> Option<Vec<Waiting<S>>> {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|waiting| !waiting.reply.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            self.ended = true;
            return None;
        }
        let number = queue.waiting.len().min(MAX_QUESTIONS);
        Some(queue.waiting.drain(..number).collect())
    }
}

/// Its runtime ended, or it panicked.
impl<S: Statement> Drop for Running<S> {
    fn drop(&mut self) {
        if !self.ended {
            self.queue.lock().running -= 1;
        }
    }
}

/// Runs the statement on a connection that is kept for the next one. A connection that turns out to
/// be broken is replaced once.
async fn answer<S: Statement>(
    statement: &S,
    database: &Database,
    kept: &mut Option<Connection>,
    questions: &[S::Question],
) -> sqlx::Result<Vec<Answer<S>>> {
    let mut again = false;
    loop {
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(database.connection().await?),
        };
        let result = with_timeout(statement.run(connection, questions, again)).await;
        let result = match connection.check(result) {
            // Retry one by one: a single bad row fails the whole batch.
            Err(sqlx::Error::Database(_)) if questions.len() > 1 && !connection.is_closed() => {
                let mut answers = Vec::new();
                for question in questions {
                    let question = slice::from_ref(question);
                    let one = with_timeout(statement.run(connection, question, again)).await;
                    let one = connection
                        .check(one)
                        .map(|answers| answers.into_iter().next());
                    answers.extend(one.map_err(Arc::new).transpose());
                    if connection.is_closed() {
                        break;
                    }
                }
                let closed = || Err(Arc::new(sqlx::Error::WorkerCrashed));
                answers.resize_with(questions.len(), closed);
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
