//! The system's packages, on Debian and its kin.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::command::{exists, read, run, shell};

/// # Errors
/// They are missing, and there is no apt-get or this isn't root. The error names the packages to install by hand.
pub fn install(packages: &[&str]) -> Result<()> {
    // apt-get can't run twice at the same time.
    static RUNNING: Mutex<()> = Mutex::new(());
    let _turn = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let cure = format!("sudo apt-get install {}", packages.join(" "));
    let sh = shell()?;
    if !exists("apt-get") || !rustix::process::getuid().is_root() {
        if read(cmd!(sh, "dpkg --status {packages...}")).is_some() {
            return Ok(());
        }
        bail!("install it with your package manager, on Debian: {cure}");
    }
    sh.set_var("DEBIAN_FRONTEND", "noninteractive");
    run(cmd!(sh, "apt-get update -qq"))?;
    let install = cmd!(
        sh,
        "apt-get install -y -qq --no-install-recommends {packages...}"
    );
    // Its hundred lines would hide those of what runs beside it.
    run(install.ignore_stdout()).context(cure)
}
