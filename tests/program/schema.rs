//! Tables that somebody else made, changed, or wrote into.

use std::{fs, path::Path, process::Command, time::Duration};

use sqlx::{Connection, Executor, PgConnection};
use test_support::free_address;

use crate::app::{self, Result, Visitor, postgres, races, within, works};

#[tokio::test]
async fn columns_that_come_and_go_are_not_noticed_by_an_instance_that_runs() -> Result {
    let postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let visitor = Visitor::new(app.address);
    visitor
        .submit("/api/start_race", &[("name", "Ada")])
        .await?;
    visitor.messages("/").await?;
    let mut admin = PgConnection::connect(&postgres.url).await?;
    for change in [
        "alter table flash_message add column x text",
        "alter table tower_sessions.session add column x text",
        "alter table flash_message drop column x",
        "alter table tower_sessions.session drop column x",
    ] {
        // From here on the connections have the statements prepared.
        for text in ["before", "after"] {
            visitor.push(text).await?;
            assert_eq!(visitor.messages("/").await?, [text], "{change}");
            assert!(races(&visitor).await?, "{change}");
            if text == "before" {
                admin.execute(change).await?;
            }
        }
    }
    Ok(())
}

/// 10 million sessions would stand still for minutes.
#[tokio::test]
async fn a_table_of_the_plain_session_store_gets_its_columns_without_being_rewritten() -> Result {
    let postgres = postgres("")?;
    let mut admin = PgConnection::connect(&postgres.url).await?;
    admin
        .execute(
            "create schema tower_sessions;
             create table tower_sessions.session (
                id text primary key not null,
                data bytea not null,
                expiry_date timestamptz not null
             );
             insert into tower_sessions.session
             select n, '', now() + interval '1 day' from generate_series(1, 1000) n",
        )
        .await?;
    const FILE: &str = "select pg_relation_filepath('tower_sessions.session')";
    let before: String = sqlx::query_scalar(FILE).fetch_one(&mut admin).await?;
    let app = app::ready(&postgres.url).await?;
    works(&app, Duration::from_secs(5)).await?;
    let after: String = sqlx::query_scalar(FILE).fetch_one(&mut admin).await?;
    assert_eq!(before, after);
    Ok(())
}

/// Rights on rows alone, for a user `clerk`.
const RIGHTS: &str = "create role clerk login;
    grant usage on schema public, tower_sessions to clerk;
    grant select, insert, update, delete on flash_message, tower_sessions.session to clerk;
    grant usage on all sequences in schema public, tower_sessions to clerk";

#[tokio::test]
async fn a_role_with_rights_on_rows_alone_is_enough_for_tables_that_are_there() -> Result {
    let postgres = postgres("")?;
    drop(app::ready(&postgres.url).await?);
    let mut owner = PgConnection::connect(&postgres.url).await?;
    owner.execute(RIGHTS).await?;
    runs_as_clerk(&postgres.url).await
}

#[tokio::test]
async fn the_printed_schema_is_all_that_an_owner_must_run() -> Result {
    let postgres = postgres("")?;
    let schema = Command::new(env!("CARGO_BIN_EXE_race-bib"))
        .arg("schema")
        // No .env there.
        .current_dir(std::env::temp_dir())
        .env_remove("DATABASE_URL")
        .output()?;
    let complaint = String::from_utf8_lossy(&schema.stderr);
    assert!(schema.status.success(), "{complaint}");
    let sql = String::from_utf8(schema.stdout)?;
    let mut owner = PgConnection::connect(&postgres.url).await?;
    owner.execute(&*sql).await?;
    owner.execute(RIGHTS).await?;
    runs_as_clerk(&postgres.url).await
}

async fn runs_as_clerk(database_url: &str) -> Result {
    let app = app::ready(&database_url.replace("race@", "clerk@")).await?;
    let visitor = Visitor::new(app.address);
    visitor.push("kept").await?;
    assert_eq!(visitor.messages("/").await?, ["kept"]);
    visitor
        .submit("/api/start_race", &[("name", "Ada")])
        .await?;
    assert!(races(&visitor).await?);
    visitor.submit("/api/end_session", &[]).await?;
    assert!(!races(&visitor).await?);
    Ok(())
}

/// All load their page at once: the statement is shared.
#[tokio::test]
async fn a_message_that_can_not_be_read_leaves_and_hides_no_other() -> Result {
    let postgres = postgres("")?;
    let (app, log) = app::ready_logging(&postgres.url).await?;
    let mut admin = PgConnection::connect(&postgres.url).await?;
    // An id that nothing else in the log looks like.
    (admin.execute("alter table flash_message alter column id restart with 987654321")).await?;
    let mut visitors = Vec::new();
    for number in 0..10 {
        let visitor = Visitor::new(app.address);
        for text in ["good", "odd", "better"] {
            visitor.push(&format!("{text} {number}")).await?;
        }
        visitors.push(visitor);
    }
    let id: i64 = sqlx::query_scalar(
        "update flash_message set level = '1 bad' where text = 'odd 0' returning id",
    )
    .fetch_one(&mut admin)
    .await?;

    let loading = visitors
        .iter()
        .cloned()
        .map(|visitor| tokio::spawn(async move { visitor.messages("/").await }));
    for (number, shown) in loading.collect::<Vec<_>>().into_iter().enumerate() {
        let mut right = ["good", "odd", "better"]
            .map(|text| format!("{text} {number}"))
            .to_vec();
        if number == 0 {
            right.remove(1);
        }
        assert_eq!(shown.await??, right);
    }
    visitors[0].push("next").await?;
    assert_eq!(visitors[0].messages("/").await?, ["next"]);
    let lines = logged(&log)?;
    let line = lines.iter().find(|line| line.contains(&id.to_string()));
    assert!(line.is_some(), "{id} is not in {lines:#?}");
    within(Duration::from_secs(10), async || {
        let mut admin = PgConnection::connect(&postgres.url).await?;
        let row = sqlx::query("select from flash_message where id = $1").bind(id);
        match row.fetch_optional(&mut admin).await? {
            None => Ok(()),
            Some(_) => Err("the row is still there".into()),
        }
    })
    .await
}

#[tokio::test]
async fn a_session_that_can_not_be_read_is_none_and_its_visitor_can_begin_another() -> Result {
    let postgres = postgres("")?;
    let (app, log) = app::ready_logging(&postgres.url).await?;
    let visitor = Visitor::new(app.address);
    visitor
        .submit("/api/start_race", &[("name", "Ada")])
        .await?;
    visitor.messages("/").await?;
    let cookies = visitor.cookies()?;
    let mut admin = PgConnection::connect(&postgres.url).await?;
    (admin.execute("update tower_sessions.session set data = '\\xc1'")).await?;

    let before = logged(&log)?.len();
    for _ in 0..2 {
        assert!(!races(&visitor).await?);
        let session = visitor.page("/session").await?;
        assert!(session.contains("Looking around starts no"), "{session}");
    }
    let mut lines = logged(&log)?.split_off(before);
    // tower-sessions has its own line for a session that is not there.
    lines.retain(|line| line.contains("ERROR"));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    visitor
        .submit("/api/start_race", &[("name", "Ada")])
        .await?;
    assert!(races(&visitor).await?);
    assert_ne!(visitor.cookies()?, cookies);
    Ok(())
}

fn logged(file: impl AsRef<Path>) -> Result<Vec<String>> {
    let log = fs::read_to_string(file)?;
    Ok(log.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn a_program_with_another_layout_than_its_tables_ends_with_a_sentence() -> Result {
    let postgres = postgres("")?;
    drop(app::ready(&postgres.url).await?);
    let address = free_address().await?;
    let mut command = app::command(Path::new(app::PROGRAM), &postgres.url, address);
    let ended = command.env("DATABASE_LAYOUT", "partitioned:16").output()?;
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    for word in [
        "DATABASE_LAYOUT",
        "\"session\"",
        "partitioned:16",
        "docs/scale.md",
    ] {
        assert!(complaint.contains(word), "{word} in {complaint}");
    }
    Ok(())
}
