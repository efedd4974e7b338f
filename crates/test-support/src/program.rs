//! Starts a program, and waits until it listens.

use std::{
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use rustix::process::{Pid, kill_process_group};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

pub use rustix::process::Signal;

use crate::{Result, within};

const PATIENCE: Duration = Duration::from_secs(20);

/// A program that runs. It is killed when it is dropped, with all processes that it started.
pub struct Program {
    process: Child,
    pub address: SocketAddr,
}

impl Program {
    /// Starts a program, and waits until it listens on `address`.
    ///
    /// # Errors
    /// It can't be run, ends, or doesn't listen after 20 seconds.
    pub async fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let process = command.stdin(Stdio::null()).process_group(0).spawn();
        let process = process.map_err(|error| format!("can't run {name}: {error}"))?;
        let mut program = Self { process, address };
        let start = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = program.process.try_wait()? {
                return Err(format!("{name} has ended: {status}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{name} does not listen on {address}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(program)
    }

    /// Waits until a path is answered with this status, for 20 seconds at most.
    pub async fn answers(&self, path: &str, status: StatusCode) -> Result {
        let url = format!("http://{}{path}", self.address);
        within(PATIENCE, async || {
            match reqwest::get(&url).await?.status() {
                answered if answered == status => Ok(()),
                answered => Err(format!("{path} is not {status} but {answered}").into()),
            }
        })
        .await
    }

    /// Sends a signal to the program and all that it started.
    pub fn signal(&self, signal: Signal) -> Result {
        Ok(kill_process_group(Pid::from_child(&self.process), signal)?)
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.process.wait()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It fails when all have ended.
        _ = self.signal(Signal::KILL);
        _ = self.process.wait();
    }
}

/// Returns an address of this machine that nothing listens on.
pub async fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}
