//! What the program says on the command line.

use std::process::{Command, Output};

use crate::app::Result;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_race-bib"))
        .args(arguments)
        // No .env there.
        .current_dir(std::env::temp_dir())
        .env_remove("DATABASE_URL")
        .envs(variables.iter().copied())
        .output()?)
}

#[test]
fn help_names_every_variable_with_its_default() -> Result {
    let help = run(&["--help"], &[])?;
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout)?;
    for (name, default, meaning) in race_bib::config::VARIABLES {
        assert!(
            help.contains(name) && help.contains(default) && help.contains(meaning),
            "{name}"
        );
    }
    Ok(())
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
    assert!(String::from_utf8(unknown.stderr)?.contains("\"serve\" is no command"));
    Ok(())
}
