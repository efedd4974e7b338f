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
    ends: watch::Sender<End>,
}

/// How the open connections end.
#[derive(Clone, Copy)]
enum End {
    Silent,
    Closed,
}

impl Proxy {
    /// Starts a proxy in front of this database.
    pub async fn start(database_url: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = port(database_url)?;
        let own = listener.local_addr()?.port();
        let (target, targets) = watch::channel(port);
        let ends = watch::Sender::new(End::Closed);
        let ending = ends.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, *targets.borrow(), ending.subscribe()));
            }
        });
        let url = database_url.replace(&format!(":{port}/"), &format!(":{own}/"));
        Ok(Self { url, target, ends })
    }

    /// Makes the open connections silent for ever, without closing them. New ones pass. A router that
    /// forgot its connections does that, or a virtual machine that is gone.
    pub fn silence(&self) {
        self.ends.send_replace(End::Silent);
    }

    /// Closes the open connections, without the words with which PostgreSQL ends one. Firewalls do that
    /// with connections that are idle.
    pub fn close(&self) {
        self.ends.send_replace(End::Closed);
    }

    /// Leads new connections to another database. The open ones stay where they are.
    pub fn move_to(&self, database_url: &str) -> Result {
        self.target.send_replace(port(database_url)?);
        Ok(())
    }
}

async fn forward(mut client: TcpStream, port: u16, mut ends: watch::Receiver<End>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        Ok(()) = ends.changed() => {}
    }
    let end = *ends.borrow();
    if let End::Silent = end {
        std::future::pending().await
    }
}

fn port(database_url: &str) -> Result<u16> {
    Ok(database_url.parse::<PgConnectOptions>()?.get_port())
}
