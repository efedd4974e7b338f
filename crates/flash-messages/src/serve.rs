//! Serves an app, and meanwhile deletes messages and sessions.

use std::{
    future::{Future, IntoFuture},
    io,
};

use axum::Router;
use futures::FutureExt;
use tokio::net::TcpListener;

use crate::{
    layer::{FlashLayer, Shared},
    listener::{DRAIN_TIME, FlashListener, with_connection},
    purge::purge_every,
};

impl FlashLayer {
    /// Serves `app` until `stop` completes and all open requests have finished: those of all clients that
    /// have connected by then. Meanwhile it deletes
    /// expired messages and sessions. At the end it deletes the messages that were shown last.
    ///
    /// Its connections report when a page was written to the network, see [`FlashListener`].
    ///
    /// # Errors
    /// Those of `axum::serve`.
    pub async fn serve(
        &self,
        listener: TcpListener,
        app: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let stop = stop.shared();
        let listener = FlashListener::new(listener).until(stop.clone());
        let server = axum::serve(listener, with_connection(app));
        let server = server.with_graceful_shutdown(async {
            stop.await;
            tokio::time::sleep(DRAIN_TIME).await;
        });
        self.run(server.into_future()).await
    }

    /// Runs your own server, and returns its output. Meanwhile it deletes expired messages and
    /// sessions. At the end it deletes the messages that were shown last.
    ///
    /// ```no_run
    /// # async fn example(flash: flash_messages::FlashLayer, app: axum::Router) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// flash.run(axum::serve(listener, app).into_future()).await
    /// # }
    /// ```
    pub async fn run<T>(&self, server: impl Future<Output = T>) -> T {
        let Shared {
            store,
            purge_period,
            ..
        } = &*self.0;
        let ended = tokio::select! {
            ended = server => ended,
            never = purge_every(*purge_period, &**store) => match never {},
        };
        self.flush().await;
        ended
    }

    /// Waits until it has tried to delete all messages that pages have shown. [`serve`](Self::serve) and
    /// [`run`](Self::run) call it at their end. A program without them should call it before it exits.
    /// Otherwise the messages of the last 10 ms are shown again when their lease runs out.
    pub async fn flush(&self) {
        self.0.deleter.flush().await;
    }
}
