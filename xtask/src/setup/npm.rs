//! npm's packages: Playwright, Lighthouse, puppeteer-core for Firefox, and wasm-opt from binaryen.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::{Lane, Need};
use crate::command::{exists, root, run, shell};

pub const NPM_PACKAGES: Need = Need {
    name: "Playwright and wasm-opt, by npm",
    usual: "30 s",
    lane: Lane::Download,
    is_there: || is_installed(&root().join("end2end")),
    install: || install(&root().join("end2end")),
};

/// A copy of the lock file whose packages are installed: npm writes none.
const INSTALLED: &str = "node_modules/.installed-lock.json";

/// Returns whether the folder has the packages of its lock file.
pub fn is_installed(folder: &Path) -> bool {
    let lock = fs::read(folder.join("package-lock.json")).ok();
    lock.is_some() && lock == fs::read(folder.join(INSTALLED)).ok()
}

/// Installs the packages of a folder's lock file, which has the hash of each.
pub fn install(folder: &Path) -> Result<()> {
    ensure!(
        exists("npm"),
        "npm is missing. Install Node.js 20 or newer: https://nodejs.org"
    );
    let sh = shell()?;
    sh.change_dir(folder);
    let quiet = [
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ];
    run(cmd!(sh, "npm ci --ignore-scripts {quiet...}"))?;
    fs::copy(folder.join("package-lock.json"), folder.join(INSTALLED)).context(INSTALLED)?;
    Ok(())
}
