//! Connections that go silent, are closed, or lead to the wrong server.

use std::time::Duration;

use reqwest::StatusCode;
use sqlx::{Connection, Executor, PgConnection};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    app::{self, Program, Result, Visitor, postgres, races, within, works},
    proxy::Proxy,
};

#[tokio::test]
async fn connections_that_go_silent_are_replaced_within_seconds_each_time() -> Result {
    let postgres = postgres("")?;
    let proxy = Proxy::start(&postgres.url).await?;
    let app = app::ready(&proxy.url).await?;
    let (_stop, stopping) = watch::channel(false);
    for _ in 0..8 {
        tokio::spawn(visit_on(Visitor::new(app.address), stopping.clone()));
    }
    works(&app, Duration::from_secs(5)).await?;
    for time in ["first", "second", "third"] {
        proxy.silence();
        (works(&app, Duration::from_secs(12)).await)
            .map_err(|error| format!("the {time} time: {error}"))?;
    }
    Ok(())
}

/// Uses the program until it is stopped, whatever comes of it.
async fn visit_on(visitor: Visitor, stop: watch::Receiver<bool>) {
    _ = visitor.submit("/api/start_race", &[("name", "Load")]).await;
    while !*stop.borrow() {
        _ = visitor.push("load").await;
        _ = visitor.messages("/").await;
        _ = races(&visitor).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn connections_that_the_server_closed_while_they_were_idle_fail_no_request() -> Result {
    let mut postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let visitors = visitors_with_a_race(&app).await?;

    let mut admin = PgConnection::connect(&postgres.url).await?;
    // It waits until they have ended.
    let closed = admin
        .fetch_all(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity
             where application_name = 'race-bib' and state = 'idle'",
        )
        .await?;
    assert!(closed.len() >= 4, "{} connections are few", closed.len());
    assert_eq!(failures(&visitors, "closed").await, [""; 0]);

    postgres.stop();
    postgres.start_again()?;
    assert_eq!(failures(&visitors, "restarted").await, [""; 0]);
    Ok(())
}

/// From between: nothing but the end of the stream tells it.
#[tokio::test]
async fn connections_that_a_firewall_closed_while_they_were_idle_fail_no_request() -> Result {
    let postgres = postgres("")?;
    let proxy = Proxy::start(&postgres.url).await?;
    let app = app::ready(&proxy.url).await?;
    let visitors = visitors_with_a_race(&app).await?;
    for _ in 0..3 {
        proxy.close();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(failures(&visitors, "closed").await, [""; 0]);
    }
    Ok(())
}

/// 20 visitors who have all used the app, so that it has opened its connections.
async fn visitors_with_a_race(app: &Program) -> Result<Vec<Visitor>> {
    let visitors: Vec<_> = (0..20).map(|_| Visitor::new(app.address)).collect();
    for visitor in &visitors {
        visitor
            .submit("/api/start_race", &[("name", "Ada")])
            .await?;
    }
    assert_eq!(failures(&visitors, "before").await, [""; 0]);
    Ok(visitors)
}

/// All visitors push, look and race at once. Returns what failed.
async fn failures(visitors: &[Visitor], text: &'static str) -> Vec<String> {
    let mut visits = JoinSet::new();
    for visitor in visitors {
        visits.spawn(visit(visitor.clone(), text));
    }
    let done = visits.join_all().await;
    (done.into_iter().filter_map(Result::err))
        .map(|error| error.to_string())
        .collect()
}

async fn visit(visitor: Visitor, text: &str) -> Result {
    visitor.push(text).await?;
    let shown = visitor.messages("/").await?;
    if !shown.iter().any(|shown| shown == text) {
        return Err(format!("the page shows {shown:?}").into());
    }
    match races(&visitor).await? {
        true => Ok(()),
        false => Err("the race is gone".into()),
    }
}

/// A standby takes over; the old primary still runs, but is read-only.
#[tokio::test]
async fn after_a_failover_writes_go_to_the_new_primary_within_seconds() -> Result {
    let old = postgres("")?;
    let proxy = Proxy::start(&old.url).await?;
    let app = app::ready(&proxy.url).await?;
    let new = old.standby()?;
    let visitor = Visitor::new(app.address);
    visitor.push("first").await?;
    races(&visitor).await?;
    visitor.push("before").await?;
    within(Duration::from_secs(10), async || {
        let mut standby = PgConnection::connect(&new.url).await?;
        let replicated = "select from flash_message where text = 'before'";
        standby.fetch_one(replicated).await?;
        Ok(())
    })
    .await?;

    let mut demoted = PgConnection::connect(&old.url).await?;
    (demoted.execute("alter system set default_transaction_read_only = on")).await?;
    demoted.execute("select pg_reload_conf()").await?;
    app.answers("/readyz", StatusCode::SERVICE_UNAVAILABLE)
        .await?;
    // A connection may not have heard of it yet, and show the message.
    let during = visitor.messages("/").await?;
    let refused = visitor.post_message("refused").await?;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);

    let mut promoted = PgConnection::connect(&new.url).await?;
    promoted.execute("select pg_promote()").await?;
    proxy.move_to(&new.url)?;
    works(&app, Duration::from_secs(10)).await?;
    visitor.push("after").await?;
    let after = visitor.messages("/").await?;
    assert_eq!([during, after].concat(), ["before", "after"]);
    Ok(())
}
