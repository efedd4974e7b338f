//! What a machine may lack: a file a thing, and here their installation, side by side where that helps.

pub mod apt;
pub mod browsers;
pub mod cargo_tools;
pub mod npm;
pub mod postgres;
pub mod servers;
pub mod wasm_target;

use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Error, Result, anyhow, ensure};

use crate::{command::stopped, steps::elapsed};

pub use browsers::{CHROMIUM, FIREFOX};
pub use cargo_tools::{CARGO_DENY, CARGO_FUZZ, CARGO_LEPTOS, CARGO_MACHETE, WASM_BINDGEN};
pub use npm::NPM_PACKAGES;
pub use postgres::POSTGRES;
pub use servers::FAILOVER;
pub use wasm_target::WASM_TARGET;

/// Something that a command needs.
#[derive(Clone, Copy)]
pub struct Need {
    pub name: &'static str,
    /// How long its installation takes on 2 cores.
    usual: &'static str,
    lane: Lane,
    is_there: fn() -> bool,
    install: fn() -> Result<()>,
}

/// A lane installs one thing after the other. Lanes run side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// The toolchain, before anything is compiled with it.
    Toolchain,
    Compile,
    Download,
}

pub struct Failure {
    pub name: &'static str,
    pub reason: Error,
}

/// Installs all that is missing.
///
/// # Errors
/// Something can't be installed. The error says what, why and its cure.
pub fn install(needs: &[Need], meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
    let failures = install_lanes(needs, meanwhile, OnFailure::Stop);
    if failures.is_empty() {
        return Ok(());
    }
    let reasons = failures
        .iter()
        .map(|failure| format!("{:#}", failure.reason));
    Err(anyhow!(reasons.collect::<Vec<_>>().join("\n\n")))
}

/// Installs all that is missing and can be had. Returns what can't.
pub fn try_to_install(needs: &[Need], meanwhile: impl FnOnce() -> Result<()>) -> Vec<Failure> {
    install_lanes(needs, meanwhile, OnFailure::GoOn)
}

#[derive(PartialEq, Eq)]
enum OnFailure {
    GoOn,
    /// Before minutes of compilation that would help nothing.
    Stop,
}

/// Runs `meanwhile`, a compilation that is due afterwards, while tools are compiled: two at a time use
/// the cores better than one after the other.
fn install_lanes(
    needs: &[Need],
    meanwhile: impl FnOnce() -> Result<()>,
    on_failure: OnFailure,
) -> Vec<Failure> {
    let mut missing: Vec<Need> = Vec::new();
    for need in needs {
        if !missing.iter().any(|other| other.name == need.name) && !(need.is_there)() {
            missing.push(*need);
        }
    }
    let started = AtomicUsize::new(0);
    let lane = |lane| -> Vec<Failure> {
        let needs = missing.iter().filter(|need| need.lane == lane);
        let needs = needs.take_while(|_| !stopped());
        let install = |need: &Need| {
            let number = 1 + started.fetch_add(1, Ordering::Relaxed);
            let step = format!("setup {number} of {}", missing.len());
            need.install_as(&step).err().map(|reason| Failure {
                name: need.name,
                reason,
            })
        };
        needs.filter_map(install).collect()
    };
    thread::scope(|scope| {
        let downloads = scope.spawn(|| lane(Lane::Download));
        let mut failures = lane(Lane::Toolchain);
        if failures.is_empty() || on_failure == OnFailure::GoOn {
            let compilations = scope.spawn(|| lane(Lane::Compile));
            if missing.iter().any(|need| need.lane == Lane::Compile) {
                // An error shows again in the step that this prepares.
                _ = meanwhile();
            }
            failures.extend(joined(compilations));
        }
        failures.extend(joined(downloads));
        failures
    })
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

impl Need {
    pub fn is_there(&self) -> bool {
        (self.is_there)()
    }

    fn install_as(&self, step: &str) -> Result<()> {
        println!("\n▸ {step}: {}, usually {}", self.name, self.usual);
        let start = Instant::now();
        let find = |()| {
            ensure!((self.is_there)(), "it was installed, but is not found");
            Ok(())
        };
        match (self.install)().and_then(find) {
            Ok(()) => {
                println!("✓ {step}: {}, {}", self.name, elapsed(start));
                Ok(())
            }
            Err(reason) => {
                println!("✗ {step}: {}: {reason:#}", self.name);
                Err(reason.context(format!("✗ {}", self.name)))
            }
        }
    }
}
