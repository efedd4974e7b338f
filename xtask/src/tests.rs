//! `cargo xtask test`: all checks, each step with its time.

use std::{net::TcpListener, process::Command, time::Instant};

use anyhow::{Result, bail, ensure};

use crate::{
    command::run,
    database, serve, site,
    steps::seconds,
    tools::{self, cargo, root, tool},
};

type Step = (&'static str, fn() -> Result<()>);

const STEPS: [Step; 5] = [
    ("format", format),
    ("lint", lint),
    ("unit", unit),
    ("build", site::build_release),
    ("browser", browser),
];

/// Runs the steps of these names, all when there is none, and ends with a line for each.
pub fn test(names: &[&str]) -> Result<()> {
    for name in names {
        let known = STEPS.map(|(name, _)| name);
        ensure!(
            known.contains(name),
            "{name} is no step; there are {}",
            known.join(", ")
        );
    }
    let mut times = Vec::new();
    let start = Instant::now();
    tools::for_release()?;
    times.push(format!("✓ tools    {}", seconds(start)));
    for (name, check) in STEPS {
        if names.is_empty() || names.contains(&name) {
            println!("\n▸ {name}");
            let start = Instant::now();
            let done = check();
            let mark = if done.is_ok() { '✓' } else { '✗' };
            times.push(format!("{mark} {name:8} {}", seconds(start)));
            if done.is_err() {
                println!("\n{}", times.join("\n"));
                return done;
            }
        }
    }
    println!("\n{}\n  all      {}", times.join("\n"), seconds(start));
    Ok(())
}

const SERVER: [&str; 2] = ["--features", "race-bib/ssr,leptos-flash/ssr"];

fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))
}

fn lint() -> Result<()> {
    let warnings = ["--", "--deny", "warnings"];
    run(cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked"])
        .args(SERVER)
        .args(warnings))?;
    run(cargo()
        .args([
            "clippy",
            "--package",
            "race-bib",
            "--package",
            "leptos-flash",
            "--lib",
            "--locked",
        ])
        .args(["--features", "race-bib/hydrate,leptos-flash/hydrate"])
        .args([
            "--target",
            "wasm32-unknown-unknown",
            "--target-dir",
            "target/front",
        ])
        .args(warnings))?;
    run(cargo()
        .args([
            "doc",
            "--package",
            "leptos-flash",
            "--no-deps",
            "--features",
            "ssr",
        ])
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Unit, HTTP and documentation tests on a real PostgreSQL.
fn unit() -> Result<()> {
    let database = database::to_throw_away()?;
    run(cargo()
        .args(["test", "--workspace", "--locked"])
        .args(SERVER)
        .env("DATABASE_URL", &database.url))
}

/// Playwright in Chromium against the release build.
fn browser() -> Result<()> {
    let chromium = tools::chromium()?;
    let database = database::to_throw_away()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut server = serve::release(&database.url, port)?;
    let url = format!("http://127.0.0.1:{port}");
    wait_until_ready(&url, || server.is_running())?;
    let mut playwright: Command = tool("npx");
    playwright
        .args(["playwright", "test"])
        .current_dir(root().join("end2end"))
        .env("BASE_URL", &url);
    if let Some(path) = chromium {
        playwright.env("CHROMIUM", path);
    }
    run(&mut playwright)
}

fn wait_until_ready(url: &str, mut is_running: impl FnMut() -> Result<bool>) -> Result<()> {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        thread::sleep,
        time::Duration,
    };
    let address = url.trim_start_matches("http://");
    for _ in 0..200 {
        if !is_running()? {
            bail!("the server has ended; its own words are above");
        }
        if let Ok(mut stream) = TcpStream::connect(address) {
            stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            if answer.contains(" 200 ") {
                return Ok(());
            }
        }
        sleep(Duration::from_millis(100));
    }
    bail!("{url}/readyz does not answer 200")
}
