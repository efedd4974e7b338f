//! A PostgreSQL server of one test, which may stop, kill or pause it.

use std::ops::{Deref, DerefMut};

use tempfile::{TempDir, tempdir};
use xtask::postgres::Postgres;

use crate::Result;

/// A server. It is stopped and its data deleted when it is dropped.
pub struct TestPostgres {
    // Dropped in this order: it stops before its data goes.
    server: Postgres,
    _folder: TempDir,
}

/// Starts a server with further settings, such as `-c max_connections=3`.
pub fn postgres(settings: &str) -> Result<TestPostgres> {
    let folder = tempdir()?;
    let server = Postgres::start(folder.path(), &format!("-c fsync=off {settings}"))?;
    Ok(TestPostgres {
        server,
        _folder: folder,
    })
}

impl TestPostgres {
    /// Starts a standby that streams from this server.
    pub fn standby(&self) -> Result<Self> {
        let folder = tempdir()?;
        let server = self.server.start_standby(folder.path(), "-c fsync=off")?;
        Ok(Self {
            server,
            _folder: folder,
        })
    }
}

impl Deref for TestPostgres {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        &self.server
    }
}

impl DerefMut for TestPostgres {
    fn deref_mut(&mut self) -> &mut Postgres {
        &mut self.server
    }
}
