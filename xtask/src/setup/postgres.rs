//! PostgreSQL's programs: the machine's own, else those that npm's package @embedded-postgres brings.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::{Lane, Need, npm};
use crate::{
    account::reachable,
    command::{output, root, run, shell},
    steps::step,
};

pub const POSTGRES: Need = Need {
    name: "PostgreSQL's programs, by npm",
    usual: "5 s",
    lane: Lane::Download,
    is_there: || find().is_some(),
    install: || from_npm().map(drop),
};

/// The package for this machine, its version and its hash.
const FILES: [(&str, &str); 2] = [
    ("package.json", include_str!("../../postgres/package.json")),
    (
        "package-lock.json",
        include_str!("../../postgres/package-lock.json"),
    ),
];

/// Written last. npm removes it when it installs another version.
const READY: &str = "node_modules/.ready";

/// Returns the folder of initdb and pg_ctl. Installs them when there are none.
pub fn binaries() -> Result<PathBuf> {
    // Tests that run side by side take turns.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _turn = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    match find() {
        Some(folder) => Ok(folder),
        None => step(POSTGRES.name, from_npm),
    }
}

/// Returns the newest of Debian's, else that of pg_config, of the PATH, or npm's.
fn find() -> Option<PathBuf> {
    let has_server =
        |folder: &PathBuf| folder.join("initdb").exists() && folder.join("pg_ctl").exists();
    let version = |folder: &PathBuf| {
        let version = folder.parent()?.file_name()?;
        version.to_string_lossy().parse::<u32>().ok()
    };
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = (debian.flatten().map(|folder| folder.path().join("bin")))
        .filter(has_server)
        .max_by_key(version);
    let by_config = || {
        let mut pg_config = std::process::Command::new("pg_config");
        let folder = PathBuf::from(output(pg_config.arg("--bindir"))?);
        has_server(&folder).then_some(folder)
    };
    let on_path = || env::split_paths(&env::var_os("PATH")?).find(has_server);
    let by_npm = || {
        let folder = npm_folder();
        let ready = npm::is_installed(&folder) && folder.join(READY).exists();
        ready.then(|| programs(&folder))?
    };
    debian.or_else(by_config).or_else(on_path).or_else(by_npm)
}

/// Returns the folder of a PostgreSQL that can copy itself: npm's has not all of its programs.
pub fn with_replication() -> Option<PathBuf> {
    find()
        .filter(|folder| folder.join("pg_basebackup").exists() && folder.join("pg_rewind").exists())
}

/// Where the user that runs the server can read it.
fn npm_folder() -> PathBuf {
    reachable(&root().join("target/postgres"))
}

fn from_npm() -> Result<PathBuf> {
    let cure = "There is no PostgreSQL on this machine, and it can't be installed by npm. Install \
                PostgreSQL 15 or newer (Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install \
                postgresql-server; macOS: brew install postgresql), or set DATABASE_URL";
    install_from_npm(&npm_folder()).context(cure)
}

fn install_from_npm(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    ensure!(
        fs::metadata(folder)?.uid() == rustix::process::getuid().as_raw(),
        "{} belongs to another user",
        folder.display()
    );
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    npm::install(folder)?;
    let programs =
        programs(folder).context("@embedded-postgres has no package for this machine")?;
    let sh = shell()?;
    sh.change_dir(programs.join("../.."));
    // The package's own script: it makes the symbolic links that npm can't pack.
    run(cmd!(sh, "node scripts/hydrate-symlinks.js"))?;
    run(cmd!(sh, "chmod -R a+rX {folder}"))?;
    fs::write(folder.join(READY), "")?;
    Ok(programs)
}

/// Returns the programs of the one package, of all platforms', that npm has installed.
fn programs(folder: &Path) -> Option<PathBuf> {
    let packages = fs::read_dir(folder.join("node_modules/@embedded-postgres")).ok()?;
    (packages
        .flatten()
        .map(|package| package.path().join("native/bin")))
    .find(|programs| programs.join("initdb").exists())
}
