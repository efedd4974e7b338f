//! `cargo xtask bench`: the package `bench`, in a release build of its own.

use anyhow::Result;
use xshell::cmd;

use super::build;
use crate::{
    command::{run, shell},
    setup::{self, POSTGRES},
};

pub fn bench() -> Result<()> {
    setup::install(&[&build::NEEDS[..], &[POSTGRES]].concat(), || Ok(()))?;
    let sh = shell()?;
    run(cmd!(sh, "cargo run --release --locked --package bench"))
}
