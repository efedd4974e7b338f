//! A PostgreSQL server of our own.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    account::{self, Account},
    command::{output, run_quietly},
    setup::postgres::binaries,
};

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

impl Postgres {
    /// Starts the server whose data is in `folder`, on a free port, with further `settings`; creates
    /// it when it is not there.
    pub fn start(folder: &Path, settings: &str) -> Result<Self> {
        let binaries = binaries()?;
        let account = Account::needed()?;
        let folder = &account::create(folder, account.as_ref())?;
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
        if server.data.join("PG_VERSION").exists() {
            server.check_version()?;
        } else {
            run_quietly(
                server
                    .command("initdb")
                    .args([
                        "--auth=trust",
                        "--username=race",
                        "--encoding=UTF8",
                        "--locale=C",
                        "--pgdata",
                    ])
                    .arg(&server.data)
                    .stdout(std::process::Stdio::null()),
            )?;
        }
        server.options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c max_connections=200 \
             -c unix_socket_directories='{}' {settings}",
            folder.display(),
        );
        server.start_again()?;
        Ok(server)
    }

    /// # Errors
    /// Another version of PostgreSQL has made the data.
    fn check_version(&self) -> Result<()> {
        let made_by = fs::read_to_string(self.data.join("PG_VERSION"))?;
        let version = output(self.command("initdb").arg("--version")).unwrap_or_default();
        ensure!(
            version.contains(&format!(") {}.", made_by.trim())),
            "{} was made by PostgreSQL {}, but here is {version}. Install that version, or remove the folder",
            self.data.display(),
            made_by.trim()
        );
        Ok(())
    }

    /// Starts a standby of this server, whose data is in `folder`, on a free port. This server stops
    /// for the moment in which its data is copied: not every PostgreSQL comes with pg_basebackup.
    ///
    /// # Errors
    /// This server doesn't start again, or the standby doesn't start.
    pub fn start_standby(&self, folder: &Path, settings: &str) -> Result<Self> {
        let account = self.account.as_ref();
        let copy = account::create(folder, account)?.join("data");
        self.stop();
        run_quietly(Command::new("cp").arg("-a").args([&self.data, &copy]))?;
        self.pg_ctl_start()?;
        let signal = copy.join("standby.signal");
        fs::write(&signal, "")?;
        account.map_or(Ok(()), |account| account.own(&signal))?;
        let settings = format!("{settings} -c primary_conninfo='{}'", self.url);
        Self::start(folder, &settings)
    }

    /// Starts it after a [`stop`](Self::stop) or [`kill`](Self::kill), on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        self.pg_ctl_start()?;
        self.started = true;
        Ok(())
    }

    fn pg_ctl_start(&self) -> Result<()> {
        let log = self.folder.join("log");
        run_quietly(
            self.command("pg_ctl")
                .args(["start", "--wait", "--silent", "--pgdata"])
                .arg(&self.data)
                .arg("--log")
                .arg(&log)
                .args(["--options", &self.options]),
        )
        .with_context(|| format!("PostgreSQL does not start; its log is {}", log.display()))
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
                let mut command = account.setpriv();
                command.arg(program);
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
