//! `cargo xtask bench`: race-bib, its peers and the floor, in turns, on one PostgreSQL.

mod contender;
mod growth;
mod kept;
mod load;
mod measure;
#[cfg_attr(not(target_os = "linux"), path = "no_processes.rs")]
mod processes;
mod profile;
mod report;

use std::{env, time::Duration};

use anyhow::{Result, bail};
use xtask::{
    command::{self, root},
    postgres::Postgres,
    steps::step,
};

use crate::{contender::Contender, measure::Measured};

/// How often each contender has its turn.
const ROUNDS: usize = 5;

fn main() -> Result<()> {
    command::stop_on_signals()?;
    step("build", contender::build)?;
    let settings = "-c shared_preload_libraries=pg_stat_statements -c shared_buffers=512MB \
                    -c synchronous_commit=on -c max_wal_size=4GB";
    let postgres = step("PostgreSQL", || {
        Postgres::start(&root().join("target/bench-postgres"), settings)
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            done = measure_all(&postgres.url) => done,
            () = stopped() => bail!("stopped"),
        }
    })
}

async fn measure_all(postgres: &str) -> Result<()> {
    let contenders = Contender::start_all(postgres).await?;
    kept::write(&contenders).await?;
    if env::args().any(|argument| argument == "kept") {
        return Ok(());
    }
    let mut measured = Measured::default();
    for round in 1..=ROUNDS {
        for contender in &contenders {
            for scenario in load::SCENARIOS {
                let figures = measure::turn(contender, scenario).await?;
                println!(
                    "{round}/{ROUNDS} {:14} {:34} {figures}",
                    contender.name, scenario.name
                );
                measured.add(contender.name, scenario.name, figures);
            }
        }
    }
    let mut profiles = String::new();
    for (scenario, name) in [(0, "stranger"), (2, "message")] {
        let scenario = load::SCENARIOS[scenario];
        profiles += &profile::write(&contenders[0], scenario, name).await?;
    }
    drop(contenders);
    let growth = growth::measure(postgres).await?;
    report::write(&measured, &growth, &profiles)
}

async fn stopped() {
    while !command::stopped() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
