//! A TCP proxy in front of PostgreSQL that fails as networks do.

use std::net::Ipv4Addr;

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::app::Result;

/// It ends with the runtime of its test.
pub struct Proxy {
    /// The database, through the proxy.
    pub url: String,
    target: watch::Sender<u16>,
    silences: watch::Sender<()>,
}

impl Proxy {
    /// Starts a proxy in front of this database.
    pub async fn start(database_url: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = port(database_url)?;
        let own = listener.local_addr()?.port();
        let (target, targets) = watch::channel(port);
        let silences = watch::Sender::new(());
        let silent = silences.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, *targets.borrow(), silent.subscribe()));
            }
        });
        let url = database_url.replace(&format!(":{port}/"), &format!(":{own}/"));
        Ok(Self {
            url,
            target,
            silences,
        })
    }

    /// Makes the open connections silent for ever, without closing them. New ones pass. A router that
    /// forgot its connections does that, or a virtual machine that is gone.
    pub fn silence(&self) {
        self.silences.send_replace(());
    }

    /// Leads new connections to another database. The open ones stay where they are.
    pub fn move_to(&self, database_url: &str) -> Result {
        self.target.send_replace(port(database_url)?);
        Ok(())
    }
}

async fn forward(mut client: TcpStream, port: u16, mut silences: watch::Receiver<()>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        Ok(()) = silences.changed() => std::future::pending().await,
    }
}

fn port(database_url: &str) -> Result<u16> {
    Ok(database_url.parse::<PgConnectOptions>()?.get_port())
}
