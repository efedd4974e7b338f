//! nginx in front of one or more instances, with the settings that it has when nobody sets them.

use std::{fs, net::SocketAddr, process::Command};

use tempfile::{TempDir, tempdir};
use test_support::free_address;
use xtask::setup::servers;

use crate::app::{Program, Result};

/// Dropped, it stops.
pub struct Nginx {
    pub address: SocketAddr,
    _program: Program,
    _folder: TempDir,
}

impl Nginx {
    /// Returns `None` if there is no nginx and none can be installed.
    pub async fn start(instances: &[SocketAddr]) -> Result<Option<Self>> {
        let nginx = match servers::nginx() {
            Ok(nginx) => nginx,
            Err(reason) => {
                println!("skipped: {reason:#}");
                return Ok(None);
            }
        };
        let address = free_address().await?;
        let folder = tempdir()?;
        // nginx takes an instance that is restarted for a broken one otherwise.
        let servers = instances
            .iter()
            .map(|one| format!("server {one} max_fails=0; "));
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
                upstream instances {{ {} }}
                server {{
                    listen {address};
                    location / {{
                        proxy_pass http://instances;
                        proxy_set_header Host $http_host;
                    }}
                }}
            }}",
            servers.collect::<String>()
        );
        fs::write(folder.path().join("nginx.conf"), settings)?;
        let mut command = Command::new(nginx);
        command.arg("-p").arg(folder.path());
        command.args(["-c", "nginx.conf"]);
        Ok(Some(Self {
            address,
            _program: Program::start(&mut command, address).await?,
            _folder: folder,
        }))
    }
}
