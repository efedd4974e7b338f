//! `cargo xtask serve`: the app on this machine, built again at each change.

use std::{env, fs, net::TcpListener, thread, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{
    command::{Group, run, stopped},
    database,
    steps::step,
    tools::{self, cargo, root},
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

/// The release build on a port of its own, until it is dropped.
pub fn release(database_url: &str, port: u16) -> Result<Group> {
    let server = Group::spawn(
        tools::tool("target/release/race-bib")
            .env("DATABASE_URL", database_url)
            .env("SESSION_SECRET", "only-for-tests-".repeat(5))
            .env("LEPTOS_SITE_ADDR", format!("127.0.0.1:{port}"))
            .env_remove("PORT"),
    )?;
    Ok(server)
}
