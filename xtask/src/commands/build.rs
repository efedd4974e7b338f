//! `cargo xtask build`: the release build; and the examples.

use std::fs;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::{
    command::{run, shell},
    setup::{
        self, CARGO_LEPTOS, NPM_PACKAGES, Need, WASM_BINDGEN, WASM_TARGET, wasm_target::TARGET,
    },
    steps::step,
};

pub const NEEDS: [Need; 4] = [WASM_TARGET, CARGO_LEPTOS, WASM_BINDGEN, NPM_PACKAGES];

pub fn build() -> Result<()> {
    setup::install(&NEEDS, || Ok(()))?;
    release()
}

/// Builds the app, once all that it needs is installed.
pub fn release() -> Result<()> {
    step("release build, usually 10 min the first time", || {
        let sh = shell()?;
        run(cmd!(sh, "cargo leptos build --release --precompress"))?;
        for file in sh.read_dir("target/site/pkg")? {
            // For editors, not for browsers.
            if file.to_string_lossy().contains(".d.") {
                sh.remove_path(file)?;
            }
        }
        for file in ["target/release/race-bib", "target/site/pkg"] {
            ensure!(sh.path_exists(file), "cargo-leptos has built no {file}");
        }
        Ok(())
    })
}

/// Builds the examples without cargo-leptos, which takes a second app in the workspace for a choice to
/// be made at each call.
pub fn examples() -> Result<()> {
    example("hydrated")?;
    example("islands")
}

fn example(name: &str) -> Result<()> {
    step(&format!("the example {name}"), || {
        let sh = shell()?;
        let package = ["build", "--package", name, "--locked"];
        let front = [
            "--lib",
            "--features",
            "hydrate",
            "--profile",
            "wasm-release",
        ];
        run(cmd!(
            sh,
            "cargo {package...} {front...} --target {TARGET} --target-dir target/front"
        ))?;
        let wasm = format!("target/front/{TARGET}/wasm-release/{name}.wasm");
        bind(&sh, &wasm, &format!("target/{name}/pkg"), name)?;
        run(cmd!(sh, "cargo {package...} --features ssr"))
    })
}

/// Makes what a browser loads: `name`.js and `name`.wasm in the folder `pkg`.
pub fn bind(sh: &Shell, wasm: &str, pkg: &str, name: &str) -> Result<()> {
    let names = ["--out-dir", pkg, "--out-name", name];
    run(cmd!(
        sh,
        "wasm-bindgen --target web --no-typescript {names...} {wasm}"
    ))?;
    let pkg = sh.current_dir().join(pkg);
    let bound = pkg.join(format!("{name}_bg.wasm"));
    Ok(fs::rename(bound, pkg.join(format!("{name}.wasm")))?)
}
