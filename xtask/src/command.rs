//! Runs programs, and stops them with all that they started.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use xshell::{Cmd, Shell};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C and SIGTERM end the running programs, and then this one.
pub fn stop_on_signals() -> Result<()> {
    ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed)).context("can't handle signals")
}

pub fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// Returns the folder of the workspace.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Returns a shell in the workspace's folder that finds the programs which `setup` installs.
pub fn shell() -> Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(root());
    shell.set_var("PATH", env::join_paths(path())?);
    Ok(shell)
}

/// Returns the folder where cargo installs programs.
pub fn cargo_bin() -> Option<PathBuf> {
    let home = || Some(Path::new(&env::var_os("HOME")?).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)?;
    Some(cargo.join("bin"))
}

fn path() -> Vec<PathBuf> {
    let installed = [Some(root().join("end2end/node_modules/.bin")), cargo_bin()];
    let path = env::var_os("PATH").unwrap_or_default();
    (installed.into_iter().flatten())
        .chain(env::split_paths(&path))
        .collect()
}

/// Returns the path of the first of these programs that is installed.
pub fn find(programs: &[&str]) -> Option<PathBuf> {
    let mut folders = path();
    // Debian keeps servers there, and only root has it on the PATH.
    folders.push("/usr/sbin".into());
    let folders = &folders;
    let mut paths = (programs.iter())
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    let is_program = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0)
    };
    paths.find(is_program)
}

pub fn exists(program: &str) -> bool {
    find(&[program]).is_some()
}

/// Prints a command, then runs it to its end.
///
/// # Errors
/// The program is missing, it fails, or Ctrl-C came.
pub fn run(cmd: Cmd) -> Result<()> {
    eprintln!("$ {cmd}");
    run_quietly(&mut command(cmd))
}

/// Runs a program to its end.
///
/// # Errors
/// The program is missing, it fails, or Ctrl-C came.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let mut child = Group::spawn(command)?;
    while child.is_running()? {
        if stopped() {
            bail!("stopped");
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.succeeded()
}

/// Returns what a command prints, without the white space around it; `None` when it fails.
pub fn read(cmd: Cmd) -> Option<String> {
    output(&mut command(cmd))
}

/// Returns what a program prints, without the white space around it; `None` when it fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Returns the command without the variables of the cargo that runs this program. They would overrule
/// the toolchain of this folder, and build scripts that look at them (ring's) would run again.
pub fn command(cmd: Cmd) -> Command {
    let mut command = Command::from(cmd);
    for name in env::vars_os().map(|(name, _)| name).filter(is_of_cargo) {
        command.env_remove(name);
    }
    command
}

fn is_of_cargo(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(&*name, "CARGO" | "RUSTC" | "RUSTDOC" | "RUSTUP_TOOLCHAIN")
}

/// A program in a process group of its own. Dropped, the whole group is stopped.
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

    /// Returns the number of the group, and of the program that leads it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits until the program ends.
    ///
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
