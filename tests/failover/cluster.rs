//! A PostgreSQL that fails over: three servers under Patroni, etcd, and HAProxy in front. Of Debian 12's
//! packages, with its Patroni 3.0, only the section `etcd` is safe: with `etcd3` a primary that hung may
//! take the leadership back (Patroni's pull requests 2689 and 2693).

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use test_support::free_address;
use xtask::{
    account::{self, Account},
    command::output,
    setup::servers::{self, Failover},
};

use crate::app::{Program, Result, within};

/// Whether a commit waits for a standby.
#[derive(Clone, Copy, PartialEq)]
pub enum Commits {
    Synchronous,
    Asynchronous,
}

/// Dropped, all of it is stopped and deleted.
pub struct Cluster {
    /// The address of the primary, whichever server that is.
    pub url: String,
    nodes: Vec<Node>,
    etcd: Option<Program>,
    _proxy: Program,
    // Dropped last.
    _folder: TempDir,
}

/// A server, with the Patroni that watches it.
struct Node {
    patroni: Program,
    database: SocketAddr,
    data: PathBuf,
}

const NODES: usize = 3;

impl Cluster {
    /// Starts all of it, and waits until two standbys stream.
    pub async fn start(commits: Commits) -> Result<Self> {
        let programs = servers::failover()?;
        let account = Account::needed()?;
        let folder = tempfile::tempdir_in("/tmp")?;
        let root = &account::create(folder.path(), account.as_ref())?;
        let (client, peer, proxy) = (
            free_address().await?,
            free_address().await?,
            free_address().await?,
        );
        let mut command = etcd(&programs.etcd, root, client, peer);
        quiet(&mut command, &root.join("etcd.log"))?;
        let etcd = Program::start(&mut command, client).await?;
        let mut nodes = Vec::new();
        let mut backends = String::new();
        for number in 0..NODES {
            let (rest, database) = (free_address().await?, free_address().await?);
            let data = root.join(format!("data{number}"));
            let settings = root.join(format!("patroni{number}.yml"));
            fs::write(
                &settings,
                patroni(number, root, rest, database, client, commits, &programs),
            )?;
            let mut command = as_account(account.as_ref(), &programs.patroni);
            command.arg(&settings).current_dir(root);
            quiet(&mut command, &root.join(format!("patroni{number}.log")))?;
            let patroni = Program::start(&mut command, rest).await?;
            backends += &format!("  server n{number} {database} check port {}\n", rest.port());
            nodes.push(Node {
                patroni,
                database,
                data,
            });
        }
        let settings = root.join("haproxy.cfg");
        fs::write(&settings, haproxy(proxy, &backends))?;
        let mut command = Command::new(&programs.haproxy);
        command.arg("-f").arg(&settings);
        quiet(&mut command, &root.join("haproxy.log"))?;
        let proxy = Program::start(&mut command, proxy).await?;
        let cluster = Self {
            url: format!("postgres://race@{}/postgres", proxy.address),
            nodes,
            etcd: Some(etcd),
            _proxy: proxy,
            _folder: folder,
        };
        within(Duration::from_secs(60), async || {
            cluster.is_whole(commits).await
        })
        .await?;
        Ok(cluster)
    }

    async fn is_whole(&self, commits: Commits) -> Result {
        let mut primary = PgConnection::connect(&self.url).await?;
        let (standbys, names): (i64, String) = sqlx::query_as(
            "select count(*), current_setting('synchronous_standby_names')
             from pg_stat_replication where state = 'streaming'",
        )
        .fetch_one(&mut primary)
        .await?;
        let leader = self.primary().await?;
        for node in (0..NODES).filter(|node| *node != leader) {
            self.nodes[node].receiver()?;
        }
        let is_synchronous = commits == Commits::Asynchronous || !names.is_empty();
        match (standbys, is_synchronous) {
            (2, true) => Ok(()),
            _ => Err(format!("{standbys} standbys stream; synchronous: {names:?}").into()),
        }
    }

    /// Returns the number of the primary.
    pub async fn primary(&self) -> Result<usize> {
        let url = format!("http://{}/cluster", self.nodes[0].patroni.address);
        let cluster: Value = reqwest::get(url).await?.json().await?;
        let members = cluster["members"].as_array().ok_or("no members")?;
        let leader = members.iter().find(|member| member["role"] == "leader");
        let name = leader
            .and_then(|leader| leader["name"].as_str())
            .ok_or("no leader")?;
        Ok(name.trim_start_matches('n').parse()?)
    }

    /// Makes another server the primary, as an administrator would.
    pub async fn switch_over(&self) -> Result {
        let primary = self.primary().await?;
        let url = format!("http://{}/switchover", self.nodes[primary].patroni.address);
        let request = serde_json::json!({ "leader": format!("n{primary}") });
        let answer = reqwest::Client::new()
            .post(url)
            .json(&request)
            .send()
            .await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(answer.text().await?.into()),
        }
    }

    pub fn kill_postmaster(&self, node: usize) -> Result {
        kill(self.nodes[node].postmaster()?, Signal::KILL)
    }

    /// Kills PostgreSQL and Patroni at once.
    pub fn kill_machine(&self, node: usize) -> Result {
        self.nodes[node].patroni.signal(Signal::KILL)?;
        self.kill_postmaster(node)
    }

    /// Stops all of a node's processes where they are.
    pub fn hang(&self, node: usize) -> Result {
        self.nodes[node].signal_all(Signal::STOP)
    }

    pub fn go_on(&self, node: usize) -> Result {
        self.nodes[node].signal_all(Signal::CONT)
    }

    pub fn stop_etcd(&mut self) {
        self.etcd = None;
    }

    /// Stops the processes that receive what the primary has written. Returns them.
    pub fn stop_receivers(&self, primary: usize) -> Result<Vec<i32>> {
        let standbys = (0..NODES).filter(|node| *node != primary);
        let receivers: Vec<_> = standbys
            .map(|node| self.nodes[node].receiver())
            .collect::<Result<_>>()?;
        for receiver in &receivers {
            kill(*receiver, Signal::STOP)?;
        }
        Ok(receivers)
    }

    /// Ends them before they read what is on the wire.
    pub fn end_receivers(&self, receivers: &[i32]) -> Result {
        for receiver in receivers {
            kill(*receiver, Signal::TERM)?;
            kill(*receiver, Signal::CONT)?;
        }
        Ok(())
    }
}

impl Node {
    fn postmaster(&self) -> Result<i32> {
        let notes = fs::read_to_string(self.data.join("postmaster.pid"))?;
        Ok(notes.lines().next().unwrap_or_default().trim().parse()?)
    }

    fn children(&self) -> Result<Vec<i32>> {
        let postmaster = self.postmaster()?.to_string();
        let children = output(Command::new("pgrep").args(["-P", &postmaster])).unwrap_or_default();
        Ok(children
            .lines()
            .filter_map(|child| child.parse().ok())
            .collect())
    }

    fn receiver(&self) -> Result<i32> {
        let is_receiver = |child: &i32| {
            let words = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains("walreceiver")
        };
        let receiver = self.children()?.into_iter().find(is_receiver);
        receiver.ok_or_else(|| format!("{} receives nothing", self.database).into())
    }

    fn signal_all(&self, signal: Signal) -> Result {
        self.patroni.signal(signal)?;
        kill(self.postmaster()?, signal)?;
        for child in self.children()? {
            // One may have ended meanwhile.
            _ = kill(child, signal);
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Patroni first: it would start PostgreSQL again. It leaves PostgreSQL running.
        _ = self.patroni.signal(Signal::KILL);
        _ = self.signal_all(Signal::KILL);
    }
}

fn kill(process: i32, signal: Signal) -> Result {
    Ok(kill_process(
        Pid::from_raw(process).ok_or("no process")?,
        signal,
    )?)
}

/// Returns a program that runs as PostgreSQL's user: Patroni refuses root, as PostgreSQL does.
fn as_account(account: Option<&Account>, program: &Path) -> Command {
    match account {
        Some(account) => {
            let mut command = account.setpriv();
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn quiet(command: &mut Command, log: &Path) -> Result {
    let log = fs::File::create(log)?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}

fn etcd(program: &Path, root: &Path, client: SocketAddr, peer: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "--name",
            "e0",
            "--initial-cluster-state",
            "new",
            "--log-level",
            "error",
        ])
        .arg("--data-dir")
        .arg(root.join("etcd"))
        .arg(format!("--listen-client-urls=http://{client}"))
        .arg(format!("--advertise-client-urls=http://{client}"))
        .arg(format!("--listen-peer-urls=http://{peer}"))
        .arg(format!("--initial-advertise-peer-urls=http://{peer}"))
        .arg(format!("--initial-cluster=e0=http://{peer}"))
        .args(["--heartbeat-interval=100", "--election-timeout=1000"])
        .args(["--enable-v2=true", "--unsafe-no-fsync"]);
    command
}

/// Times are short, so that the tests are: production has a `ttl` of 20 to 30.
fn patroni(
    number: usize,
    root: &Path,
    rest: SocketAddr,
    database: SocketAddr,
    etcd: SocketAddr,
    commits: Commits,
    programs: &Failover,
) -> String {
    let root = root.display();
    let binaries = programs.postgres.display();
    let synchronous = commits == Commits::Synchronous;
    format!(
        "scope: flash
name: n{number}
restapi: {{listen: '{rest}', connect_address: '{rest}'}}
etcd: {{hosts: '{etcd}'}}
bootstrap:
  dcs:
    ttl: 5
    loop_wait: 1
    retry_timeout: 2
    maximum_lag_on_failover: 1048576
    synchronous_mode: {synchronous}
    synchronous_node_count: 1
    failsafe_mode: true
    primary_start_timeout: 0
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters: {{max_connections: 100, shared_buffers: 32MB, wal_log_hints: 'on', fsync: 'off',
        wal_keep_size: 64MB, wal_receiver_timeout: 3s, wal_sender_timeout: 3s, tcp_user_timeout: 3000}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}, {{auth: trust}}]
postgresql:
  listen: '{database}'
  connect_address: '{database}'
  data_dir: {root}/data{number}
  bin_dir: {binaries}
  pgpass: {root}/pgpass{number}
  authentication: {{superuser: {{username: race}}, replication: {{username: race}}, rewind: {{username: race}}}}
  parameters: {{unix_socket_directories: {root}}}
  pg_hba: [local all all trust, host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
"
    )
}

fn haproxy(listen: SocketAddr, backends: &str) -> String {
    format!(
        "defaults
  mode tcp
  timeout connect 1s
  timeout client 30m
  timeout server 30m
  timeout check 1s
  retries 1
listen primary
  bind {listen}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 500ms fastinter 200ms downinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
{backends}"
    )
}
