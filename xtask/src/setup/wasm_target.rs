//! The wasm32 target of Rust: rustup's, else built from Debian's packages.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use super::{Lane, Need, apt};
use crate::command::{exists, read, run, shell};

pub const WASM_TARGET: Need = Need {
    name: "Rust's wasm32 target, for the browser's side",
    usual: "10 s, or 1 min where rustup can't download it",
    lane: Lane::Toolchain,
    is_there: || shell().is_ok_and(|sh| has_target(&sh, "rustc")),
    install,
};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// What rustup calls the toolchain of the system's packages.
const SYSTEM_TOOLCHAIN: &str = "system-wasm";

/// Debian's newest toolchain.
const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "rust-web-clippy",
    "rustfmt-web",
];

fn install() -> Result<()> {
    let sh = shell()?;
    if exists("rustup") && run(cmd!(sh, "rustup target add {TARGET}")).is_ok() {
        return Ok(());
    }
    if !exists("apt-get") {
        bail!(
            "`rustup target add {TARGET}` failed. Install Rust's standard library for {TARGET} with \
             your package manager"
        );
    }
    println!("rustup has no {TARGET}: it is built from the system's packages");
    system_toolchain(&sh)
}

fn has_target(sh: &Shell, rustc: &str) -> bool {
    libraries(sh, rustc)
        .and_then(|folder| fs::read_dir(folder).ok())
        .is_some_and(|mut files| files.next().is_some())
}

/// Returns the folder of the target's standard library. It need not exist.
fn libraries(sh: &Shell, rustc: &str) -> Option<String> {
    read(cmd!(sh, "{rustc} --print target-libdir --target {TARGET}"))
}

/// Installs Debian's newest toolchain, compiles its standard library for wasm32 and, where there is
/// rustup, lets this folder use it.
fn system_toolchain(sh: &Shell) -> Result<()> {
    apt::install(&PACKAGES)?;
    // The linker is a link to another package's, whose name has LLVM's version.
    let linker = Path::new("/usr/bin/rust-lld");
    if !linker.exists() {
        let package = fs::read_link(linker).context("rust-web-llvm brought no rust-lld")?;
        apt::install(&[&package.to_string_lossy()])?;
    }
    if !has_target(sh, "/usr/bin/rustc") {
        compile_standard_library(sh)?;
    }
    if exists("rustup") {
        run(cmd!(sh, "rustup toolchain link {SYSTEM_TOOLCHAIN} /usr"))?;
        run(cmd!(sh, "rustup override set {SYSTEM_TOOLCHAIN}"))?;
    }
    ensure!(
        has_target(sh, "rustc"),
        "rustc still has no {TARGET}. Put /usr/bin before other Rust toolchains on the PATH"
    );
    Ok(())
}

/// Builds it with an empty crate, and copies it beside that of the system.
fn compile_standard_library(sh: &Shell) -> Result<()> {
    let folder = sh.create_dir("target/std-for-wasm")?;
    let _there = sh.push_dir(&folder);
    sh.write_file("src/lib.rs", "#![no_std]\n")?;
    sh.write_file(
        "Cargo.toml",
        "[package]\nname = \"nothing\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    let build = [
        "build",
        "--release",
        "--target",
        TARGET,
        "--target-dir",
        "target",
    ];
    run(
        cmd!(sh, "/usr/bin/cargo {build...} -Zbuild-std=std,panic_abort")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1"),
    )?;
    let libraries =
        libraries(sh, "/usr/bin/rustc").context("rustc does not say where its libraries are")?;
    let built = folder.join(format!("target/{TARGET}/release/deps"));
    let cure = || {
        let built = built.display();
        format!("as root: mkdir -p {libraries} && cp {built}/lib[!n]*.rlib {libraries}")
    };
    sh.create_dir(&libraries).with_context(cure)?;
    for path in sh.read_dir(&built)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with("libnothing") {
            sh.copy_file(&path, &libraries).with_context(cure)?;
        }
    }
    Ok(())
}
