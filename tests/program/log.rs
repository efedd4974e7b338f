//! What is seen from outside: the log and the numbers.

use std::fs;

use tempfile::NamedTempFile;
use test_support::free_address;

use crate::app::{self, Result, Visitor, postgres};

const PRODUCTION: [(&str, &str); 3] = [
    ("RUST_LOG", "info"),
    ("LOG_FORMAT", "json"),
    ("SESSION_SECRET", SECRET),
];
const SECRET: &str = "a secret of sixty-four bytes at least which is what this sentence is";

#[tokio::test]
async fn a_log_line_tells_of_each_request_and_never_what_is_secret() -> Result {
    let postgres = postgres("")?;
    let file = NamedTempFile::new()?;
    let app = app::start_logging(&postgres.url, &PRODUCTION, file.reopen()?).await?;
    app.answers("/readyz", reqwest::StatusCode::OK).await?;
    let visitor = Visitor::new(app.address);
    let pushed = visitor.post_message("a private text").await?;
    let id = pushed.headers()["x-request-id"].to_str()?.to_owned();
    let cookie = pushed.headers()["set-cookie"].to_str()?.to_owned();
    visitor.get("/messages?private=1").await?.text().await?;
    postgres.stop();
    visitor.post_message("another private text").await?;
    drop(app);

    let log = fs::read_to_string(file)?;
    let line = log
        .lines()
        .find(|line| line.contains(&id))
        .ok_or("a line for the push")?;
    let line: serde_json::Value = serde_json::from_str(line)?;
    assert_eq!(line["method"], "POST");
    assert_eq!(line["path"], "/api/push_message");
    assert_eq!(line["route"], "/api/push_message");
    assert_eq!(line["status"], 303);
    assert_eq!(line["statements"], 2, "the message and the session");
    let page = log
        .lines()
        .find(|line| line.contains("\"path\":\"/messages\""));
    let page: serde_json::Value = serde_json::from_str(page.ok_or("a line for the page")?)?;
    assert_eq!(page["statements"], 1, "the take");
    assert!(
        log.lines().any(|line| line.contains("\"ERROR\"")),
        "the failed push is an error"
    );
    let value = cookie.split(['=', ';']).nth(1).ok_or("a value")?;
    let (_, session) = value.split_at(value.len() - 22);
    for secret in ["private", SECRET, value, session] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    Ok(())
}

#[tokio::test]
async fn the_numbers_for_prometheus_are_on_an_address_of_their_own() -> Result {
    let postgres = postgres("")?;
    let metrics = free_address().await?.to_string();
    let app = app::start(&postgres.url, &[("METRICS_ADDR", &metrics)]).await?;
    app.answers("/readyz", reqwest::StatusCode::OK).await?;
    let visitor = Visitor::new(app.address);
    visitor.push("one").await?;
    visitor.push("two").await?;
    assert_eq!(visitor.messages("/").await?.len(), 2);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let numbers = reqwest::get(format!("http://{metrics}/metrics"))
        .await?
        .text()
        .await?;
    for line in [
        "flash_pushed_total 2",
        "flash_shown_total 2",
        "http_requests_total{method=\"POST\",route=\"/api/push_message\",status=\"303\"} 2",
        "http_request_duration_seconds_count{method=\"GET\",route=\"/\",status=\"200\"} 1",
        "database_connections ",
    ] {
        assert!(numbers.contains(line), "{line} is not in\n{numbers}");
    }
    assert_eq!(visitor.get("/metrics").await?.status(), 404);
    Ok(())
}
