//! `cargo xtask tools`: what `serve` and `build` need, nothing else.

use anyhow::Result;

use super::{build, serve};
use crate::setup;

pub fn tools() -> Result<()> {
    setup::install(&[&serve::NEEDS[..], &build::NEEDS].concat(), || Ok(()))
}
