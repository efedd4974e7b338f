//! `cargo xtask postgres`: the database of `serve` alone, for `cargo leptos watch` by hand.

use std::{thread, time::Duration};

use anyhow::Result;

use crate::{command::stopped, database};

pub fn postgres() -> Result<()> {
    let database = database::to_keep()?;
    println!("\nDATABASE_URL={}", database.url);
    while !stopped() {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
