//! Faults of the program itself.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use test_support::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use crate::app::{self, Result, Visitor, postgres, push_on};

/// Scenario 26, the gentle half.
#[tokio::test]
async fn on_sigterm_requests_under_way_are_answered_and_nothing_is_lost_or_shown_twice() -> Result {
    let postgres = postgres("")?;
    let mut app = app::ready(&postgres.url).await?;
    let next = app::ready(&postgres.url).await?;
    let mut visits = Vec::new();
    for number in 0..40 {
        let visitor = Visitor::new(app.address);
        let text = format!("message {number}");
        assert_eq!(
            visitor.post_message(&text).await?.status(),
            StatusCode::SEE_OTHER
        );
        let loading = visitor.clone();
        visits.push((
            visitor,
            text,
            tokio::spawn(async move { loading.messages("/").await }),
        ));
    }
    app.signal(Signal::TERM)?;
    for (visitor, text, shown) in visits {
        // Requests that came after the signal found nobody.
        let before = shown.await?.unwrap_or_default();
        let after = visitor.at(next.address).messages("/").await?;
        assert_eq!([before, after].concat(), [text]);
    }
    assert!(app.wait()?.success());
    Ok(())
}

/// Scenario 26, the rough half.
#[tokio::test]
async fn an_instance_that_is_killed_under_load_loses_no_message() -> Result {
    let postgres = postgres("")?;
    let (doomed, stays) = (
        app::ready(&postgres.url).await?,
        app::ready(&postgres.url).await?,
    );
    let (stop, stopping) = watch::channel(false);
    let mut visitors = Vec::new();
    for number in 0..6 {
        let visitor = Visitor::new(stays.address);
        visitor.push("begin").await?;
        visitor.messages("/").await?;
        let pushed = tokio::spawn(push_on(
            visitor.clone(),
            format!("v{number}"),
            stopping.clone(),
        ));
        let (reader, stopping) = (visitor.at(doomed.address), stopping.clone());
        let read = tokio::spawn(async move {
            let mut shown = Vec::new();
            while !*stopping.borrow() {
                shown.extend(reader.messages("/").await.unwrap_or_default());
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            shown
        });
        visitors.push((visitor, pushed, read));
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    doomed.signal(Signal::KILL)?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(true)?;
    // What the killed one had leased comes back after 15 seconds.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let (mut pushes, mut again) = (0, 0);
    for (visitor, pushed, read) in visitors {
        let acknowledged = pushed.await?;
        let mut times = BTreeMap::new();
        for text in read.await?.into_iter().chain(visitor.messages("/").await?) {
            *times.entry(text).or_insert(0) += 1;
        }
        for text in &acknowledged {
            let times = times.get(text).copied().unwrap_or(0);
            assert!((1..=2).contains(&times), "{text} was shown {times} times");
            again += times - 1;
        }
        pushes += acknowledged.len();
    }
    println!("{pushes} pushed, {again} shown twice");
    assert!(pushes > 50, "{pushes} pushes are no load");
    Ok(())
}

#[tokio::test]
async fn a_client_that_has_connected_before_sigterm_gets_its_page() -> Result {
    let postgres = postgres("")?;
    let mut app = app::ready(&postgres.url).await?;
    let mut connection = TcpStream::connect(app.address).await?;
    app.signal(Signal::TERM)?;
    while TcpStream::connect(app.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let request = "GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    connection.read_to_string(&mut page).await?;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(app.wait()?.success());
    Ok(())
}
