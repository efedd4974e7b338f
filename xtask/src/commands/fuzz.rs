//! `cargo xtask fuzz`: each target of `fuzz/`, side by side, for 10 minutes.

use anyhow::Result;
use xshell::cmd;

use crate::{
    command::{Group, command, run, shell},
    setup::{self, CARGO_FUZZ},
};

pub fn fuzz() -> Result<()> {
    setup::install(&[CARGO_FUZZ], || Ok(()))?;
    let sh = shell()?;
    // Our code is free of `unsafe`: an address sanitizer would only be slow.
    run(cmd!(sh, "cargo +nightly fuzz build --sanitizer=none"))?;
    let start = |target: &str| {
        let limits = [
            "-max_total_time=600",
            "-print_final_stats=1",
            "-verbosity=0",
        ];
        let fuzz = cmd!(
            sh,
            "cargo +nightly fuzz run --sanitizer=none {target} -- {limits...}"
        );
        Group::spawn(&mut command(fuzz))
    };
    let mut running = [start("headers")?, start("form")?];
    for target in &mut running {
        target.succeeded()?;
    }
    Ok(())
}
