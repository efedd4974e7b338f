//! `cargo xtask …`: what the README's two commands run.

use std::process::ExitCode;

use xtask::{command, serve, site, tests, tools};

const USAGE: &str = "\
cargo xtask serve        set up what is missing, then run the app on http://localhost:5500
cargo xtask test [STEP…] all checks, or only some: format lint depend unit build browser firefox lighthouse
cargo xtask build        the release build: target/release/race-bib and target/site
cargo xtask postgres     the app's PostgreSQL alone, until Ctrl-C; prints its DATABASE_URL
cargo xtask bench        race-bib beside its peers; writes bench/RESULTS.md
cargo xtask fuzz         any cookie and any form, 10 minutes each, on a nightly toolchain
cargo xtask tools        set up what is missing, nothing else";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = command::stop_on_signals().and_then(|()| match arguments.as_slice() {
        ["serve"] => serve::serve(),
        ["test", steps @ ..] => tests::test(steps),
        ["build"] => site::build_release(),
        ["postgres"] => serve::postgres(),
        ["bench"] => tests::bench(),
        ["fuzz"] => tests::fuzz(),
        ["tools"] => tools::for_watching(),
        _ => Err(anyhow::anyhow!("{USAGE}")),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}
