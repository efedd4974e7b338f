//! `cargo xtask bench`: the package `bench`, in a release build of its own.

use anyhow::{Result, ensure};
use xshell::cmd;

use super::build;
use crate::{
    command::{run, shell},
    setup::{self, POSTGRES},
};

/// `only`: `kept` for what becomes of messages, without the speed. All by default.
pub fn bench(only: Option<&str>) -> Result<()> {
    ensure!(
        matches!(only, None | Some("kept")),
        "bench has one part of its own: kept"
    );
    setup::install(&[&build::NEEDS[..], &[POSTGRES]].concat(), || Ok(()))?;
    let sh = shell()?;
    run(cmd!(
        sh,
        "cargo run --release --locked --package bench -- {only...}"
    ))
}
