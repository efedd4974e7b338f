//! Many instances behind a proxy that sends each request to any of them. They come and go under load.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use reqwest::StatusCode;
use tempfile::{TempDir, tempdir};
use test_support::{Signal, free_address};
use tokio::time::sleep;
use xtask::setup::servers;

use crate::{
    app::{self, PROGRAM, Program, Result, postgres},
    load::Load,
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

/// The release before is that of PREVIOUS_RELEASE, the path of its program; else it is this one.
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
    proxy: Program,
    instances: [SocketAddr; 3],
    database: test_support::TestPostgres,
    _folder: TempDir,
}

impl Site {
    /// Returns `None` if there is no nginx and none can be installed.
    async fn prepare() -> Result<Option<Self>> {
        let nginx = match servers::nginx() {
            Ok(nginx) => nginx,
            Err(reason) => {
                println!("skipped: {reason:#}");
                return Ok(None);
            }
        };
        let folder = tempdir()?;
        let (address, one, two, three) = (
            free_address().await?,
            free_address().await?,
            free_address().await?,
            free_address().await?,
        );
        let settings = format!(
            "daemon off;
            user root;
            pid nginx.pid;
            error_log stderr crit;
            events {{}}
            http {{
                access_log off;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                upstream instances {{
                    server {one} max_fails=0;
                    server {two} max_fails=0;
                    server {three} max_fails=0;
                }}
                server {{
                    listen {address};
                    location / {{
                        proxy_pass http://instances;
                        proxy_set_header Host $http_host;
                    }}
                }}
            }}"
        );
        fs::write(folder.path().join("nginx.conf"), settings)?;
        let mut command = Command::new(nginx);
        command
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf"]);
        Ok(Some(Self {
            proxy: Program::start(&mut command, address).await?,
            instances: [one, two, three],
            database: postgres("")?,
            _folder: folder,
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
