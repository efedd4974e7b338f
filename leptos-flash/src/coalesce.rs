//! Coalesced: what many requests ask PostgreSQL at the same time goes there in one statement.

use std::{
    fmt, slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::store::in_time;

/// A statement that answers many questions at once.
pub(crate) trait Statement: Clone + Send + Sync + 'static {
    type Question: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// The answers, in the order of the questions.
    fn run(
        &self,
        connection: &mut PgConnection,
        questions: &[Self::Question],
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Answer>>> + Send;
}

/// Runs a statement as soon as it is asked something. What is asked while it is under way waits, and
/// goes into the next. So the more there is to do, the less each request costs; the connection is given
/// back, which is a round trip of its own in sqlx, only when nobody asks.
///
/// A slow statement doesn't hold up everybody: who has waited for [`PATIENCE`] starts another one, up to
/// [`MOST_RUNNING`].
#[derive(Clone)]
pub(crate) struct Coalesced<S: Statement> {
    statement: S,
    pool: PgPool,
    queue: Arc<Mutex<Queue<S>>>,
}

const PATIENCE: Duration = Duration::from_millis(10);

const MOST_RUNNING: usize = 2;

/// The most questions in a statement.
const MOST_QUESTIONS: usize = 64;

struct Queue<S: Statement> {
    waiting: Vec<Waiting<S>>,
    running: usize,
}

struct Waiting<S: Statement> {
    question: S::Question,
    asker: oneshot::Sender<Answer<S>>,
    span: Span,
}

type Answer<S> = Result<<S as Statement>::Answer, Arc<sqlx::Error>>;

impl<S: Statement> Coalesced<S> {
    pub fn new(statement: S, pool: PgPool) -> Self {
        let queue = Queue {
            waiting: Vec::new(),
            running: 0,
        };
        Self {
            statement,
            pool,
            queue: Arc::new(Mutex::new(queue)),
        }
    }

    /// Whoever stops waiting drops the answer; the statement runs all the same.
    pub async fn ask(&self, question: S::Question) -> Answer<S> {
        let (asker, mut answer) = oneshot::channel();
        lock(&self.queue).waiting.push(Waiting {
            question,
            asker,
            span: Span::current(),
        });
        self.run_beside(0);
        let answer = async {
            let answer = match tokio::time::timeout(PATIENCE, &mut answer).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.run_beside(MOST_RUNNING - 1);
                    answer.await
                }
            };
            answer.map_err(|_| sqlx::Error::WorkerCrashed)
        };
        in_time(answer).await.map_err(Arc::new)?
    }

    /// Starts to answer those who wait, when no more than `others` are at it.
    fn run_beside(&self, others: usize) {
        let mut queue = lock(&self.queue);
        if queue.running <= others && !queue.waiting.is_empty() {
            queue.running += 1;
            // In a task of its own, which a dropped request doesn't stop: a statement that is under
            // way isn't stopped by dropping its future either.
            tokio::spawn(self.clone().answer_all());
        }
    }

    /// Runs until nobody waits.
    async fn answer_all(self) {
        let mut running = Running {
            queue: self.queue.clone(),
            ended: false,
        };
        let mut connection = None;
        loop {
            // Requests that have come already are read first, and ask too.
            tokio::task::yield_now().await;
            let Some(waiting) = running.next() else {
                break;
            };
            // The first who asked has it in its log line.
            let span = waiting
                .first()
                .map_or_else(Span::none, |first| first.span.clone());
            let (questions, askers): (Vec<_>, Vec<_>) = (waiting.into_iter())
                .map(|waiting| (waiting.question, waiting.asker))
                .unzip();
            let answers = self.run(&mut connection, &questions).instrument(span);
            match answers.await {
                Ok(answers) => {
                    for (asker, answer) in askers.into_iter().zip(answers) {
                        _ = asker.send(answer);
                    }
                }
                Err(error) => {
                    connection = None;
                    let error = Arc::new(error);
                    for asker in askers {
                        _ = asker.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    async fn run(
        &self,
        connection: &mut Option<PoolConnection<Postgres>>,
        questions: &[S::Question],
    ) -> sqlx::Result<Vec<Answer<S>>> {
        in_time(async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(self.pool.acquire().await?),
            };
            match self.statement.run(connection, questions).await {
                Ok(answers) => Ok(answers.into_iter().map(Ok).collect()),
                // It may be the fault of one.
                Err(sqlx::Error::Database(_)) if questions.len() > 1 => {
                    let mut answers = Vec::new();
                    for question in questions {
                        let one = self.statement.run(connection, slice::from_ref(question));
                        answers.extend(match one.await {
                            Ok(answers) => answers.into_iter().map(Ok).next(),
                            Err(error) => Some(Err(Arc::new(error))),
                        });
                    }
                    Ok(answers)
                }
                Err(error) => Err(error),
            }
        })
        .await
    }
}

impl<S: Statement> fmt::Debug for Coalesced<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesced").finish_non_exhaustive()
    }
}

/// One of those that run.
struct Running<S: Statement> {
    queue: Arc<Mutex<Queue<S>>>,
    ended: bool,
}

impl<S: Statement> Running<S> {
    /// The next who wait, without those that gave up. None ends it.
    fn next(&mut self) -> Option<Vec<Waiting<S>>> {
        let mut queue = lock(&self.queue);
        queue.waiting.retain(|waiting| !waiting.asker.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            self.ended = true;
            return None;
        }
        let number = queue.waiting.len().min(MOST_QUESTIONS);
        Some(queue.waiting.drain(..number).collect())
    }
}

/// Its runtime ended, or it panicked.
impl<S: Statement> Drop for Running<S> {
    fn drop(&mut self) {
        if !self.ended {
            lock(&self.queue).running -= 1;
        }
    }
}

fn lock<S: Statement>(queue: &Mutex<Queue<S>>) -> MutexGuard<'_, Queue<S>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
