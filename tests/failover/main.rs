//! The program while its PostgreSQL fails over. Patroni has three servers; their first one is stopped,
//! killed, hung and cut off under load. `cargo xtask test failover` installs what that needs.
#![cfg(feature = "ssr")]

#[path = "../program/app.rs"]
#[allow(dead_code, unused_imports, reason = "tests/program needs all of it")]
mod app;
mod cluster;

use std::time::Duration;

use app::{Result, within};
use cluster::{Cluster, Commits};
use test_support::{Load, Outcome};
use tokio::time::sleep;

/// Runs load on two instances, breaks something, and waits until pushes are stored again.
async fn outcome_of(
    name: &str,
    commits: Commits,
    harm: impl AsyncFnOnce(&mut Cluster) -> Result,
) -> Result<Outcome> {
    let mut cluster = Cluster::start(commits).await?;
    let (one, other) = (
        app::ready(&cluster.url).await?,
        app::ready(&cluster.url).await?,
    );
    let load = Load::start([one.address, other.address]).await?;
    sleep(Duration::from_secs(2)).await;
    harm(&mut cluster).await?;
    // The load goes on for a while after the last push that waited.
    load.is_stored_again().await?;
    sleep(Duration::from_secs(2)).await;
    let outcome = load.end().await?;
    println!("{name}: {outcome}");
    Ok(outcome)
}

#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn a_planned_switchover_is_noticed_by_nobody() -> Result {
    let harm = async |cluster: &mut Cluster| cluster.switch_over().await;
    let outcome = outcome_of("switchover", Commits::Synchronous, harm).await?;
    outcome.lost_nothing();
    outcome.failed_no_push();
    Ok(())
}

#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn the_death_of_the_primary_s_postmaster_is_noticed_by_nobody() -> Result {
    let harm = async |cluster: &mut Cluster| cluster.kill_postmaster(cluster.primary().await?);
    let outcome = outcome_of("postmaster killed", Commits::Synchronous, harm).await?;
    outcome.lost_nothing();
    outcome.failed_no_push();
    Ok(())
}

#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn the_death_of_the_primary_s_machine_loses_nothing() -> Result {
    let harm = async |cluster: &mut Cluster| cluster.kill_machine(cluster.primary().await?);
    outcome_of("machine killed", Commits::Synchronous, harm)
        .await?
        .lost_nothing();
    Ok(())
}

#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn a_primary_that_hangs_for_12_seconds_and_goes_on_loses_nothing() -> Result {
    let harm = async |cluster: &mut Cluster| {
        let primary = cluster.primary().await?;
        cluster.hang(primary)?;
        sleep(Duration::from_secs(12)).await;
        cluster.go_on(primary)
    };
    outcome_of("primary hung", Commits::Synchronous, harm)
        .await?
        .lost_nothing();
    Ok(())
}

#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn without_etcd_all_goes_on() -> Result {
    let harm = async |cluster: &mut Cluster| {
        cluster.stop_etcd();
        sleep(Duration::from_secs(8)).await;
        Ok(())
    };
    let outcome = outcome_of("etcd gone", Commits::Synchronous, harm).await?;
    outcome.lost_nothing();
    outcome.failed_no_push();
    Ok(())
}

/// The standbys receive nothing for a second; then the primary's machine dies with what is on the wire.
async fn die_while_standbys_lag(cluster: &mut Cluster) -> Result {
    let primary = cluster.primary().await?;
    // Patroni may just be restarting a standby.
    let receivers = within(Duration::from_secs(10), async || {
        cluster.stop_receivers(primary)
    })
    .await?;
    sleep(Duration::from_secs(1)).await;
    cluster.kill_machine(primary)?;
    cluster.end_receivers(&receivers)
}

#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn a_primary_that_dies_while_its_standbys_lag_loses_nothing() -> Result {
    let outcome = outcome_of("lag", Commits::Synchronous, die_while_standbys_lag).await?;
    outcome.lost_nothing();
    Ok(())
}

/// The control: the same harm must be seen to lose something.
#[tokio::test]
#[ignore = "cargo xtask test failover"]
async fn without_synchronous_standbys_the_same_loses_messages() -> Result {
    let outcome = outcome_of(
        "lag, asynchronous",
        Commits::Asynchronous,
        die_while_standbys_lag,
    )
    .await?;
    assert!(outcome.lost >= 10, "the test has no teeth: {outcome}");
    Ok(())
}
