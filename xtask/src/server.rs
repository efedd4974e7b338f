//! A built server on a free port.

use std::{
    fmt::Display,
    net::{TcpListener, TcpStream, ToSocketAddrs},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Result, bail, ensure};

use crate::command::{Group, root};

/// Dropped, the server stops.
pub struct Server {
    pub url: String,
    _group: Group,
}

impl Server {
    /// Starts a program of the workspace, and waits until it listens.
    pub fn start(program: &str, database_url: &str) -> Result<Self> {
        ensure!(
            root().join(program).exists(),
            "{program} is missing: `cargo xtask test build` builds it"
        );
        Self::start_with(&root().join(program), database_url, |command| command)
    }

    /// Starts a program, with further settings.
    pub fn start_with(
        program: &Path,
        database_url: &str,
        settings: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(program);
        command
            .current_dir(root())
            .env("DATABASE_URL", database_url)
            .env("SESSION_SECRET", "only-for-tests-".repeat(5))
            .env("LEPTOS_SITE_ADDR", address.to_string())
            // Warnings alone: more would hide the lines of the tests.
            .env("RUST_LOG", "warn")
            .env_remove("PORT");
        let mut group = Group::spawn(settings(&mut command))?;
        until_it_listens(&mut group, &program.display().to_string(), address)?;
        Ok(Self {
            url: format!("http://{address}"),
            _group: group,
        })
    }
}

/// Waits until a program listens on an address.
///
/// # Errors
/// It has ended, or does not listen after 20 seconds.
pub fn until_it_listens(
    group: &mut Group,
    program: &str,
    address: impl ToSocketAddrs + Display,
) -> Result<()> {
    for _ in 0..200 {
        ensure!(
            group.is_running()?,
            "{program} has ended; its own words are above"
        );
        if TcpStream::connect(&address).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{program} does not listen on {address} after 20 seconds")
}
