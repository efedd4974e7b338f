//! Says what is being done and how long it took.

use std::time::Instant;

use anyhow::{Context, Result};

/// Runs a step; its name leads the error.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n▸ {name}");
    let start = Instant::now();
    let done = work().with_context(|| format!("✗ {name}"))?;
    println!("✓ {name}: {}", elapsed(start));
    Ok(done)
}

pub fn elapsed(start: Instant) -> String {
    let seconds = start.elapsed().as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}
