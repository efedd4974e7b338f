//! The database of a run: the one that DATABASE_URL names, else one of our own.

use std::{env, net::TcpStream, time::Duration};

use anyhow::{Context, Result, bail};
use url::Url;

use crate::{command::root, postgres::Postgres, steps::step};

pub struct Database {
    pub url: String,
    _server: Option<Postgres>,
}

/// Returns the database of `serve`: its data stays.
pub fn to_keep() -> Result<Database> {
    given().unwrap_or_else(|| own(".postgres", "kept in .postgres", ""))
}

/// Returns the database of `test`: its data goes with the run.
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

fn given() -> Option<Result<Database>> {
    let url = given_url()?;
    Some(answers(&url).map(|()| Database { url, _server: None }))
}

/// Returns DATABASE_URL from the environment, else from `.env`.
pub fn given_url() -> Option<String> {
    let name = "DATABASE_URL";
    let from_file = || {
        let mut file = dotenvy::from_path_iter(root().join(".env")).ok()?;
        file.find_map(|line| line.ok().filter(|(key, _)| key == name))
    };
    let url = env::var(name).ok().or_else(|| Some(from_file()?.1))?;
    (!url.trim().is_empty()).then_some(url)
}

/// Before a build of minutes: does a server listen there?
fn answers(text: &str) -> Result<()> {
    let url = Url::parse(text)
        .context("DATABASE_URL must look like postgres://user:password@host:5432/database")?;
    let is_socket = |host: &str| host.is_empty() || host.contains(['/', '%']);
    let Some(host) = url.host_str().filter(|host| !is_socket(host)) else {
        return Ok(()); // a socket in the file system: the app will say
    };
    let addresses = url.socket_addrs(|| Some(5432)).unwrap_or_default();
    let answers = |address| TcpStream::connect_timeout(address, Duration::from_secs(3)).is_ok();
    if !addresses.iter().any(answers) {
        bail!(
            "DATABASE_URL: nothing answers at {host}:{}. Start that server, or unset DATABASE_URL: \
             then one of our own is started",
            url.port().unwrap_or(5432)
        );
    }
    Ok(())
}
