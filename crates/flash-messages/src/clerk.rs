//! The clerk: the one background task that deletes what was shown, all requests of 10 ms at once.

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

/// Tells the task what was shown.
#[derive(Clone, Debug)]
pub(crate) struct Clerk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn MessageStore>,
    /// The task begins with the first report.
    task: OnceLock<mpsc::UnboundedSender<Report>>,
}

#[derive(Debug)]
enum Report {
    Shown(Vec<Shown>),
    Acknowledged(Vec<Acknowledged>),
    Flush(oneshot::Sender<()>),
}

/// Longer batches leave dead rows for the next take: 100 ms cost 25 % more CPU in the benchmark.
const BATCH_TIME: Duration = Duration::from_millis(10);
const BATCH_SIZE: usize = 1000;

/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);

impl Clerk {
    pub fn new(store: Arc<dyn MessageStore>) -> Self {
        let task = OnceLock::new();
        Self(Arc::new(Shared { store, task }))
    }

    fn shown(&self, shown: Vec<Shown>) {
        if !shown.is_empty() {
            self.report(Report::Shown(shown));
        }
    }

    /// The browser has shown these, as it says with a call.
    pub fn acknowledged(&self, messages: Vec<Acknowledged>) {
        self.report(Report::Acknowledged(messages));
    }

    /// Starts the task, if it does not run yet, and tells it.
    fn report(&self, report: Report) {
        let task = self.0.task.get_or_init(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(delete_in_batches(self.0.store.clone(), receiver));
            sender
        });
        // The task ends with the runtime; the lease runs out then.
        _ = task.send(report);
    }

    /// Waits until all that was shown so far is deleted, or could not be.
    pub async fn flush(&self) {
        if let Some(task) = self.0.task.get() {
            let (done, flushed) = oneshot::channel();
            _ = task.send(Report::Flush(done));
            _ = flushed.await;
        }
    }
}

/// A page's messages on their way. Dropped before it is [`done`](Self::done), they wait again.
#[derive(Debug)]
pub(crate) struct HandOver {
    pub lease: Lease,
    /// Whether some of the messages may be asked back: others were on the page.
    pub undoable: bool,
    /// The browser runs our script, so that it will say which messages it has.
    pub acknowledges: bool,
    pub clerk: Clerk,
}

impl HandOver {
    /// The page was written to the network.
    pub fn done(self) {
        let shown = self.lease.delivered(self.undoable, self.acknowledges);
        self.clerk.shown(shown);
    }
}

/// What waits to be deleted.
#[derive(Default)]
struct Batch {
    shown: Vec<Shown>,
    acknowledged: Vec<Acknowledged>,
    flushing: Vec<oneshot::Sender<()>>,
}

/// Runs until every sender is gone. What can't be deleted is tried again, with what came meanwhile.
async fn delete_in_batches(
    store: Arc<dyn MessageStore>,
    mut reports: mpsc::UnboundedReceiver<Report>,
) {
    let mut batch = Batch::default();
    loop {
        if batch.shown.is_empty() && batch.acknowledged.is_empty() {
            let Some(first) = reports.recv().await else {
                return;
            };
            batch.add(first);
            tokio::time::sleep(BATCH_TIME).await;
        }
        while let Ok(report) = reports.try_recv() {
            batch.add(report);
        }
        if let Err(error) = batch.delete(&*store).await {
            tracing::warn!(
                %error,
                "{} shown flash messages are not deleted yet",
                batch.shown.len() + batch.acknowledged.len()
            );
            batch.flushed();
            if reports.is_closed() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
            // After a long outage the leases of the oldest have run out anyway.
            batch.forget_the_oldest();
        }
        if batch.shown.is_empty() && batch.acknowledged.is_empty() {
            batch.flushed();
        }
    }
}

impl Batch {
    fn add(&mut self, report: Report) {
        match report {
            Report::Shown(shown) => self.shown.extend(shown),
            Report::Acknowledged(messages) => self.acknowledged.extend(messages),
            Report::Flush(done) => self.flushing.push(done),
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

    fn flushed(&mut self) {
        for done in self.flushing.drain(..) {
            _ = done.send(());
        }
    }

    fn forget_the_oldest(&mut self) {
        let surplus = self.shown.len().saturating_sub(100 * BATCH_SIZE);
        self.shown.drain(..surplus);
        let surplus = self.acknowledged.len().saturating_sub(100 * BATCH_SIZE);
        self.acknowledged.drain(..surplus);
    }
}
