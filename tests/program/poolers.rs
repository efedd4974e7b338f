//! PgBouncer between the program and PostgreSQL.

use std::{fs, process::Command, time::Duration};

use sqlx::{Connection, Executor, PgConnection};
use tempfile::{TempDir, tempdir};
use test_support::{Load, TestPostgres, free_address};
use xtask::{command::output, setup::servers};

use crate::app::{self, Program, Result, Visitor, postgres, works};

#[tokio::test]
async fn in_session_mode_the_program_works_and_says_which_settings_are_lost() -> Result {
    let Some(pooler) = Pooler::start("pool_mode = session").await? else {
        return Ok(());
    };
    let (app, log) = app::ready_logging(&pooler.url).await?;
    works(&app, Duration::from_secs(5)).await?;
    let log = fs::read_to_string(log)?;
    let cure = log.split("let the pooler connect again: ").nth(1);
    let cure = cure
        .and_then(|cure| cure.lines().next())
        .ok_or(format!("no cure in {log}"))?;
    assert!(
        cure.contains("alter role race set plan_cache_mode"),
        "{cure}"
    );

    drop(app);
    let mut admin = PgConnection::connect(&pooler.postgres.url).await?;
    admin.execute(cure).await?;
    let reconnect = "select pg_terminate_backend(pid) from pg_stat_activity
        where pid <> pg_backend_pid() and backend_type = 'client backend'";
    admin.execute(reconnect).await?;
    let (app, log) = app::ready_logging(&pooler.url).await?;
    works(&app, Duration::from_secs(5)).await?;
    assert!(!fs::read_to_string(log)?.contains("pooler"));
    Ok(())
}

/// Older versions let one client run the prepared statement of another one.
#[tokio::test]
async fn in_transaction_mode_each_visitor_gets_their_own_messages() -> Result {
    let settings = "pool_mode = transaction
        max_prepared_statements = 200
        default_pool_size = 3";
    let Some(pooler) = Pooler::start(settings).await? else {
        return Ok(());
    };
    // The first start locks the tables' creation for its session, so it goes past the pooler.
    drop(app::ready(&pooler.postgres.url).await?);
    let (one, other) = (
        app::ready(&pooler.url).await?,
        app::ready(&pooler.url).await?,
    );
    let load = Load::start([one.address, other.address]).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let outcome = load.end().await?;
    println!("transaction mode: {outcome}");
    outcome.lost_nothing();
    outcome.failed_no_push();
    let (visitor, stranger) = (Visitor::new(one.address), Visitor::new(one.address));
    visitor.push("mine").await?;
    stranger.push("theirs").await?;
    assert_eq!(visitor.messages("/").await?, ["mine"]);
    Ok(())
}

/// PgBouncer in front of a PostgreSQL.
struct Pooler {
    url: String,
    postgres: TestPostgres,
    _pgbouncer: Program,
    _folder: TempDir,
}

impl Pooler {
    /// Returns `None` if there is no PgBouncer that knows these settings and none can be installed.
    async fn start(settings: &str) -> Result<Option<Self>> {
        let pgbouncer = match servers::pgbouncer() {
            Ok(pgbouncer) => pgbouncer,
            Err(reason) => {
                println!("skipped: {reason:#}");
                return Ok(None);
            }
        };
        let version = output(Command::new(&pgbouncer).arg("--version")).unwrap_or_default();
        if settings.contains("max_prepared_statements") && !has_prepared_statements(&version) {
            let version = version.lines().next().unwrap_or_default();
            println!("skipped: {version} has no max_prepared_statements, 1.21 is needed");
            return Ok(None);
        }
        let postgres = postgres("")?;
        let (_, port) = (postgres.url.strip_suffix("/postgres"))
            .and_then(|url| url.rsplit_once(':'))
            .ok_or("a port")?;
        let address = free_address().await?;
        let folder = tempdir()?;
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]
            postgres = host=127.0.0.1 port={port} user=race
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {}
            unix_socket_dir =
            auth_type = any
            ignore_startup_parameters = options,extra_float_digits
            {settings}
            ",
            address.port()
        );
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        fs::write(&file, lines.join("\n"))?;
        let mut command = Command::new(pgbouncer);
        command.arg("--quiet").arg(&file);
        let is_root = output(Command::new("id").arg("-u")).is_some_and(|user| user == "0");
        if is_root {
            command.args(["--user", "nobody"]);
        }
        Ok(Some(Self {
            url: format!("postgres://race@{address}/postgres"),
            postgres,
            _pgbouncer: Program::start(&mut command, address).await?,
            _folder: folder,
        }))
    }
}

/// Returns whether a version such as `PgBouncer 1.24.1` is 1.21 or newer.
fn has_prepared_statements(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (1, 21)
}
