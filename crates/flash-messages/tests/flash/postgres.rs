//! PostgreSQL as others use it: other columns, partitions, rows that can't be read, many jobs.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use flash_messages::{
    FlashMessage, FlashStore, Layout, PostgresSessionStore, store::MessageStore as _,
};
use sqlx::{Executor, PgPool};

use crate::support::{Database, Result, Server, Visitor, flash_layer, sessions_in};

#[tokio::test]
async fn a_column_that_somebody_adds_meanwhile_does_not_matter() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("before").await?;
    visitor.messages("/page").await?;
    visitor.push("waits").await?;
    server
        .pool
        .execute(
            "alter table flash_message add column x text;
             alter table tower_sessions.session add column x text",
        )
        .await?;
    assert_eq!(visitor.messages("/page").await?, ["waits"]);
    visitor.push("after").await?;
    assert_eq!(visitor.messages("/page").await?, ["after"]);
    visitor.post("/login").await?;
    let user = visitor.get_with("/user", &[]).await?;
    assert_eq!(user.text().await?, "runner");
    Ok(())
}

/// `ctid` is not unique over partitions.
#[tokio::test]
async fn in_a_table_that_somebody_has_partitioned_each_visitor_gets_their_own_messages() -> Result {
    let by_shard = Layout::Partitioned { shards: 4 };
    for (layout, column) in [(Layout::Plain, "flash_key"), (by_shard, "shard")] {
        let database = Database::create().await?;
        let pool = database.connect().await?;
        let plain = FlashStore::new(PostgresSessionStore::new(pool.clone()));
        let schema = plain.schema().replacen(
            ") with (fillfactor = 80)",
            &format!(") partition by hash ({column})"),
            1,
        );
        let (id, key) = (layout.key("id"), layout.key("flash_key, id"));
        let schema = (schema.replace("primary key (id)", &format!("primary key ({id})")))
            .replace(
                "primary key (flash_key, id)",
                &format!("primary key ({key})"),
            )
            .replace(
                "(flash_key, key)",
                &format!("({})", layout.key("flash_key, key")),
            );
        pool.execute(&*schema).await?;
        for partition in 0..4 {
            let sql = format!(
                "create table flash_message_{partition} partition of flash_message
                 for values with (modulus 4, remainder {partition})"
            );
            pool.execute(&*sql).await?;
        }
        let sessions = PostgresSessionStore::new(pool.clone()).with_layout(layout);
        let server = Server::start_on(pool, FlashStore::new(sessions), flash_layer).await?;
        let visitors: Vec<_> = (0..20).map(|_| Visitor::new(server.address)).collect();
        for (number, visitor) in visitors.iter().enumerate() {
            visitor.push(&format!("for {number}")).await?;
        }
        for (number, visitor) in visitors.iter().enumerate() {
            assert_eq!(visitor.messages("/page").await?, [format!("for {number}")]);
        }
        server.flash.flush().await;
        assert_eq!(server.stored().await?, 0);
        visitors[0].post("/keyed/one").await?;
        visitors[0].post("/keyed/two").await?;
        assert_eq!(visitors[0].messages("/page").await?, ["two"]);
    }
    Ok(())
}

#[tokio::test]
async fn the_rows_of_a_session_are_in_one_partition_and_all_partitions_are_used() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let layout = Layout::Partitioned { shards: 4 };
    let sessions = PostgresSessionStore::new(pool.clone()).with_layout(layout);
    let server = Server::start_on(pool.clone(), FlashStore::new(sessions), flash_layer).await?;
    for number in 0..40 {
        let visitor = Visitor::new(server.address);
        visitor.push(&format!("for {number}")).await?;
        visitor.post("/login").await?;
        visitor.push("after the new id").await?;
    }
    let used: Vec<(String, String)> = sqlx::query_as(
        "select distinct s.tableoid::regclass::text, m.tableoid::regclass::text
         from tower_sessions.session s join flash_message m using (flash_key) order by 1",
    )
    .fetch_all(&pool)
    .await?;
    let pair = |shard| {
        let message = format!("flash_message_{shard}");
        (format!("tower_sessions.session_{shard}"), message)
    };
    assert_eq!(used, (0..4).map(pair).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_partition_whose_rows_can_not_be_deleted_holds_up_no_other() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let layout = Layout::Partitioned { shards: 4 };
    let sessions = PostgresSessionStore::new(pool.clone()).with_layout(layout);
    let store = FlashStore::new(sessions);
    store.migrate().await?;
    let fill = "insert into flash_message (shard, flash_key, level, rank, text, sticky, expires_at)
        select shard, gen_random_uuid(), 'info', 0, 'old', false, now() - interval '1 hour'
        from generate_series(0, 3) shard;
        insert into tower_sessions.session (shard, id, data, expiry_date)
        select shard, shard::text, '', now() - interval '1 hour' from generate_series(0, 3) shard";
    pool.execute(fill).await?;
    let keep = "create function fail() returns trigger language plpgsql
            as $$ begin raise exception 'kept'; end $$;
        create trigger keep before delete on flash_message_1 for each row execute function fail()";
    pool.execute(keep).await?;
    assert!(store.delete_expired().await.is_err());
    let left = "select (select array_agg(shard::int) from flash_message),
        (select count(*) from tower_sessions.session)";
    let left: (Vec<i32>, i64) = sqlx::query_as(left).fetch_one(&pool).await?;
    assert_eq!(left, (vec![1], 0));
    Ok(())
}

/// Runs a script of docs/scale.
fn psql(url: &str, arguments: &[&str]) -> Result {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale");
    let mut psql = Command::new("psql");
    psql.current_dir(scripts)
        .args(["--no-psqlrc", "--quiet", "--dbname", url]);
    let status = psql.args(arguments).stdout(Stdio::null()).status()?;
    assert!(status.success(), "{arguments:?}");
    Ok(())
}

/// The whole move: a plain table becomes a partitioned one with the rows that it had.
#[tokio::test]
async fn plain_tables_move_into_partitions_with_all_their_rows() -> Result {
    if Command::new("psql").arg("--version").output().is_err() {
        println!("skipped: psql is missing");
        return Ok(());
    }
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let sessions = PostgresSessionStore::new(pool.clone());
    let server = Server::start_on(pool.clone(), FlashStore::new(sessions), flash_layer).await?;
    let visitors: Vec<_> = (0..20).map(|_| Visitor::new(server.address)).collect();
    for (number, visitor) in visitors.iter().enumerate() {
        visitor.push(&format!("for {number}")).await?;
    }
    drop(server);
    psql(&database.url, &["-f", "plain_to_partitions.sql"])?;
    let layout = Layout::Partitioned { shards: 16 };
    let sessions = PostgresSessionStore::new(pool.clone()).with_layout(layout);
    let messages = FlashStore::new(sessions);
    pool.execute(&*messages.schema()).await?;
    psql(
        &database.url,
        &["-v", "shards=16", "-f", "fill_partitions.sql"],
    )?;
    let server = Server::start_on(pool, messages, flash_layer).await?;
    for (number, visitor) in visitors.iter().enumerate() {
        let visitor = visitor.at(server.address);
        assert_eq!(visitor.messages("/page").await?, [format!("for {number}")]);
        visitor.push("next").await?;
        assert_eq!(visitor.messages("/page").await?, ["next"]);
    }
    Ok(())
}

#[tokio::test]
async fn tables_of_another_layout_are_refused_by_name() -> Result {
    let (four, eight) = (
        Layout::Partitioned { shards: 4 },
        Layout::Partitioned { shards: 8 },
    );
    for (made, asked) in [
        (Layout::Plain, four),
        (four, Layout::Plain),
        (eight, four),
        (four, eight),
    ] {
        let database = Database::create().await?;
        let sessions = PostgresSessionStore::new(database.connect().await?);
        sessions.clone().with_layout(made).migrate().await?;
        let error = sessions.with_layout(asked).migrate().await;
        let error = error.expect_err("it has another layout").to_string();
        let asked = format!("its layout is not {asked}");
        assert!(
            error.contains("\"session\" exists") && error.contains(&asked),
            "{error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn citus_gets_a_distributed_table_and_no_setting_inside_a_statement() -> Result {
    let pool = PgPool::connect_lazy("postgres://localhost/none")?;
    let sessions = PostgresSessionStore::new(pool).with_layout(Layout::Citus { shards: 32 });
    let schema = FlashStore::new(sessions).schema();
    for part in [
        "select create_distributed_table('\"public\".\"flash_message\"', 'shard', shard_count => 32)",
        "primary key (shard, flash_key, id)",
        "(shard, flash_key, key) where key is not null",
        "primary key (shard, id)",
    ] {
        assert!(schema.contains(part), "{part} in {schema}");
    }
    Ok(())
}

#[tokio::test]
async fn a_message_that_can_not_be_read_leaves_and_the_others_are_shown() -> Result {
    let server = Server::start().await?;
    let (visitor, other) = (Visitor::new(server.address), Visitor::new(server.address));
    for text in ["one", "bad", "two"] {
        visitor.push(text).await?;
    }
    other.push("of another").await?;
    server
        .pool
        .execute("update flash_message set level = '1 bad' where text = 'bad'")
        .await?;
    let pages = futures::future::try_join(visitor.messages("/page"), other.messages("/page"));
    let (own, others) = server.held_up(pages).await?;
    assert_eq!(own, ["one", "two"]);
    assert_eq!(others, ["of another"]);
    server.flash.flush().await;
    for _ in 0..50 {
        if server.stored().await? == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.stored().await?, 0);
    visitor.push("three").await?;
    assert_eq!(visitor.messages("/page").await?, ["three"]);
    Ok(())
}

#[tokio::test]
async fn two_thousand_pushes_of_jobs_do_not_keep_pages_waiting() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let mut keys = Vec::new();
    for _ in 0..20 {
        let job = Visitor::new(server.address);
        keys.push(job.get_with("/key", &[]).await?.json().await?);
    }
    let pushes = (0..2000).map(|number| {
        let (store, key) = (server.store.clone(), keys[number % keys.len()]);
        tokio::spawn(async move {
            store
                .push(key, FlashMessage::info(number.to_string()))
                .await
        })
    });
    let pushes: Vec<_> = pushes.collect();
    let start = Instant::now();
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    for push in pushes {
        assert!(push.await??.is_some());
    }
    Ok(())
}

#[tokio::test]
async fn options_that_the_pool_gets_later_count_for_the_messages_too() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let options = (*server.pool.connect_options()).clone();
    server
        .pool
        .set_connect_options(options.application_name("with a new password"));
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    server.pool.execute(others).await?;
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    let renewed: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and application_name = 'with a new password'",
    )
    .fetch_one(&server.pool)
    .await?;
    assert!(renewed > 0);
    Ok(())
}

/// Nothing had been sent, or it can be told whether it was done.
#[tokio::test]
async fn when_all_idle_connections_were_closed_nobody_notices() -> Result {
    let server = Server::start().await?;
    let visitors: Vec<_> = (0..20).map(|_| Visitor::new(server.address)).collect();
    let pushes = |text: &'static str| {
        futures::future::try_join_all(visitors.iter().map(move |visitor| visitor.push(text)))
    };
    pushes("before").await?;
    for round in 0..3 {
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        server.pool.execute(others).await?;
        let pages = visitors.iter().map(|visitor| visitor.messages("/page"));
        for page in futures::future::try_join_all(pages).await? {
            assert_eq!(page.len(), 1, "round {round}: {page:?}");
        }
        server.flash.flush().await;
        server.pool.execute(others).await?;
        pushes("after").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_error_says_what_failed_and_nothing_in_the_words_of_the_database() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let key = visitor.get_with("/key", &[]).await?.json().await?;
    server.pool.execute("drop table flash_message").await?;
    let error = server.store.push(key, FlashMessage::info("a")).await;
    let text = error.err().ok_or("an error")?.to_string();
    assert!(
        text.contains("42P01") && !text.contains("flash_message"),
        "{text}"
    );
    Ok(())
}

/// The table of an older version, or of the plain `PostgresStore`, gets what it lacks.
#[tokio::test]
async fn a_table_of_an_older_version_gets_what_it_lacks_while_others_read_it() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    pool.execute(
        "create schema tower_sessions;
         create table tower_sessions.session (
            id text primary key not null, data bytea not null, expiry_date timestamptz not null);
         insert into tower_sessions.session
            select 'id ' || n, '', now() + interval '1 day' from generate_series(1, 2500) n",
    )
    .await?;
    let sessions = PostgresSessionStore::new(pool.clone());
    sessions.migrate().await?;
    sessions.migrate().await?;
    let keys: i64 =
        sqlx::query_scalar("select count(distinct flash_key) from tower_sessions.session")
            .fetch_one(&pool)
            .await?;
    assert_eq!(keys, 2500);
    Ok(())
}

#[tokio::test]
async fn the_schema_can_be_run_by_hand_and_run_again() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let sessions = sessions_in(pool.clone());
    let schema = FlashStore::new(sessions).schema();
    for _ in 0..2 {
        pool.execute(&*schema).await?;
    }
    let server = Server::start_at(&database, |store| store).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}
