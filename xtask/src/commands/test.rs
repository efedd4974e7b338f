//! `cargo xtask test`: all checks, each with its time.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Cmd, cmd};

use super::{build, template};
use crate::{
    command::{root, run, shell},
    database,
    server::Server,
    setup::{
        self, CARGO_DENY, CARGO_LEPTOS, CARGO_MACHETE, CHROMIUM, FAILOVER, FIREFOX, NPM_PACKAGES,
        Need, POSTGRES, WASM_BINDGEN, WASM_TARGET, browsers, wasm_target::TARGET,
    },
    steps::elapsed,
};

struct Step {
    name: &'static str,
    needs: &'static [Need],
    /// Whether a machine that can't have what it needs passes without it.
    is_optional: bool,
    check: fn() -> Result<()>,
}

const STEPS: [Step; 10] = [
    Step {
        name: "format",
        needs: &[],
        is_optional: false,
        check: format,
    },
    Step {
        name: "lint",
        needs: &[WASM_TARGET],
        is_optional: false,
        check: lint,
    },
    Step {
        name: "depend",
        needs: &[CARGO_MACHETE, CARGO_DENY],
        is_optional: false,
        check: depend,
    },
    Step {
        name: "unit",
        needs: &[POSTGRES],
        is_optional: false,
        check: unit,
    },
    Step {
        name: "failover",
        needs: &[POSTGRES, FAILOVER],
        is_optional: true,
        check: failover,
    },
    Step {
        name: "template",
        needs: &[
            POSTGRES,
            WASM_TARGET,
            CARGO_LEPTOS,
            WASM_BINDGEN,
            NPM_PACKAGES,
            CHROMIUM,
        ],
        is_optional: false,
        check: template,
    },
    Step {
        name: "build",
        needs: &[WASM_TARGET, CARGO_LEPTOS, WASM_BINDGEN, NPM_PACKAGES],
        is_optional: false,
        check: build,
    },
    Step {
        name: "browser",
        needs: &[POSTGRES, NPM_PACKAGES, CHROMIUM],
        is_optional: false,
        check: browser,
    },
    Step {
        name: "firefox",
        needs: &[POSTGRES, NPM_PACKAGES, FIREFOX],
        is_optional: false,
        check: firefox,
    },
    Step {
        name: "lighthouse",
        needs: &[POSTGRES, NPM_PACKAGES, CHROMIUM],
        is_optional: false,
        check: lighthouse,
    },
];

/// Runs the steps of these names, all when there are none, and ends with a line for each. A failed
/// check ends the run; a step whose needs can't be installed is left out. The run fails then, unless the
/// step is optional.
pub fn test(names: &[String]) -> Result<()> {
    for name in names {
        let known = STEPS.map(|step| step.name);
        ensure!(
            known.contains(&name.as_str()),
            "{name} is no step; there are {}",
            known.join(" ")
        );
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let steps: Vec<Step> = (STEPS.into_iter().filter(|step| is_wanted(step.name))).collect();
    let start = Instant::now();
    let mut report = Vec::new();
    let result = run_steps(&steps, &mut report);
    println!("\n{}\n  all        {}", report.join("\n"), elapsed(start));
    result
}

fn run_steps(steps: &[Step], report: &mut Vec<String>) -> Result<()> {
    let start = Instant::now();
    let needs: Vec<Need> = steps.iter().flat_map(|step| step.needs).copied().collect();
    let has_unit = steps.iter().any(|step| step.name == "unit");
    let failures = setup::try_to_install(&needs, || {
        if has_unit {
            run(unit_tests(&shell()?).arg("--no-run"))
        } else {
            Ok(())
        }
    });
    report.push(format!("✓ setup      {}", elapsed(start)));
    let mut left_out = Vec::new();
    for step in steps {
        let is_needed = |name| step.needs.iter().any(|need| need.name == name);
        if let Some(failure) = failures.iter().find(|failure| is_needed(failure.name)) {
            let mark = if step.is_optional { '-' } else { '✗' };
            report.push(format!(
                "{mark} {:10} left out: {:#}",
                step.name, failure.reason
            ));
            if !step.is_optional {
                left_out.push(step.name);
            }
            continue;
        }
        println!("\n▸ {}", step.name);
        let start = Instant::now();
        let done = (step.check)();
        let mark = if done.is_ok() { '✓' } else { '✗' };
        report.push(format!("{mark} {:10} {}", step.name, elapsed(start)));
        done.with_context(|| format!("✗ {}", step.name))?;
    }
    if !left_out.is_empty() {
        bail!(
            "these steps need what could not be installed: {}",
            left_out.join(" ")
        );
    }
    Ok(())
}

const SERVER: &str =
    "--features=race-bib/ssr,leptos-flash/ssr,flash-messages/server,hydrated/ssr,islands/ssr";

fn format() -> Result<()> {
    let sh = shell()?;
    run(cmd!(sh, "cargo fmt --all --check"))
}

fn lint() -> Result<()> {
    let sh = shell()?;
    run(cmd!(
        sh,
        "cargo clippy --workspace --all-targets --locked {SERVER} -- --deny warnings"
    ))?;
    let packages = ["front", "race-bib", "leptos-flash", "hydrated", "islands"];
    let packages = packages.map(|name| format!("--package={name}"));
    let hydrate = "--features=front/hydrate,race-bib/hydrate,leptos-flash/hydrate,hydrated/hydrate,islands/hydrate";
    let target = ["--target", TARGET, "--target-dir", "target/front"];
    run(cmd!(
        sh,
        "cargo clippy {packages...} --lib --locked {hydrate} {target...} -- --deny warnings"
    ))?;
    let packages = ["leptos-flash", "flash-messages", "pg-sessions"];
    let packages = packages.map(|name| format!("--package={name}"));
    let server = "--features=leptos-flash/ssr,flash-messages/server";
    run(cmd!(sh, "cargo doc {packages...} --no-deps {server}")
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

/// What we depend on: licences, sources, known holes; and that we use all of it.
fn depend() -> Result<()> {
    let sh = shell()?;
    run(cmd!(sh, "cargo-machete ."))?;
    run(cmd!(sh, "cargo deny check bans licenses sources"))?;
    if run(cmd!(sh, "cargo deny fetch db")).is_err() {
        println!("the database of advisories can't be fetched: known holes are not looked for");
        return Ok(());
    }
    run(cmd!(sh, "cargo deny check --disable-fetch advisories"))
}

/// Unit, HTTP and documentation tests on a real PostgreSQL.
fn unit() -> Result<()> {
    let database = database::to_throw_away()?;
    let sh = shell()?;
    run(unit_tests(&sh).env("DATABASE_URL", &database.url))?;
    // The same in partitioned tables.
    let tests = ["flash", "http"].map(|name| format!("--test={name}"));
    run(
        cmd!(sh, "cargo test --workspace {tests...} --locked {SERVER}")
            .env("DATABASE_URL", &database.url)
            .env("DATABASE_LAYOUT", "partitioned:4"),
    )
}

/// PostgreSQL servers that fail over under load. One after the other: each has its own.
fn failover() -> Result<()> {
    let sh = shell()?;
    let options = ["--ignored", "--test-threads=1", "--nocapture"];
    run(cmd!(
        sh,
        "cargo test --workspace --test=failover --locked {SERVER} -- {options...}"
    ))
}

fn unit_tests(sh: &xshell::Shell) -> Cmd<'_> {
    cmd!(sh, "cargo test --workspace --locked {SERVER}")
}

/// An app of the template, on the crates as they would be published.
fn template() -> Result<()> {
    template::build()?;
    let database = database::to_throw_away()?;
    let server = template::start(&database.url)?;
    let sh = shell()?;
    sh.change_dir(root().join("end2end"));
    let config = "--config=template/playwright.config.ts";
    run(with_chromium(cmd!(sh, "npx playwright test {config}")).env("BASE_URL", &server.url))
}

fn build() -> Result<()> {
    build::release()?;
    build::examples()
}

/// Playwright in Chromium against the release build and the examples.
fn browser() -> Result<()> {
    let database = database::to_throw_away()?;
    let app = Server::start("target/release/race-bib", &database.url)?;
    let hydrated = Server::start("target/debug/hydrated", &database.url)?;
    let islands = Server::start("target/debug/islands", &database.url)?;
    let sh = shell()?;
    sh.change_dir(root().join("end2end"));
    run(with_chromium(cmd!(sh, "npx playwright test"))
        .env("BASE_URL", &app.url)
        .env("HYDRATED_URL", &hydrated.url)
        .env("ISLANDS_URL", &islands.url))
}

/// The core of the browser tests in Firefox, by WebDriver BiDi, against the release build.
fn firefox() -> Result<()> {
    let database = database::to_throw_away()?;
    let app = Server::start("target/release/race-bib", &database.url)?;
    let sh = shell()?;
    sh.change_dir(root().join("end2end"));
    let firefox = browsers::firefox().context("Firefox is missing")?;
    let options = ["--test-reporter=spec", "--test-timeout=60000"];
    run(cmd!(sh, "node --test {options...} firefox.mjs")
        .env("BASE_URL", &app.url)
        .env("FIREFOX", firefox))
}

/// Lighthouse's marks for each page of the release build.
fn lighthouse() -> Result<()> {
    let database = database::to_throw_away()?;
    let app = Server::start("target/release/race-bib", &database.url)?;
    let sh = shell()?;
    sh.change_dir(root().join("end2end"));
    run(with_chromium(cmd!(sh, "node lighthouse.mjs")).env("BASE_URL", &app.url))
}

fn with_chromium(cmd: Cmd<'_>) -> Cmd<'_> {
    match browsers::chromium() {
        Some(path) => cmd.env("CHROMIUM", path),
        None => cmd,
    }
}
