//! `cargo xtask test`: all checks, each step with its time.

use std::{process::Command, time::Instant};

use anyhow::{Result, ensure};

use crate::{
    command::{Group, run},
    database, serve, site,
    steps::seconds,
    tools::{self, cargo, root, tool},
};

type Step = (&'static str, fn() -> Result<()>);

const STEPS: [Step; 8] = [
    ("format", format),
    ("lint", lint),
    ("depend", depend),
    ("unit", unit),
    ("build", build),
    ("browser", browser),
    ("firefox", firefox),
    ("lighthouse", lighthouse),
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
    times.push(format!("✓ tools      {}", seconds(start)));
    for (name, check) in STEPS {
        if names.is_empty() || names.contains(&name) {
            println!("\n▸ {name}");
            let start = Instant::now();
            let done = check();
            let mark = if done.is_ok() { '✓' } else { '✗' };
            times.push(format!("{mark} {name:10} {}", seconds(start)));
            if done.is_err() {
                println!("\n{}", times.join("\n"));
                return done;
            }
        }
    }
    println!("\n{}\n  all        {}", times.join("\n"), seconds(start));
    Ok(())
}

const SERVER: [&str; 2] = [
    "--features",
    "race-bib/ssr,leptos-flash/ssr,flash-messages/server,hydrated/ssr",
];

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
            "front",
            "--package",
            "race-bib",
            "--package",
            "leptos-flash",
            "--package",
            "hydrated",
            "--lib",
            "--locked",
        ])
        .args([
            "--features",
            "front/hydrate,race-bib/hydrate,leptos-flash/hydrate,hydrated/hydrate",
        ])
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
            "--package",
            "flash-messages",
            "--package",
            "pg-sessions",
            "--no-deps",
            "--features",
            "leptos-flash/ssr,flash-messages/server",
        ])
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

/// What we depend on: licences, sources, known holes; and that we use all of it.
fn depend() -> Result<()> {
    tools::for_dependencies()?;
    run(tool("cargo-machete").arg("."))?;
    let deny = |arguments: &[&str]| run(cargo().arg("deny").args(arguments));
    deny(&["check", "bans", "licenses", "sources"])?;
    if deny(&["fetch", "db"]).is_err() {
        println!("the database of advisories can't be fetched: known holes are not looked for");
        return Ok(());
    }
    deny(&["check", "--disable-fetch", "advisories"])
}

/// Unit, HTTP and documentation tests on a real PostgreSQL.
fn unit() -> Result<()> {
    let database = database::to_throw_away()?;
    run(cargo()
        .args(["test", "--workspace", "--locked"])
        .args(SERVER)
        .env("DATABASE_URL", &database.url))
}

fn build() -> Result<()> {
    site::build_release()?;
    site::build_hydrated()
}

/// Playwright in Chromium against the release build, and against the fully hydrated example.
fn browser() -> Result<()> {
    let chromium = tools::chromium()?;
    let database = database::to_throw_away()?;
    let (app, hydrated) = (
        serve::start("target/release/race-bib", &database.url)?,
        serve::start("target/debug/hydrated", &database.url)?,
    );
    let mut playwright: Command = tool("npx");
    playwright
        .args(["playwright", "test"])
        .current_dir(root().join("end2end"))
        .env("BASE_URL", &app.url)
        .env("HYDRATED_URL", &hydrated.url);
    if let Some(path) = chromium {
        playwright.env("CHROMIUM", path);
    }
    run(&mut playwright)
}

/// The core of the browser tests in Firefox, by WebDriver BiDi, against the release build.
fn firefox() -> Result<()> {
    let firefox = tools::firefox()?;
    let database = database::to_throw_away()?;
    let app = serve::start("target/release/race-bib", &database.url)?;
    run(tool("node")
        .args(["--test", "--test-reporter=spec", "--test-timeout=60000"])
        .arg("firefox.mjs")
        .current_dir(root().join("end2end"))
        .env("BASE_URL", &app.url)
        .env("FIREFOX", firefox))
}

/// bench/, in a release build of its own.
pub fn bench() -> Result<()> {
    tools::for_release()?;
    run(cargo().args(["run", "--release", "--locked", "--package", "bench"]))
}

/// Each target of `fuzz/`, side by side, for 10 minutes.
pub fn fuzz() -> Result<()> {
    tools::for_fuzzing()?;
    let fuzz = |command: &[&str]| {
        let mut cargo = cargo();
        // Our code is free of `unsafe`: an address sanitizer would only be slow.
        cargo
            .args(["+nightly", "fuzz", command[0], "--sanitizer=none"])
            .args(&command[1..]);
        cargo
    };
    run(&mut fuzz(&["build"]))?;
    let start = |target| {
        let seconds = [
            "--",
            "-max_total_time=600",
            "-print_final_stats=1",
            "-verbosity=0",
        ];
        Group::spawn(&mut fuzz(&[&["run", target][..], &seconds].concat()))
    };
    let mut running = [start("headers")?, start("form")?];
    for target in &mut running {
        target.succeeded()?;
    }
    Ok(())
}

/// Lighthouse's marks for each page of the release build.
fn lighthouse() -> Result<()> {
    let chromium = tools::chromium()?;
    let database = database::to_throw_away()?;
    let app = serve::start("target/release/race-bib", &database.url)?;
    let mut node: Command = tool("node");
    node.arg("lighthouse.mjs")
        .current_dir(root().join("end2end"))
        .env("BASE_URL", &app.url);
    if let Some(path) = chromium {
        node.env("CHROMIUM", path);
    }
    run(&mut node)
}
