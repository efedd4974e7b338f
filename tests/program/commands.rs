//! What the program says on the command line.

use std::{
    fs,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use race_bib::config::settings;
use tempfile::tempdir;

use crate::app::{self, Result, Visitor, postgres};

/// Runs the program to its end. One that serves instead of ending is killed after 10 seconds.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
    let mut process = Command::new(env!("CARGO_BIN_EXE_race-bib"))
        .args(arguments)
        // No .env there.
        .current_dir(std::env::temp_dir())
        .env_remove("DATABASE_URL")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let start = Instant::now();
    while process.try_wait()?.is_none() {
        if start.elapsed() > Duration::from_secs(10) {
            process.kill()?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(process.wait_with_output()?)
}

#[test]
fn help_names_every_variable_with_its_default_and_no_secret() -> Result {
    let secrets = [
        ("DATABASE_URL", "postgres://u:my-little-secret@localhost/d"),
        ("SESSION_SECRET", "my-little-secret"),
    ];
    let help = run(&["--help"], &secrets)?;
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout)?;
    for (name, default, meaning) in settings() {
        let line = format!("{name}={default}\n");
        assert!(help.contains(&line) && help.contains(&meaning), "{name}");
    }
    assert!(!help.contains("my-little-secret"), "{help}");
    Ok(())
}

#[test]
fn the_docs_and_the_example_show_each_variable_as_the_program_reads_it() {
    let (mut table, mut example) = (String::new(), String::new());
    for (name, default, meaning) in settings() {
        let shown = if default.is_empty() {
            default.clone()
        } else {
            format!("`{default}`")
        };
        table += &format!("| `{name}` | {shown} | {meaning} |\n");
        // `cargo xtask serve` fills it in.
        let comment = if name == "SESSION_SECRET" { "" } else { "# " };
        example += &format!("\n# {meaning}\n{comment}{name}={default}\n");
    }
    let docs = include_str!("../../docs/settings.md");
    let whole = docs.ends_with(&format!("|---|---|---|\n{table}"));
    assert!(whole, "docs/settings.md needs\n{table}");
    let file = include_str!("../../.env.example");
    assert!(file.ends_with(&example), ".env.example needs\n{example}");
}

#[test]
fn a_secret_is_printed_that_the_server_takes() -> Result {
    let secret = String::from_utf8(run(&["secret"], &[])?.stdout)?;
    let refused = run(&[], &[("SESSION_SECRET", secret.trim())])?;
    let complaint = String::from_utf8(refused.stderr)?;
    assert!(
        complaint.contains("DATABASE_URL") && !complaint.contains("SESSION_SECRET"),
        "{complaint}"
    );
    Ok(())
}

#[test]
fn a_wrong_start_ends_with_a_sentence_for_each_cause() -> Result {
    let refused = run(&[], &[("PORT", "many"), ("SESSION_SECRET", "short")])?;
    assert!(!refused.status.success());
    let complaint = String::from_utf8(refused.stderr)?;
    assert_eq!(complaint.lines().count(), 3, "{complaint}");
    let unknown = run(&["serve"], &[])?;
    assert!(!unknown.status.success());
    assert!(String::from_utf8(unknown.stderr)?.contains("unrecognized subcommand 'serve'"));
    Ok(())
}

#[test]
fn a_domain_that_no_browser_takes_is_refused_at_the_start() -> Result {
    for domain in [
        "https://example.com",
        "example.com:8443",
        "a b",
        "localhost",
    ] {
        let refused = run(&[], &[("SESSION_DOMAIN", domain)])?;
        assert!(!refused.status.success());
        let complaint = String::from_utf8(refused.stderr)?;
        let line = complaint
            .lines()
            .find(|line| line.starts_with("SESSION_DOMAIN"));
        let line = line.ok_or("a line about SESSION_DOMAIN")?;
        assert!(
            line.contains(domain) && line.contains("such as example.com"),
            "{line}"
        );
    }
    Ok(())
}

/// Nobody, so that only the start counts.
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/none";

#[test]
fn a_program_without_its_site_says_what_to_copy() -> Result {
    let refused = run(
        &[],
        &[
            ("DATABASE_URL", NO_DATABASE),
            ("SESSION_SECRET", &"only-for-tests-".repeat(5)),
            ("LEPTOS_HASH_FILES", "true"),
            ("LEPTOS_SITE_ROOT", "nowhere"),
            ("PORT", "0"),
        ],
    )?;
    assert!(!refused.status.success());
    let complaint = String::from_utf8(refused.stderr)?;
    for words in ["LEPTOS_SITE_ROOT", "nowhere", "target/site"] {
        assert!(complaint.contains(words), "{words} in {complaint}");
    }
    Ok(())
}

#[tokio::test]
async fn a_program_finds_the_files_of_its_site_without_the_hash_file() -> Result {
    let site = tempdir()?;
    fs::create_dir(site.path().join("pkg"))?;
    for name in ["race-bib.a.css", "race-bib.b.js", "race-bib.c.wasm"] {
        fs::write(site.path().join("pkg").join(name), name)?;
    }
    let root = site.path().display().to_string();
    let hashed = [("LEPTOS_HASH_FILES", "true"), ("LEPTOS_SITE_ROOT", &*root)];
    let app = app::start(NO_DATABASE, &hashed).await?;
    let visitor = Visitor::new(app.address);
    let page = visitor.page("/messages").await?;
    for name in ["race-bib.a.css", "race-bib.b.js", "race-bib.c.wasm"] {
        let path = format!("/pkg/{name}");
        assert!(page.contains(&path), "{path} in {page}");
        assert_eq!(visitor.page(&path).await?, name);
    }
    Ok(())
}

#[tokio::test]
async fn the_address_leaves_the_rest_to_the_variables_of_postgresql() -> Result {
    let postgres = postgres("")?;
    let url = reqwest::Url::parse(&postgres.url)?;
    let port = url.port().ok_or("a port")?.to_string();
    let variables = [
        ("PGHOST", url.host_str().ok_or("a host")?),
        ("PGPORT", &port),
        ("PGUSER", url.username()),
        ("PGDATABASE", url.path().trim_start_matches('/')),
    ];
    let app = app::start("postgres://", &variables).await?;
    app.answers("/readyz", reqwest::StatusCode::OK).await
}
