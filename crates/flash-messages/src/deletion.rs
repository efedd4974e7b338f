//! Deletes shown messages in one background task, those of 10 ms in one statement.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    error::FlashError,
    lease::{Lease, Shown},
    store::{Acknowledged, MessageStore},
};

/// The handle of the background task. Its clones share one task.
#[derive(Clone, Debug)]
pub(crate) struct Deleter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn MessageStore>,
    /// The first command starts the task.
    task: OnceLock<mpsc::UnboundedSender<Command>>,
}

#[derive(Debug)]
enum Command {
    DeleteShown(Vec<Shown>),
    DeleteAcknowledged(Vec<Acknowledged>),
    Flush(oneshot::Sender<()>),
}

/// Longer batches leave dead rows for the next take: 100 ms cost 25 % more CPU in the benchmark.
const BATCH_TIME: Duration = Duration::from_millis(10);

/// A statement deletes at most this many messages.
const BATCH_SIZE: usize = 1000;

/// After a failure the task keeps at most this many messages. The leases of older ones have run out.
const MAX_WAITING: usize = 100 * BATCH_SIZE;

/// The task waits this long after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

impl Deleter {
    /// Creates a handle. The task is not started yet.
    pub fn new(store: Arc<dyn MessageStore>) -> Self {
        let task = OnceLock::new();
        Self(Arc::new(Shared { store, task }))
    }

    fn delete_shown(&self, shown: Vec<Shown>) {
        if !shown.is_empty() {
            self.send(Command::DeleteShown(shown));
        }
    }

    /// Deletes messages soon that the browser has noted as shown.
    pub fn delete_acknowledged(&self, messages: Vec<Acknowledged>) {
        self.send(Command::DeleteAcknowledged(messages));
    }

    /// Sends a command to the task. It starts the task before the first one.
    fn send(&self, command: Command) {
        let task = self.0.task.get_or_init(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(delete_in_batches(self.0.store.clone(), receiver));
            sender
        });
        // If the runtime has ended, so has the task. Then the lease runs out.
        _ = task.send(command);
    }

    /// Waits until the task has tried to delete all messages that it knows.
    pub async fn flush(&self) {
        if let Some(task) = self.0.task.get() {
            let (done, flushed) = oneshot::channel();
            _ = task.send(Command::Flush(done));
            _ = flushed.await;
        }
    }
}

/// The delivery of a page with messages. If it is dropped before [`complete`](Self::complete), the
/// messages wait again.
#[derive(Debug)]
pub(crate) struct PageDelivery {
    pub lease: Lease,
    /// Whether a form without JavaScript may ask messages back: the page shows several.
    pub undoable: bool,
    /// Whether the browser will note the messages as shown: it runs our script.
    pub acknowledges: bool,
    pub deleter: Deleter,
}

impl PageDelivery {
    /// Completes the delivery: the page was written to the network.
    pub fn complete(self) {
        let shown = self.lease.into_shown(self.undoable, self.acknowledges);
        self.deleter.delete_shown(shown);
    }
}

/// The messages to delete, and the calls of `flush` that wait for that.
#[derive(Default)]
struct Batch {
    shown: Vec<Shown>,
    acknowledged: Vec<Acknowledged>,
    flushing: Vec<oneshot::Sender<()>>,
}

/// Runs until all handles are dropped. After a failure it tries again, together with new commands.
async fn delete_in_batches(
    store: Arc<dyn MessageStore>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut batch = Batch::default();
    loop {
        if batch.is_empty() {
            let Some(first) = commands.recv().await else {
                return;
            };
            batch.add(first);
            tokio::time::sleep(BATCH_TIME).await;
        }
        while let Ok(command) = commands.try_recv() {
            batch.add(command);
        }
        if let Err(error) = batch.delete(&*store).await {
            tracing::warn!(
                %error,
                "{} shown flash messages are not deleted yet",
                batch.shown.len() + batch.acknowledged.len()
            );
            batch.answer_flushes();
            if commands.is_closed() {
                return;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            batch.drop_oldest();
        }
        if batch.is_empty() {
            batch.answer_flushes();
        }
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.acknowledged.is_empty()
    }

    fn add(&mut self, command: Command) {
        match command {
            Command::DeleteShown(shown) => self.shown.extend(shown),
            Command::DeleteAcknowledged(messages) => self.acknowledged.extend(messages),
            Command::Flush(done) => self.flushing.push(done),
        }
    }

    async fn delete(&mut self, store: &dyn MessageStore) -> Result<(), FlashError> {
        let shown = self.shown.len().min(BATCH_SIZE);
        if shown > 0 {
            store.delete_shown(&self.shown[..shown]).await?;
            metrics::counter!("flash_shown_total").increment(shown as u64);
            self.shown.drain(..shown);
        }
        let acknowledged = self.acknowledged.len().min(BATCH_SIZE);
        if acknowledged > 0 {
            store
                .delete_acknowledged(&self.acknowledged[..acknowledged])
                .await?;
            metrics::counter!("flash_shown_total").increment(acknowledged as u64);
            self.acknowledged.drain(..acknowledged);
        }
        Ok(())
    }

    fn answer_flushes(&mut self) {
        for done in self.flushing.drain(..) {
            _ = done.send(());
        }
    }

    fn drop_oldest(&mut self) {
        let surplus = self.shown.len().saturating_sub(MAX_WAITING);
        self.shown.drain(..surplus);
        let surplus = self.acknowledged.len().saturating_sub(MAX_WAITING);
        self.acknowledged.drain(..surplus);
    }
}
