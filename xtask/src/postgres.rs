//! A PostgreSQL server of our own, from the binaries on this machine.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{exists, output, run};

/// A server; dropped, it stops when this run has started it.
pub struct Postgres {
    binaries: PathBuf,
    folder: PathBuf,
    data: PathBuf,
    account: Option<Account>,
    options: String,
    pub url: String,
    /// By this run, which stops it then.
    started: bool,
}

/// PostgreSQL refuses to run as root: this user runs it then.
#[derive(Clone)]
struct Account {
    name: &'static str,
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Starts the server whose data is in `folder`, on a free port, with further `settings`; creates
    /// it when it is not there.
    pub fn start(folder: &Path, settings: &str) -> Result<Self> {
        let binaries = binaries()?;
        let account = match rustix::process::getuid().is_root() {
            true => Some(account()?),
            false => None,
        };
        let folder = &reachable(folder, account.as_ref())?;
        let mut server = Self {
            binaries,
            account,
            url: String::new(),
            options: String::new(),
            folder: folder.clone(),
            data: folder.join("data"),
            started: false,
        };
        if let Some(port) = server.running_on() {
            println!("it runs already, on port {port}");
            server.url = url(&port);
            return Ok(server);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        server.url = url(&port.to_string());
        if !server.data.join("PG_VERSION").exists() {
            run(server
                .command("initdb")
                .args([
                    "--auth=trust",
                    "--username=race",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--pgdata",
                ])
                .arg(&server.data)
                .stdout(std::process::Stdio::null()))?;
        }
        server.options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c max_connections=200 \
             -c unix_socket_directories='{}' {settings}",
            folder.display(),
        );
        server.start_again()?;
        Ok(server)
    }

    /// Starts a standby of this server, whose data is in `folder`, on a free port.
    ///
    /// # Errors
    /// This server doesn't run, or pg_basebackup is missing.
    pub fn start_standby(&self, folder: &Path, settings: &str) -> Result<Self> {
        let data = reachable(folder, self.account.as_ref())?.join("data");
        run(self
            .command("pg_basebackup")
            .args(["--write-recovery-conf", "--checkpoint=fast", "--dbname"])
            .arg(&self.url)
            .arg("--pgdata")
            .arg(data))?;
        Self::start(folder, settings)
    }

    /// Starts it after a [`stop`](Self::stop) or [`kill`](Self::kill), on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        let log = self.folder.join("log");
        run(self
            .command("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(&self.data)
            .arg("--log")
            .arg(&log)
            .args(["--options", &self.options]))
        .with_context(|| format!("PostgreSQL does not start; its log is {}", log.display()))?;
        self.started = true;
        Ok(())
    }

    /// The port of the server that another run has started on this data.
    fn running_on(&self) -> Option<String> {
        output(
            self.command("pg_ctl")
                .args(["status", "--pgdata"])
                .arg(&self.data),
        )?;
        let notes = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        notes.lines().nth(3).map(str::to_owned)
    }

    /// Stops it, as an administrator would: connections are closed.
    pub fn stop(&self) {
        // The next start recovers what a failing stop leaves.
        _ = self
            .command("pg_ctl")
            .args(["stop", "--wait", "--silent", "--mode=fast", "--pgdata"])
            .arg(&self.data)
            .status();
    }

    /// Kills it with SIGKILL, as the kernel would when memory is short.
    ///
    /// # Errors
    /// It doesn't run.
    pub fn kill(&self) -> Result<()> {
        // The others end when they miss the first.
        self.signal(self.first_process()?, Signal::KILL)?;
        while self
            .first_process()
            .is_ok_and(|first| Path::new("/proc").join(first.to_string()).exists())
        {
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Stops all of its processes where they are: connections hang.
    ///
    /// # Errors
    /// It doesn't run.
    pub fn pause(&self) -> Result<()> {
        self.signal_all(Signal::STOP)
    }

    /// Goes on after [`pause`](Self::pause).
    ///
    /// # Errors
    /// It doesn't run.
    pub fn resume(&self) -> Result<()> {
        self.signal_all(Signal::CONT)
    }

    fn signal_all(&self, signal: Signal) -> Result<()> {
        let first = self.first_process()?;
        self.signal(first, signal)?;
        let children = output(Command::new("pgrep").args(["-P", &first.to_string()]));
        for child in children.unwrap_or_default().lines() {
            // One may have ended meanwhile.
            _ = self.signal(child.parse()?, signal);
        }
        Ok(())
    }

    fn signal(&self, process: i32, signal: Signal) -> Result<()> {
        let process = Pid::from_raw(process).context("no process")?;
        Ok(kill_process(process, signal)?)
    }

    fn first_process(&self) -> Result<i32> {
        let notes = fs::read_to_string(self.data.join("postmaster.pid"))?;
        Ok(notes.lines().next().unwrap_or_default().trim().parse()?)
    }

    fn command(&self, program: &str) -> Command {
        let program = self.binaries.join(program);
        let mut command = match &self.account {
            Some(account) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={}", account.uid))
                    .arg(format!("--regid={}", account.gid))
                    .args(["--clear-groups", "--"])
                    .arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.started {
            self.stop();
        }
    }
}

fn url(port: &str) -> String {
    format!("postgres://race@127.0.0.1:{port}/postgres")
}

/// The folder of the newest initdb and pg_ctl.
fn binaries() -> Result<PathBuf> {
    let has_server =
        |folder: &PathBuf| folder.join("initdb").exists() && folder.join("pg_ctl").exists();
    let version = |folder: &PathBuf| {
        let name = folder
            .parent()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned());
        name.and_then(|name| name.parse::<u32>().ok())
    };
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|folder| folder.path().join("bin"))
        .filter(has_server)
        .collect();
    installed.sort_by_key(version);
    let by_config = || {
        output(Command::new("pg_config").arg("--bindir"))
            .map(PathBuf::from)
            .filter(has_server)
    };
    let on_path = || env::split_paths(&env::var_os("PATH")?).find(has_server);
    installed.pop().or_else(by_config).or_else(on_path).context(
        "DATABASE_URL is not set, and there are no PostgreSQL binaries (initdb, pg_ctl) to run a server \
         of our own. Install PostgreSQL 15 or newer (Debian, Ubuntu: apt-get install postgresql; \
         Fedora: dnf install postgresql-server; macOS: brew install postgresql), or set DATABASE_URL",
    )
}

fn account() -> Result<Account> {
    ensure!(
        exists("setpriv"),
        "PostgreSQL does not run as root, and setpriv (util-linux) is missing to run it as another user"
    );
    let id = |name: &str, what: &str| output(Command::new("id").args([what, name]))?.parse().ok();
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id(name, "-u"), id(name, "-g")) {
            return Ok(Account { name, uid, gid });
        }
    }
    bail!("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

/// `folder`, or where the account that runs the server can't reach it, one that it can.
fn reachable(folder: &Path, account: Option<&Account>) -> Result<PathBuf> {
    let Some(account) = account else {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        return Ok(folder.to_owned());
    };
    let others_may_pass =
        |folder: &Path| fs::metadata(folder).is_ok_and(|data| data.mode() & 0o001 != 0);
    let parent = folder.parent().context("a folder has a parent")?;
    let folder = if parent
        .ancestors()
        .filter(|folder| folder.exists())
        .all(others_may_pass)
    {
        folder.to_owned()
    } else {
        let name: String = folder
            .to_string_lossy()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let elsewhere = Path::new("/var/tmp").join(format!("race-bib{name}"));
        println!(
            "the user {} can't reach {}: PostgreSQL's data is in {}",
            account.name,
            folder.display(),
            elsewhere.display()
        );
        elsewhere
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder.parent().context("a folder has a parent")?)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    chown(&folder, Some(account.uid), Some(account.gid))?;
    Ok(folder)
}
