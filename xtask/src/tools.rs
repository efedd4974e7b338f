//! Gets what a build needs and a machine may not have: the wasm target, cargo-leptos, the
//! wasm-bindgen CLI, npm's packages, browsers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    command::{exists, output, run},
    steps::step,
};

pub const TARGET: &str = "wasm32-unknown-unknown";
/// What a toolchain that comes from the system's packages is called in rustup.
const SYSTEM_TOOLCHAIN: &str = "system-wasm";

/// What `cargo leptos watch` needs.
pub fn for_watching() -> Result<()> {
    wasm_target()?;
    // The lock file of 0.3.11 needs rustc 1.96.
    get("cargo-leptos", "0.3.10")?;
    wasm_bindgen()
}

/// What a release build needs.
pub fn for_release() -> Result<()> {
    for_watching()?;
    npm_packages()
}

/// What a look at the dependencies needs.
pub fn for_dependencies() -> Result<()> {
    get("cargo-machete", "0.9.2")?;
    get("cargo-deny", "0.20.2")
}

/// What fuzzing needs, but for a nightly toolchain.
pub fn for_fuzzing() -> Result<()> {
    get("cargo-fuzz", "0.13.2")
}

fn get(name: &str, version: &str) -> Result<()> {
    let installed = output(tool(name).arg("--version"));
    match installed.is_some_and(|installed| installed.ends_with(version)) {
        true => Ok(()),
        false => install(name, version),
    }
}

/// The folder of the workspace.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// cargo, of the toolchain that has the wasm target.
pub fn cargo() -> Command {
    tool("cargo")
}

/// A program with what was set up here on its PATH.
pub fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    // Set by the cargo that runs this program: they would overrule the toolchain of this folder, and
    // build scripts that look at them (ring's) would run again.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let of_package = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if of_package || matches!(&*name, "CARGO" | "RUSTC" | "RUSTDOC" | "RUSTUP_TOOLCHAIN") {
            command.env_remove(&*name);
        }
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let folders = [
        Some(root().join("end2end/node_modules/.bin")),
        cargo_home.or(home).map(|cargo| cargo.join("bin")),
    ];
    let folders = folders.into_iter().flatten().chain(env::split_paths(&path));
    if let Ok(path) = env::join_paths(folders) {
        command.env("PATH", path);
    }
    command
}

fn wasm_target() -> Result<()> {
    if has_wasm_target(&mut tool("rustc")) {
        return Ok(());
    }
    step("the wasm32 target, for the browser's side", || {
        if exists("rustup") && run(tool("rustup").args(["target", "add", TARGET])).is_ok() {
            return Ok(());
        }
        ensure!(
            exists("apt-get"),
            "`rustup target add {TARGET}` failed. Install the standard library of Rust for {TARGET} \
             with your package manager."
        );
        println!("rustup has no {TARGET}: it is built from the system's packages");
        system_toolchain()
    })
}

fn has_wasm_target(rustc: &mut Command) -> bool {
    output(rustc.args(["--print", "target-libdir", "--target", TARGET]))
        .and_then(|folder| fs::read_dir(folder).ok())
        .is_some_and(|mut files| files.next().is_some())
}

/// Debian's newest toolchain, its standard library compiled for wasm32 and, where there is rustup,
/// its use in this folder.
fn system_toolchain() -> Result<()> {
    let packages = [
        "rustc-web",
        "cargo-web",
        "rust-web-src",
        "rust-web-llvm",
        "rust-web-clippy",
        "rustfmt-web",
    ];
    apt_install(&packages)?;
    // The linker is a link to another package's, whose name has LLVM's version.
    let linker = Path::new("/usr/bin/rust-lld");
    if !linker.exists() {
        let package = fs::read_link(linker).context("rust-web-llvm brought no rust-lld")?;
        apt_install(&[&package.to_string_lossy()])?;
    }
    let (rustc, cargo) = ("/usr/bin/rustc", "/usr/bin/cargo");
    if !has_wasm_target(&mut Command::new(rustc)) {
        let folder = root().join("target/std-for-wasm");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "#![no_std]\n")?;
        fs::write(
            folder.join("Cargo.toml"),
            "[package]\nname = \"nothing\"\nedition = \"2024\"\n[workspace]\n",
        )?;
        run(Command::new(cargo)
            .args([
                "build",
                "--release",
                "-Zbuild-std=std,panic_abort",
                "--target",
                TARGET,
            ])
            .args(["--target-dir", "target"])
            .current_dir(&folder)
            .env("RUSTC", rustc)
            .env("RUSTC_BOOTSTRAP", "1"))?;
        let libraries =
            output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))
                .context("rustc does not say where its libraries are")?;
        fs::create_dir_all(&libraries)?;
        for file in fs::read_dir(folder.join(format!("target/{TARGET}/release/deps")))? {
            let (path, name) = file.map(|file| (file.path(), file.file_name()))?;
            let name = name.to_string_lossy();
            if name.ends_with(".rlib") && !name.starts_with("libnothing") {
                fs::copy(path, Path::new(&libraries).join(&*name))?;
            }
        }
    }
    if exists("rustup") {
        run(tool("rustup").args(["toolchain", "link", SYSTEM_TOOLCHAIN, "/usr"]))?;
        run(tool("rustup").args(["override", "set", SYSTEM_TOOLCHAIN]))?;
    }
    ensure!(
        has_wasm_target(&mut tool("rustc")),
        "rustc still has no {TARGET}. Put /usr/bin before other Rust toolchains on the PATH."
    );
    Ok(())
}

/// The CLI must be of the version of the crate.
fn wasm_bindgen() -> Result<()> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let version = (lock.split_once("name = \"wasm-bindgen\"\nversion = \""))
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(version, _)| version)
        .context("Cargo.lock has no wasm-bindgen")?;
    let installed = output(tool("wasm-bindgen").arg("--version"));
    if installed.is_some_and(|installed| installed.ends_with(version)) {
        return Ok(());
    }
    install("wasm-bindgen-cli", version)
}

/// Compiles a tool without optimization, which takes cargo-leptos from half an hour to a third of
/// that. It installs the versions of the tool's lock file; if one of those can't be had, others.
fn install(name: &str, version: &str) -> Result<()> {
    step(&format!("{name} {version}, from source"), || {
        let install = |locked: Option<&str>| {
            run(cargo()
                .args(["install", name, "--version", version, "--debug"])
                .args(locked)
                .env("CARGO_TARGET_DIR", root().join("target/tools"))
                .env("CARGO_PROFILE_DEV_DEBUG", "false"))
        };
        install(Some("--locked")).or_else(|_| {
            println!("not with its lock file; without:");
            install(None)
        })
    })
}

/// Playwright, puppeteer-core for Firefox, and wasm-opt from binaryen.
pub fn npm_packages() -> Result<()> {
    let folder = root().join("end2end");
    let read = |file: PathBuf| fs::read(file).ok();
    let locked = read(folder.join("package-lock.json"));
    // npm writes what it installed; the copy beside it says from which lock file.
    let installed = folder.join("node_modules/.installed-lock.json");
    if locked.is_some() && locked == read(installed.clone()) {
        return Ok(());
    }
    ensure!(
        exists("npm"),
        "npm is missing: it brings the browser tests and wasm-opt. Install Node.js 20 or newer."
    );
    step("Playwright and wasm-opt, by npm", || {
        run(tool("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .current_dir(&folder))?;
        fs::write(installed, locked.unwrap_or_default())?;
        Ok(())
    })
}

/// A Chromium: the one on the PATH, the system's package, or Playwright's own.
pub fn chromium() -> Result<Option<String>> {
    let on_path = || find(&["chromium", "chromium-browser", "google-chrome"]);
    if let Some(path) = on_path() {
        return Ok(Some(path));
    }
    step("Chromium, for the browser tests", || {
        let own = tool("npx")
            .args(["playwright", "install", "chromium"])
            .current_dir(root().join("end2end"))
            .status();
        if own.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        apt_install(&["chromium"])?;
        Ok(Some(on_path().context(
            "chromium was installed but is not on the PATH",
        )?))
    })
}

/// A Firefox: the one on the PATH, or the system's package.
pub fn firefox() -> Result<String> {
    let on_path = || find(&["firefox-esr", "firefox"]);
    if let Some(path) = on_path() {
        return Ok(path);
    }
    step("Firefox, for the browser tests", || {
        apt_install(&["firefox-esr"])?;
        on_path().context("firefox-esr was installed but is not on the PATH")
    })
}

/// The path of the first of these programs that is on the PATH.
fn find(programs: &[&str]) -> Option<String> {
    programs
        .iter()
        .find_map(|name| output(Command::new("sh").args(["-c", "command -v \"$0\"", name])))
}

/// nginx, a proxy that buffers.
pub fn nginx() -> Result<String> {
    server("nginx", "nginx-light")
}

/// PgBouncer, a pool of connections in front of PostgreSQL.
pub fn pgbouncer() -> Result<String> {
    server("pgbouncer", "pgbouncer")
}

/// A server that tests start: the one on the PATH, or the system's package.
fn server(name: &str, package: &str) -> Result<String> {
    // Tests that run side by side take turns.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _turn = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    // Debian keeps servers in a folder that only root has on the PATH.
    let find = || {
        let script = "PATH=$PATH:/usr/sbin; command -v \"$0\"";
        output(Command::new("sh").args(["-c", script, name]))
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    step(&format!("{name}, for a test"), || {
        apt_install(&[package])?;
        find().with_context(|| format!("{package} was installed but brought no {name}"))
    })
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    if !exists("apt-get") || !rustix::process::getuid().is_root() {
        bail!("packages are missing. Install them with your package manager, on Debian: {by_hand}");
    }
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    apt(&[&install, packages].concat()).context(by_hand)
}
