//! The servers that some tests start beside the app.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};

use super::{Lane, Need, apt, postgres};
use crate::{command::find, steps::step};

/// Returns nginx, a proxy that buffers.
pub fn nginx() -> Result<PathBuf> {
    server("nginx", "nginx-light")
}

/// Returns PgBouncer, a pool of connections in front of PostgreSQL.
pub fn pgbouncer() -> Result<PathBuf> {
    server("pgbouncer", "pgbouncer")
}

pub const FAILOVER: Need = Need {
    name: "Patroni, etcd and HAProxy, for the failover tests",
    usual: "30 s",
    lane: Lane::Download,
    is_there: || failover().is_ok(),
    install: || {
        let mut packages = vec!["patroni", "etcd-server", "haproxy"];
        if postgres::with_replication().is_none() {
            packages.push("postgresql");
        }
        apt::install(&packages)
    },
};

/// The programs of a PostgreSQL that fails over.
pub struct Failover {
    pub patroni: PathBuf,
    pub etcd: PathBuf,
    pub haproxy: PathBuf,
    /// The folder of PostgreSQL's programs.
    pub postgres: PathBuf,
}

/// # Errors
/// One of them is not installed.
pub fn failover() -> Result<Failover> {
    let program = |name: &'static str| find(&[name]).with_context(|| format!("{name} is missing"));
    Ok(Failover {
        patroni: program("patroni")?,
        etcd: program("etcd")?,
        haproxy: program("haproxy")?,
        postgres: postgres::with_replication().context("pg_basebackup is missing")?,
    })
}

/// Returns the installed one, else the system's package.
fn server(name: &str, package: &str) -> Result<PathBuf> {
    // Tests that run side by side take turns.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _turn = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = find(&[name]) {
        return Ok(server);
    }
    step(&format!("{name}, for a test"), || {
        apt::install(&[package])?;
        let server = find(&[name]);
        server.with_context(|| format!("{package} was installed but brought no {name}"))
    })
}
