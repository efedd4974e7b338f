//! `cargo xtask serve`: the app on this machine, built again at each change.

use std::{
    env, fs,
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    command::{Group, run, stopped},
    database,
    steps::step,
    tools::{self, cargo, root, tool},
};

pub fn serve() -> Result<()> {
    let address = env::var("LEPTOS_SITE_ADDR").unwrap_or_else(|_| "127.0.0.1:5500".to_owned());
    ensure!(
        TcpListener::bind(&address).is_ok(),
        "can't listen on {address}: another program has the port. Stop it, or choose another one: \
         LEPTOS_SITE_ADDR=127.0.0.1:5600 cargo xtask serve"
    );
    tools::for_watching()?;
    write_env_file()?;
    let database = database::to_keep()?;
    println!(
        "\n▸ race-bib on http://{}, after the build; Ctrl-C stops it",
        address.replace("127.0.0.1", "localhost")
    );
    let watch = run(cargo()
        .args(["leptos", "watch"])
        .env("DATABASE_URL", &database.url)
        .env("LEPTOS_SITE_ADDR", &address));
    match stopped() {
        true => Ok(()),
        false => watch,
    }
}

/// The database of `serve` alone, for `cargo leptos watch` by hand.
pub fn postgres() -> Result<()> {
    let database = database::to_keep()?;
    println!("\nDATABASE_URL={}", database.url);
    while !stopped() {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A fresh secret for this machine, when there is no `.env` yet.
fn write_env_file() -> Result<()> {
    let file = root().join(".env");
    if file.exists() {
        return Ok(());
    }
    step("a SESSION_SECRET in .env", || {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).context("no random numbers")?;
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let example = fs::read_to_string(root().join(".env.example"))?;
        let example = example.replace("SESSION_SECRET=\n", &format!("SESSION_SECRET={secret}\n"));
        Ok(fs::write(file, example)?)
    })
}

/// A built server on a free port, until it is dropped.
pub struct Server {
    pub url: String,
    _group: Group,
}

/// Starts a server that was built, and waits until it listens.
pub fn start(program: &str, database_url: &str) -> Result<Server> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut group = Group::spawn(
        tool(program)
            .env("DATABASE_URL", database_url)
            .env("SESSION_SECRET", "only-for-tests-".repeat(5))
            .env("LEPTOS_SITE_ADDR", address.to_string())
            // Warnings alone: between the lines of the tests nobody reads more.
            .env("RUST_LOG", "warn")
            .env_remove("PORT"),
    )?;
    for _ in 0..200 {
        ensure!(
            group.is_running()?,
            "{program} has ended; its own words are above"
        );
        if TcpStream::connect(address).is_ok() {
            return Ok(Server {
                url: format!("http://{address}"),
                _group: group,
            });
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{program} does not listen on {address} after 20 seconds")
}
