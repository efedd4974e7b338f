//! Tools written in Rust: from the project's own release archive, else compiled.

use std::{env, fs, path::Path};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::{Lane, Need};
use crate::command::{cargo_bin, read, root, run, shell};

/// A tool whose program has its crate's name, in a pinned version.
macro_rules! tool {
    ($name:literal, $version:literal, $usual:literal) => {
        Need {
            name: concat!($name, " ", $version),
            usual: $usual,
            lane: Lane::Compile,
            is_there: || is_installed($name, $version),
            install: || install($name, $version),
        }
    };
}

/// The lock file of 0.3.11 needs rustc 1.96.
pub const CARGO_LEPTOS: Need = tool!(
    "cargo-leptos",
    "0.3.10",
    "10 s, or 10 min where it must be compiled"
);

pub const CARGO_MACHETE: Need = tool!(
    "cargo-machete",
    "0.9.2",
    "10 s, or 1 min where it must be compiled"
);

pub const CARGO_DENY: Need = tool!(
    "cargo-deny",
    "0.20.2",
    "10 s, or 5 min where it must be compiled"
);

/// Its project has no archives.
pub const CARGO_FUZZ: Need = tool!("cargo-fuzz", "0.13.2", "1 min");

/// It must be of the crate's version. There is no archive whose hash we know.
pub const WASM_BINDGEN: Need = Need {
    name: "the wasm-bindgen CLI",
    usual: "2 min",
    lane: Lane::Compile,
    is_there: || wasm_bindgen().is_ok_and(|version| is_installed("wasm-bindgen", &version)),
    install: || install("wasm-bindgen-cli", &wasm_bindgen()?),
};

/// The SHA-256 and the address of each known archive.
const ARCHIVES: &str = include_str!("archives.txt");

fn is_installed(program: &str, version: &str) -> bool {
    let Ok(sh) = shell() else { return false };
    // cargo-fuzz and cargo-leptos print more than their name before the version.
    read(cmd!(sh, "{program} --version")).is_some_and(|printed| printed.ends_with(version))
}

/// Returns the version of the crate wasm-bindgen.
fn wasm_bindgen() -> Result<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let version = (lock.split_once("name = \"wasm-bindgen\"\nversion = \""))
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(version, _)| version.to_owned());
    version.context("Cargo.lock has no wasm-bindgen")
}

fn install(name: &str, version: &str) -> Result<()> {
    if let Some((hash, address)) = archive(ARCHIVES, name, version) {
        let bin = cargo_bin().context("neither HOME nor CARGO_HOME is set")?;
        match unpack(name, hash, address, &bin) {
            Ok(()) => return Ok(()),
            Err(error) => println!("{name} is compiled: {error:#}"),
        }
    }
    compile(name, version)
}

/// Returns the hash and the address of this machine's archive.
fn archive<'a>(archives: &'a str, name: &str, version: &str) -> Option<(&'a str, &'a str)> {
    let system = match env::consts::OS {
        "macos" => "apple-darwin",
        other => other,
    };
    let wanted = [&format!("/{name}/"), version, env::consts::ARCH, system];
    (archives.lines().filter_map(|line| line.split_once("  ")))
        .find(|(_, address)| wanted.iter().all(|part| address.contains(part)))
}

/// Downloads an archive, checks it and copies the program that it holds into the folder `bin`.
fn unpack(name: &str, hash: &str, address: &str, bin: &Path) -> Result<()> {
    let sh = shell()?;
    let folder = sh.create_dir("target/tools")?;
    let file = folder.join(format!("{name}.tar.gz"));
    let limits = ["--connect-timeout", "5", "--max-time", "60"];
    run(cmd!(
        sh,
        "curl --fail --location --silent --show-error {limits...} --output {file} {address}"
    ))?;
    let found = read(cmd!(sh, "sha256sum {file}")).context("sha256sum is missing")?;
    ensure!(
        found.starts_with(hash),
        "{address} is not the archive that we know: its SHA-256 is {found}"
    );
    run(cmd!(sh, "tar -xzf {file} -C {folder} --strip-components=1"))?;
    sh.create_dir(bin)?;
    let program = folder.join(name);
    run(cmd!(sh, "install -m 755 {program} {bin}"))
}

/// Compiles a tool without optimization, which takes cargo-leptos from half an hour to a third of
/// that. The crates of the tool's lock file are used; if one of those can't be had, others.
fn compile(name: &str, version: &str) -> Result<()> {
    let sh = shell()?;
    sh.set_var("CARGO_TARGET_DIR", root().join("target/tools"));
    sh.set_var("CARGO_PROFILE_DEV_DEBUG", "false");
    let install = ["install", name, "--version", version, "--debug"];
    run(cmd!(sh, "cargo {install...} --locked")).or_else(|_| {
        println!("not with its lock file; without:");
        run(cmd!(sh, "cargo {install...}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_archive_has_the_version_that_is_installed() -> Result<()> {
        for (name, version) in [
            ("cargo-leptos", "0.3.10"),
            ("cargo-machete", "0.9.2"),
            ("cargo-deny", "0.20.2"),
        ] {
            let (hash, _) = archive(ARCHIVES, name, version).context(name)?;
            assert_eq!(hash.len(), 64, "{name}");
        }
        Ok(())
    }

    /// Packs a program as the projects do. Returns the archive's address and its SHA-256.
    fn pack(name: &str) -> Result<(String, String)> {
        let sh = shell()?;
        let folder = sh.create_dir("target/tools/tests")?;
        sh.change_dir(&folder);
        sh.write_file(format!("{name}-x86_64/{name}"), "a program")?;
        run(cmd!(sh, "tar -czf {name}.tar.gz {name}-x86_64"))?;
        let sum = read(cmd!(sh, "sha256sum {name}.tar.gz")).context("sha256sum")?;
        let (hash, file) = sum.split_once("  ").context("sha256sum prints two words")?;
        Ok((
            format!("file://{}/{file}", folder.display()),
            hash.to_owned(),
        ))
    }

    #[test]
    fn the_program_of_an_archive_with_the_known_hash_is_installed() -> Result<()> {
        let bin = root().join("target/tools/tests/bin");
        let (address, hash) = pack("cargo-known")?;
        unpack("cargo-known", &hash, &address, &bin)?;
        assert_eq!(fs::read_to_string(bin.join("cargo-known"))?, "a program");
        Ok(())
    }

    #[test]
    fn an_archive_with_another_hash_is_not_unpacked() -> Result<()> {
        let bin = root().join("target/tools/tests/bin");
        let (address, _) = pack("cargo-other")?;
        let error = unpack("cargo-other", &"0".repeat(64), &address, &bin).expect_err("unpacked");
        assert!(
            error.to_string().contains("not the archive that we know"),
            "{error:#}"
        );
        assert!(!bin.join("cargo-other").exists());
        Ok(())
    }
}
