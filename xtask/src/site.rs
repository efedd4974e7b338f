//! `cargo xtask build`: the release build.

use anyhow::{Result, ensure};

use crate::{
    command::run,
    steps::step,
    tools::{self, cargo, root},
};

pub fn build_release() -> Result<()> {
    tools::for_release()?;
    step("release build", || {
        run(cargo().args(["leptos", "build", "--release", "--precompress"]))?;
        for file in ["target/release/race-bib", "target/site/pkg"] {
            ensure!(
                root().join(file).exists(),
                "cargo-leptos has built no {file}"
            );
        }
        Ok(())
    })
}
