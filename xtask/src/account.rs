//! The user that runs PostgreSQL where this program is root, and folders that this user can reach.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{exists, output};

pub struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Returns the user that runs PostgreSQL for root, since it refuses to run as root; `None` for
    /// any other user.
    pub fn needed() -> Result<Option<Self>> {
        if !rustix::process::getuid().is_root() {
            return Ok(None);
        }
        ensure!(
            exists("setpriv"),
            "PostgreSQL does not run as root, and setpriv (util-linux) is missing to run it as another user"
        );
        let id =
            |name: &str, what: &str| output(Command::new("id").args([what, name]))?.parse().ok();
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id(name, "-u"), id(name, "-g")) {
                return Ok(Some(Self { uid, gid }));
            }
        }
        bail!(
            "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as"
        )
    }

    /// Returns the program that runs, as this user, the one in its arguments.
    pub fn setpriv(&self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={}", self.uid))
            .arg(format!("--regid={}", self.gid))
            .args(["--clear-groups", "--"]);
        command
    }

    /// Makes this user the owner of a file.
    pub fn own(&self, file: &Path) -> io::Result<()> {
        chown(file, Some(self.uid), Some(self.gid))
    }
}

/// Creates a folder for PostgreSQL's data and returns where it is.
pub fn create(folder: &Path, account: Option<&Account>) -> Result<PathBuf> {
    let reachable = reachable(folder);
    if reachable != folder {
        let (from, to) = (folder.display(), reachable.display());
        println!("PostgreSQL's user can't reach {from}: its data is in {to}");
    }
    fs::create_dir_all(reachable.parent().context("a folder has a parent")?)?;
    (fs::DirBuilder::new().recursive(true).mode(0o700)).create(&reachable)?;
    if let Some(account) = account {
        account.own(&reachable)?;
    }
    Ok(reachable)
}

/// Returns the folder; or another one where this program is root and other users can't reach it.
pub fn reachable(folder: &Path) -> PathBuf {
    let others_may_pass =
        |folder: &Path| fs::metadata(folder).is_ok_and(|data| data.mode() & 0o001 != 0);
    let mut parents = folder.ancestors().skip(1).filter(|parent| parent.exists());
    if !rustix::process::getuid().is_root() || parents.all(others_may_pass) {
        return folder.to_owned();
    }
    let name = folder.to_string_lossy();
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    Path::new("/var/tmp").join(format!("race-bib{name}"))
}
