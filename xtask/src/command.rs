//! Runs programs, and stops them with all that they started.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C and SIGTERM end the program that is running, and then this one.
pub fn stop_on_signals() -> Result<()> {
    ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed)).context("can't handle signals")
}

pub fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// Runs a program to its end.
///
/// # Errors
/// It is missing, fails, or Ctrl-C came.
pub fn run(command: &mut Command) -> Result<()> {
    let mut child = Group::spawn(command)?;
    while child.is_running()? {
        if stopped() {
            bail!("stopped");
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.succeeded()
}

/// What a program prints, without the white space around it. None when it is missing or fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Whether a program of this name is on the PATH.
pub fn exists(program: &str) -> bool {
    output(Command::new("sh").args(["-c", "command -v \"$0\"", program])).is_some()
}

/// A program in a process group of its own. Dropped, all of the group is stopped.
pub struct Group {
    name: String,
    child: Child,
}

impl Group {
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("can't run {name}"))?;
        Ok(Self { name, child })
    }

    /// The number of the group, and of the program that leads it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// # Errors
    /// It ended with a failure.
    pub fn succeeded(&mut self) -> Result<()> {
        match self.child.wait()? {
            status if status.success() => Ok(()),
            status => bail!("{} failed ({status}); its own words are above", self.name),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It fails when all of the group have ended.
            _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let patience = Instant::now() + Duration::from_secs(10);
        while Instant::now() < patience && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        // Also what the program left behind.
        self.signal(Signal::KILL);
        _ = self.child.wait();
    }
}
