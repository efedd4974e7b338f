//! The database of a run: the one of DATABASE_URL, else one of our own.

use std::{
    env, fs,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{postgres::Postgres, steps::step, tools::root};

pub struct Database {
    pub url: String,
    _server: Option<Postgres>,
}

/// The database of `serve`: its data stays.
pub fn to_keep() -> Result<Database> {
    given().unwrap_or_else(|| own(".postgres", "kept in .postgres", ""))
}

/// The database of `test`: its data goes with the run.
pub fn to_throw_away() -> Result<Database> {
    given().unwrap_or_else(|| {
        // The tests count statements; nothing must outlive a crash of the machine.
        let settings = "-c shared_preload_libraries=pg_stat_statements -c fsync=off";
        own("target/test-postgres", "for this run", settings)
    })
}

fn own(folder: &str, what: &str, settings: &str) -> Result<Database> {
    step(&format!("PostgreSQL, {what}"), || {
        let server = Postgres::start(&root().join(folder), settings)?;
        Ok(Database {
            url: server.url.clone(),
            _server: Some(server),
        })
    })
}

/// From the environment or `.env`.
fn given() -> Option<Result<Database>> {
    let url = env::var("DATABASE_URL")
        .ok()
        .or_else(|| from_env_file("DATABASE_URL"))?;
    if url.trim().is_empty() {
        return None;
    }
    Some(answers(&url).map(|()| Database { url, _server: None }))
}

fn from_env_file(name: &str) -> Option<String> {
    let file = fs::read_to_string(root().join(".env")).ok()?;
    let value = file
        .lines()
        .find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix('='))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// Before a build of minutes: is there anybody?
fn answers(url: &str) -> Result<()> {
    let cure = "Start that server, or unset DATABASE_URL: then one of our own is started";
    let authority = url
        .split_once("://")
        .map(|(_, rest)| rest)
        .and_then(|rest| rest.split(['/', '?']).next());
    let authority = authority
        .context("DATABASE_URL must look like postgres://user:password@host:5432/database")?;
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() {
        return Ok(()); // a socket in the file system: the app will say
    }
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:5432")
    };
    let reached = (address.to_socket_addrs().ok().into_iter().flatten())
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(3)).is_ok());
    match reached {
        true => Ok(()),
        false => anyhow::bail!("DATABASE_URL: nothing answers at {address}. {cure}"),
    }
}
