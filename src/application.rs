//! race-bib, put together once: for the server, the tests and the fuzzer.

use std::time::Duration;

use axum::Router;
use leptos_flash::{FlashError, FlashLayer, FlashStore, PostgresSessionStore};
use sqlx::PgPool;

use crate::{
    config::Config, pages::messages::MAX_MESSAGE, router::router, state::AppState,
    web::session::flash_layer,
};

/// The maximum number of messages that wait in a session: somebody may try that many pushes before they
/// look. A page without JavaScript shows as many.
const MAX_MESSAGES: u32 = 500;

/// Everything that a config and a database make.
pub struct Application {
    pub router: Router,
    pub flash: FlashLayer,
    pub state: AppState,
    messages: FlashStore,
}

impl Application {
    pub fn build(config: Config, pool: PgPool) -> Self {
        Self::build_with(config, pool, Router::new())
    }

    /// Builds the app with further routes, for tests.
    pub fn build_with(config: Config, pool: PgPool, more: Router<AppState>) -> Self {
        let sessions = PostgresSessionStore::new(pool)
            .with_layout(config.layout)
            .with_idle_expiry(config.idle);
        let messages = FlashStore::new(sessions.clone())
            .with_max_waiting(MAX_MESSAGES)
            .with_max_bytes(MAX_MESSAGE)
            // A request must not outlive the lease of its messages.
            .with_lease(config.request_timeout + Duration::from_secs(5));
        let flash = flash_layer(&config, messages.clone());
        let state = AppState::new(config, sessions);
        Self {
            router: router(state.clone(), flash.clone(), more),
            flash,
            state,
            messages,
        }
    }

    /// Creates the tables. After that the app is ready.
    ///
    /// # Errors
    /// The database can't be reached, or the app may not create what is missing.
    pub async fn migrate(&self) -> Result<(), FlashError> {
        self.messages.migrate().await?;
        self.state.set_tables_exist();
        Ok(())
    }
}
