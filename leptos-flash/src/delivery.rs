//! Handed over: a body that knows when its last byte was flushed, and the batches that delete what
//! it showed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Response, header};
use http_body::Frame;
use tokio::sync::{mpsc, oneshot};

use crate::{FlashKey, FlashStore, store::Lease};

/// Deletes what was shown, all requests of 10 ms in one statement.
#[derive(Clone, Debug)]
pub(crate) struct Deliveries(mpsc::UnboundedSender<Delivery>);

#[derive(Debug)]
enum Delivery {
    Shown(Vec<(FlashKey, i64)>),
    Flush(oneshot::Sender<()>),
}

/// Until they are deleted, each page of their session looks at them: 100 ms cost PostgreSQL a quarter more
/// when 16 visitors did what they could.
const BATCH_TIME: Duration = Duration::from_millis(10);
const BATCH_SIZE: usize = 1000;

/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);

impl Deliveries {
    pub fn start(store: FlashStore) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(delete_in_batches(store, receiver));
        Self(sender)
    }

    pub fn shown(&self, lease: Lease) {
        // The receiver ends with the runtime; the lease runs out then.
        _ = self.0.send(Delivery::Shown(lease.delivered()));
    }

    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        _ = self.0.send(Delivery::Flush(done));
        _ = flushed.await;
    }
}

/// Runs until every sender is gone. What can't be deleted is tried again, with what came meanwhile.
async fn delete_in_batches(store: FlashStore, mut deliveries: mpsc::UnboundedReceiver<Delivery>) {
    let mut shown = Vec::new();
    let mut flushing = Vec::new();
    loop {
        if shown.is_empty() {
            let Some(first) = deliveries.recv().await else {
                return;
            };
            sort(first, &mut shown, &mut flushing);
            tokio::time::sleep(BATCH_TIME).await;
        }
        while let Ok(delivery) = deliveries.try_recv() {
            sort(delivery, &mut shown, &mut flushing);
        }
        let batch = shown.len().min(BATCH_SIZE);
        let deleted = match batch {
            0 => Ok(()),
            _ => store.delete(&shown[..batch]).await,
        };
        if deleted.is_ok() {
            metrics::counter!("flash_shown_total").increment(batch as u64);
            shown.drain(..batch);
        }
        if shown.is_empty() || deleted.is_err() {
            for done in flushing.drain(..) {
                _ = done.send(());
            }
        }
        if let Err(error) = deleted {
            tracing::warn!(%error, "{} shown flash messages are not deleted yet", shown.len());
            if deliveries.is_closed() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
            // After a long outage the leases of the oldest have run out anyway.
            let surplus = shown.len().saturating_sub(100 * BATCH_SIZE);
            shown.drain(..surplus);
        }
    }
}

fn sort(
    delivery: Delivery,
    shown: &mut Vec<(FlashKey, i64)>,
    flushing: &mut Vec<oneshot::Sender<()>>,
) {
    match delivery {
        Delivery::Shown(ids) => shown.extend(ids),
        Delivery::Flush(done) => flushing.push(done),
    }
}

pin_project_lite::pin_project! {
    /// A body whose messages count as shown when it was handed to the network to its end.
    ///
    /// hyper flushes when a body is not ready, and drops it when that fails: so the body waits for
    /// one poll before its end. Whoever polls it then has written all the rest.
    pub(crate) struct DeliveredBody {
        #[pin]
        inner: Body,
        at_end: bool,
        lease: Option<Lease>,
        deliveries: Deliveries,
    }
}

impl DeliveredBody {
    pub fn wrap(response: Response<Body>, lease: Lease, deliveries: Deliveries) -> Response<Body> {
        let mut response = response.map(|inner| {
            Body::new(Self {
                inner,
                at_end: false,
                lease: Some(lease),
                deliveries,
            })
        });
        // With a known length hyper drops the body before its end is polled.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response
    }
}

impl http_body::Body for DeliveredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        if !*this.at_end {
            if let Some(frame) = ready!(this.inner.poll_frame(cx)) {
                return Poll::Ready(Some(frame));
            }
            *this.at_end = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(lease) = this.lease.take() {
            this.deliveries.shown(lease);
        }
        Poll::Ready(None)
    }
}
