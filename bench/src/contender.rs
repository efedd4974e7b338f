//! The servers: how each is built and started, with a database of its own.

use std::{collections::BTreeMap, fs, net::TcpListener, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use sqlx::{Connection, Executor, PgConnection};
use url::Url;
use xshell::cmd;
use xtask::{
    command::{Group, command, root, run, shell},
    commands::build,
};

use crate::load::{Scenario, Site, Visit, Visitors};

pub struct Contender {
    pub name: &'static str,
    pub site: Site,
    /// Its processes.
    pub group: u32,
    server: String,
    pub database: String,
    _running: Group,
}

/// Where the floor finds what race-bib sends and asks.
const PROFILE: &str = "target/bench-profile.json";

pub fn build() -> Result<()> {
    build::build()?;
    let sh = shell()?;
    let bins = ["--bin", "floor", "--bin", "axum-messages"];
    run(cmd!(
        sh,
        "cargo build --release --locked --package bench {bins...}"
    ))?;
    let node = sh.push_dir("bench/node");
    run(cmd!(sh, "npm ci --no-audit --no-fund"))?;
    drop(node);
    sh.change_dir("bench/django");
    if !sh.path_exists(".venv") {
        run(cmd!(sh, "python3 -m venv .venv"))?;
    }
    run(cmd!(
        sh,
        ".venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt"
    ))
}

/// Returns the address of another database on a server.
pub fn database_url(server: &str, name: &str) -> Result<String> {
    let mut url = Url::parse(server)?;
    url.set_path(name);
    Ok(url.into())
}

impl Contender {
    /// All, race-bib first: the floor copies it.
    pub async fn start_all(server: &str) -> Result<Vec<Self>> {
        Self::write_profile(server).await?;
        let race_bib = Self::race_bib(server, "bench_race_bib").await?;
        let floor = release("floor");
        let axum_messages = release("axum-messages");
        let sh = shell()?;
        sh.change_dir("bench/node");
        let node = command(cmd!(sh, "node server.js").env("NODE_ENV", "production"));
        let django = root().join("bench/django");
        let mut gunicorn = Command::new(django.join(".venv/bin/gunicorn"));
        gunicorn.current_dir(&django);
        Ok(vec![
            race_bib,
            Self::start("floor", "/messages", server, "bench_floor", floor).await?,
            Self::start(
                "axum-messages",
                "/messages",
                server,
                "bench_axum",
                axum_messages,
            )
            .await?,
            Self::start("Node stack", "/messages", server, "bench_node", node).await?,
            Self::start("Django", "/messages", server, "bench_django", gunicorn).await?,
        ])
    }

    pub async fn race_bib(server: &str, database: &str) -> Result<Self> {
        Self::race_bib_in(server, database, "plain").await
    }

    /// The same with tables of this layout.
    pub async fn race_bib_in(server: &str, database: &str, layout: &str) -> Result<Self> {
        let mut program = release("race-bib");
        program
            .env("DATABASE_LAYOUT", layout)
            .env("LEPTOS_ENV", "PROD")
            // As the peers: a line for what went wrong, none for each request.
            .env("RUST_LOG", "warn")
            // One client sends all of it.
            .env("POST_BURST", "1000000000");
        Self::start("race-bib", "/api/push_message", server, database, program).await
    }

    async fn start(
        name: &'static str,
        post: &'static str,
        server: &str,
        database: &str,
        mut program: Command,
    ) -> Result<Self> {
        let mut connection = PgConnection::connect(server).await?;
        connection
            .execute("create extension if not exists pg_stat_statements")
            .await?;
        let exists: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(database)
                .fetch_one(&mut connection)
                .await?;
        if !exists {
            connection
                .execute(format!("create database {database}").as_str())
                .await?;
        }
        let database_url = database_url(server, database)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        program
            .env("DATABASE_URL", &database_url)
            .env("SESSION_SECRET", "only-for-benchmarks-".repeat(5))
            .env("LEPTOS_SITE_ADDR", address.to_string())
            .env("PROFILE", root().join(PROFILE));
        if name != "race-bib" {
            program.env("PORT", address.port().to_string());
        }
        if name == "Django" {
            let django = root().join("bench/django");
            let python = django.join(".venv/bin/python");
            let sh = shell()?;
            sh.change_dir(&django);
            run(cmd!(sh, "{python} manage.py migrate --verbosity=0")
                .env("DATABASE_URL", &database_url)
                .env("SESSION_SECRET", "only-for-benchmarks-".repeat(5)))?;
        }
        let running = Group::spawn(&mut program)?;
        let site = Site {
            address: address.to_string(),
            post,
        };
        let contender = Self {
            name,
            site,
            group: running.id(),
            server: server.to_owned(),
            database: database.to_owned(),
            _running: running,
        };
        contender.wait().await?;
        Ok(contender)
    }

    async fn wait(&self) -> Result<()> {
        let warm = Scenario {
            name: "start",
            visitors: 1,
            visit: Visit::Message,
        };
        let mut last = None;
        for _ in 0..100 {
            match Visitors::arrive(&self.site, warm).await {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("{} does not answer: {last:?}", self.name)
    }

    /// How many statements have come to its database.
    pub async fn statements(&self) -> Result<i64> {
        let mut connection = self.connect().await?;
        let sql = "select coalesce(sum(calls), 0)::int8 from pg_stat_statements
                   join pg_database on pg_database.oid = dbid where datname = $1";
        Ok(sqlx::query_scalar(sql)
            .bind(&self.database)
            .fetch_one(&mut connection)
            .await?)
    }

    /// Writes down what the floor is to do: race-bib's pages, and its statements as it logs them.
    async fn write_profile(server: &str) -> Result<()> {
        let log = root().join("target/bench-profile.log");
        let mut program = release("race-bib");
        program
            .env("RUST_LOG", "sqlx::query=debug")
            .env("LOG_FORMAT", "json")
            .env("LEPTOS_ENV", "PROD")
            .stdout(fs::File::create(&log)?);
        let profiled = Self::start(
            "race-bib",
            "/api/push_message",
            server,
            "bench_profile",
            program,
        )
        .await?;
        let one = Scenario {
            name: "profile",
            visitors: 1,
            visit: Visit::Message,
        };
        let mut visitor = Visitors::arrive(&profiled.site, one).await?;
        let (head, [page, with_message]) = visitor.pages().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(profiled);
        let mut profile = BTreeMap::from([
            ("head".to_owned(), head),
            ("page".to_owned(), page),
            ("page with a message".to_owned(), with_message),
        ]);
        for line in fs::read_to_string(log)?.lines() {
            let event: serde_json::Value = serde_json::from_str(line)?;
            let sql = event["db.statement"]
                .as_str()
                .unwrap_or_default()
                .trim()
                .to_owned();
            let Some((name, _)) = sql
                .strip_prefix("/* ")
                .and_then(|sql| sql.split_once(" */"))
            else {
                continue;
            };
            profile.insert(name.to_owned(), sql);
        }
        fs::write(
            root().join(PROFILE),
            serde_json::to_string_pretty(&profile)?,
        )
        .context(PROFILE)
    }

    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.server).await?)
    }
}

fn release(name: &str) -> Command {
    let mut command = Command::new(root().join("target/release").join(name));
    command.current_dir(root());
    command
}
