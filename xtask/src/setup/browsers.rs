//! The browsers of the tests.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::cmd;

use super::{Lane, Need, apt};
use crate::command::{find, read, root, run, shell};

pub const CHROMIUM: Need = Need {
    name: "Chromium, for the browser tests",
    usual: "30 s",
    lane: Lane::Download,
    is_there: || chromium().is_some(),
    install: install_chromium,
};

pub const FIREFOX: Need = Need {
    name: "Firefox, for the browser tests",
    usual: "30 s",
    lane: Lane::Download,
    is_there: || firefox().is_some(),
    install: || apt::install(&["firefox-esr"]),
};

/// Returns the Chromium on the PATH, else Playwright's own.
pub fn chromium() -> Option<PathBuf> {
    find(&["chromium", "chromium-browser", "google-chrome"]).or_else(|| {
        let sh = shell().ok()?;
        sh.change_dir(root().join("end2end"));
        let path = "require('@playwright/test').chromium.executablePath()";
        let path = PathBuf::from(read(cmd!(sh, "node --print {path}"))?);
        path.exists().then_some(path)
    })
}

/// Returns the Firefox on the PATH.
pub fn firefox() -> Option<PathBuf> {
    find(&["firefox-esr", "firefox"])
}

/// Playwright's own needs no root, the system's package does.
fn install_chromium() -> Result<()> {
    let sh = shell()?;
    sh.change_dir(root().join("end2end"));
    let own = cmd!(sh, "npx --no-install playwright install chromium")
        .env("NPM_CONFIG_UPDATE_NOTIFIER", "false")
        .env("PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT", "10000");
    run(own)
        .or_else(|_| apt::install(&["chromium"]))
        .context("Playwright's own can't be downloaded")
}
