//! `cargo xtask build`: the release build; and the example of a fully hydrated app.

use std::fs;

use anyhow::{Result, ensure};

use crate::{
    command::run,
    steps::step,
    tools::{self, TARGET, cargo, root, tool},
};

pub fn build_release() -> Result<()> {
    tools::for_release()?;
    step("release build", || {
        run(cargo().args(["leptos", "build", "--release", "--precompress"]))?;
        for file in fs::read_dir(root().join("target/site/pkg"))? {
            let path = file?.path();
            // For editors, not for browsers.
            if path.to_string_lossy().contains(".d.") {
                fs::remove_file(path)?;
            }
        }
        for file in ["target/release/race-bib", "target/site/pkg"] {
            ensure!(
                root().join(file).exists(),
                "cargo-leptos has built no {file}"
            );
        }
        Ok(())
    })
}

/// Without cargo-leptos, which takes a second app in the workspace for a choice to be made at each
/// call.
pub fn build_hydrated() -> Result<()> {
    step("the example of a fully hydrated app", || {
        let package = ["build", "--package", "hydrated", "--locked"];
        run(cargo()
            .args(package)
            .args([
                "--lib",
                "--features",
                "hydrate",
                "--profile",
                "wasm-release",
            ])
            .args(["--target", TARGET, "--target-dir", "target/front"]))?;
        let pkg = "target/hydrated/pkg";
        run(tool("wasm-bindgen")
            .args(["--target", "web", "--no-typescript", "--out-dir", pkg])
            .args(["--out-name", "hydrated"])
            .arg(format!("target/front/{TARGET}/wasm-release/hydrated.wasm")))?;
        let pkg = root().join(pkg);
        fs::rename(pkg.join("hydrated_bg.wasm"), pkg.join("hydrated.wasm"))?;
        run(cargo().args(package).args(["--features", "ssr"]))
    })
}
