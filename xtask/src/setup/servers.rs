//! The servers that some tests start beside the app.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};

use super::apt;
use crate::{command::find, steps::step};

/// Returns nginx, a proxy that buffers.
pub fn nginx() -> Result<String> {
    server("nginx", "nginx-light")
}

/// Returns PgBouncer, a pool of connections in front of PostgreSQL.
pub fn pgbouncer() -> Result<String> {
    server("pgbouncer", "pgbouncer")
}

/// Returns the installed one, else the system's package.
fn server(name: &str, package: &str) -> Result<String> {
    // Tests that run side by side take turns.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _turn = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    if let Some(server) = find(&[name]) {
        return Ok(path(server));
    }
    step(&format!("{name}, for a test"), || {
        apt::install(&[package])?;
        let server = find(&[name]);
        server
            .map(path)
            .with_context(|| format!("{package} was installed but brought no {name}"))
    })
}
