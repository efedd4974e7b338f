//! What handlers, pages and layers share.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use leptos_flash::PostgresSessionStore;

use crate::{
    config::Config,
    observe::RequestLog,
    web::{files::SiteFiles, limits::PostLimit},
};

/// One pointer: the layers copy it for every request.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

pub struct Shared {
    pub config: Config,
    pub site_files: SiteFiles,
    pub session_store: PostgresSessionStore,
    pub request_log: RequestLog,
    pub post_limit: PostLimit,
    tables_exist: AtomicBool,
}

impl AppState {
    pub fn new(config: Config, session_store: PostgresSessionStore) -> Self {
        Self(Arc::new(Shared {
            site_files: SiteFiles::of(&config.leptos),
            session_store,
            request_log: RequestLog::new(&config),
            post_limit: PostLimit::new(&config),
            tables_exist: AtomicBool::new(false),
            config,
        }))
    }
}

impl Shared {
    pub fn set_tables_exist(&self) {
        self.tables_exist.store(true, Ordering::Relaxed);
    }

    /// Returns whether messages and sessions can be stored.
    pub async fn is_ready(&self) -> bool {
        self.tables_exist.load(Ordering::Relaxed) && self.session_store.is_writable().await
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.config.leptos.clone()
    }
}
