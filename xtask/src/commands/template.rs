//! Packs the crates as for publishing, and builds and tests an app of the template on them.

use std::{env, path::Path};

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{
    command::{root, run, shell},
    server::Server,
};

/// In the order of their dependencies.
const CRATES: [&str; 3] = ["pg-sessions", "flash-messages", "leptos-flash"];

const NAME: &str = "my-notes";

/// Outside of the app's folder, which is a fresh one each time: dependencies are compiled once.
const TARGET: &str = "target/template";

const PACKED: &str = "target/package/unpacked";

/// Makes an app in a folder outside of this workspace, as a newcomer does, and builds and tests it.
pub fn build() -> Result<()> {
    let sh = shell()?;
    pack(&sh)?;
    let folder = sh.create_temp_dir()?;
    let template = root().join("template");
    // Lines must not depend on the length of the name, nor their order on its letters.
    for name in ["an-app-with-a-long-name", "zoo", NAME] {
        sh.change_dir(folder.path());
        run(cmd!(sh, "cargo leptos new --path {template} --name {name}"))?;
        sh.change_dir(name);
        run(cmd!(
            sh,
            "rustfmt --check --edition 2024 src/main.rs src/lib.rs tests/app.rs"
        ))?;
    }
    // The crates are not published yet, or these are newer ones.
    let config = sh.read_file(".cargo/config.toml")?;
    let config = config + "\n" + &patches(&root().join(PACKED));
    sh.write_file(".cargo/config.toml", config)?;
    // The versions that our other tests have.
    sh.copy_file(root().join("Cargo.lock"), "Cargo.lock")?;
    sh.set_var("CARGO_TARGET_DIR", root().join(TARGET));
    // Cargo sets race-bib's.
    sh.set_var("LEPTOS_OUTPUT_NAME", NAME);
    run(cmd!(sh, "cargo test --features ssr"))?;
    run(cmd!(sh, "cargo leptos build"))
}

/// Starts the app. It keeps its data in PostgreSQL.
pub fn start(database_url: &str) -> Result<Server> {
    let target = root().join(TARGET);
    let (program, site) = (target.join("debug").join(NAME), target.join("site"));
    Server::start_with(&program, database_url, |command| {
        let command = command.env("LEPTOS_OUTPUT_NAME", NAME);
        command.env("LEPTOS_SITE_ROOT", site)
    })
}

/// Makes the archives that `cargo publish` would upload, and unpacks them.
fn pack(sh: &Shell) -> Result<()> {
    let packages = CRATES.map(|name| format!("--package={name}"));
    // The app of the template is what proves that they compile.
    run(cmd!(
        sh,
        "cargo package {packages...} --no-verify --allow-dirty"
    ))?;
    sh.remove_path(PACKED)?;
    sh.create_dir(PACKED)?;
    for name in CRATES {
        let archive = format!("target/package/{name}-{}.crate", env!("CARGO_PKG_VERSION"));
        run(cmd!(
            sh,
            "tar --extract --touch --file={archive} --directory={PACKED}"
        ))?;
    }
    Ok(())
}

/// Returns the lines that make cargo take the crates from a folder.
fn patches(folder: &Path) -> String {
    let patch = |name| {
        let path = folder.join(format!("{name}-{}", env!("CARGO_PKG_VERSION")));
        format!("{name} = {{ path = \"{}\" }}\n", path.display())
    };
    format!("[patch.crates-io]\n{}", CRATES.map(patch).concat())
}
