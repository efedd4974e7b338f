//! Many instances behind a proxy that sends each request to any of them. They come and go under load.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::StatusCode;
use test_support::{Load, Signal, TestPostgres, free_address};
use tokio::time::sleep;

use crate::{
    app::{self, PROGRAM, Program, Result, postgres},
    nginx::Nginx,
};

#[tokio::test]
async fn instances_are_added_and_killed_under_load() -> Result {
    let Some(site) = Site::prepare().await? else {
        return Ok(());
    };
    let today = Path::new(PROGRAM);
    let first = site.start(0, today).await?;
    let _second = site.start(1, today).await?;
    let load = Load::start([site.proxy.address; 2]).await?;
    sleep(Duration::from_secs(1)).await;
    let _third = site.start(2, today).await?;
    sleep(Duration::from_secs(1)).await;
    first.signal(Signal::KILL)?;
    drop(first);
    load.is_stored_again().await?;
    let _again = site.start(0, today).await?;
    sleep(Duration::from_secs(1)).await;
    let outcome = load.end().await?;
    println!("killed: {outcome}");
    outcome.lost_no_message();
    Ok(())
}

/// The release before is the program at the path PREVIOUS_RELEASE, and by default this one.
// The load goes on while the test waits for an instance that ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_deploy_and_the_way_back_lose_nothing_and_fail_nothing() -> Result {
    let Some(site) = Site::prepare().await? else {
        return Ok(());
    };
    let previous = env::var_os("PREVIOUS_RELEASE").unwrap_or_else(|| PROGRAM.into());
    let (previous, next) = (PathBuf::from(previous), PathBuf::from(PROGRAM));
    let mut instances = Vec::new();
    for place in 0..3 {
        instances.push(site.start(place, &previous).await?);
    }
    let load = Load::start([site.proxy.address; 2]).await?;
    for release in [&next, &previous] {
        for (place, instance) in instances.iter_mut().enumerate() {
            instance.signal(Signal::TERM)?;
            instance.wait()?;
            *instance = site.start(place, release).await?;
            sleep(Duration::from_millis(500)).await;
        }
    }
    let outcome = load.end().await?;
    println!("rolling deploy: {outcome}");
    outcome.lost_nothing();
    outcome.failed_no_push();
    Ok(())
}

/// A database, nginx, and three addresses for instances.
struct Site {
    proxy: Nginx,
    instances: [SocketAddr; 3],
    database: TestPostgres,
}

impl Site {
    /// Returns `None` if there is no nginx and none can be installed.
    async fn prepare() -> Result<Option<Self>> {
        let instances = [
            free_address().await?,
            free_address().await?,
            free_address().await?,
        ];
        let Some(proxy) = Nginx::start(&instances).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            proxy,
            instances,
            database: postgres("")?,
        }))
    }

    /// Starts an instance of a release at one of the addresses, and waits until it is ready.
    async fn start(&self, place: usize, release: &Path) -> Result<Program> {
        let address = self.instances[place];
        let mut command = app::command(release, &self.database.url, address);
        let instance = Program::start(&mut command, address).await?;
        instance.answers("/readyz", StatusCode::OK).await?;
        Ok(instance)
    }
}
