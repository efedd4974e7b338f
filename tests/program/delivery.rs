//! Readers that do not read: a message is gone only when its page has arrived.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{Connection, PgConnection};
use tokio::{io::AsyncWriteExt, net::TcpSocket, time::sleep};

use crate::{
    app::{self, Result, Visitor, postgres, texts, within},
    nginx::Nginx,
};

#[tokio::test]
async fn a_reader_that_reads_nothing_and_resets_loses_no_message() -> Result {
    // The system's default, and a phone's.
    for receive_buffer in [None, Some(4096)] {
        let postgres = postgres("")?;
        let app = app::ready(&postgres.url).await?;
        let visitor = Visitor::new(app.address);
        let messages = push_large_page(&visitor).await?;
        reset_unread(app.address, &visitor.cookies()?, receive_buffer).await?;
        // They wait again at once, not when a lease has run out.
        sees_all(&visitor, messages, Duration::from_secs(5)).await?;
    }
    Ok(())
}

/// Behind a proxy that reads all of a page before its visitor does. The browser runs our script: it
/// notes what it has shown.
#[tokio::test]
async fn behind_a_buffering_proxy_a_browser_loses_nothing_that_it_has_not_noted() -> Result {
    let postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let Some(nginx) = Nginx::start(&[app.address]).await? else {
        return Ok(());
    };
    let browser = Visitor::new(nginx.address);
    browser.push("first").await?;
    let page = browser.page("/").await?;
    note(&browser, &page)?;
    let noted = browser.cookies()?;
    let messages = push_large_page(&browser).await?;

    reset_unread(nginx.address, &noted, None).await?;
    // What nginx has read would be deleted by now.
    sleep(Duration::from_secs(1)).await;
    let mut database = PgConnection::connect(&postgres.url).await?;
    assert_eq!(stored(&mut database).await?, messages);
    let page = sees_all(&browser, messages, Duration::from_secs(35)).await?;
    note(&browser, &page)?;
    assert_eq!(browser.messages("/").await?, [""; 0]);
    within(Duration::from_secs(5), async || {
        let mut database = PgConnection::connect(&postgres.url).await?;
        match stored(&mut database).await? {
            0 => Ok(()),
            some => Err(format!("{some} are still there").into()),
        }
    })
    .await
}

/// Pushes messages that make a page of 250 KB. Returns how many; each text begins with its number.
async fn push_large_page(visitor: &Visitor) -> Result<usize> {
    // Three bytes each: so few messages that the browser's note has room for all.
    let filler = "€".repeat(1990);
    let gauge = Visitor::new(visitor.address);
    gauge.push(&filler).await?;
    let one = gauge.page("/").await?.len();
    gauge.push(&filler).await?;
    gauge.push(&filler).await?;
    let messages = 250_000 / (gauge.page("/").await?.len() - one);
    for number in 0..messages {
        visitor.push(&format!("{number} {filler}")).await?;
    }
    Ok(messages)
}

/// Asks for a page, reads nothing of it for a while, and resets the connection.
async fn reset_unread(address: SocketAddr, cookies: &str, buffer: Option<u32>) -> Result {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_zero_linger()?;
    let mut stream = socket.connect(address).await?;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: {address}\r\naccept: text/html\r\ncookie: {cookies}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.readable().await?;
    sleep(Duration::from_millis(400)).await;
    Ok(())
}

/// Loads pages until one shows all messages, in their order. Returns it.
async fn sees_all(visitor: &Visitor, messages: usize, limit: Duration) -> Result<String> {
    let all: Vec<_> = (0..messages).map(|number| number.to_string()).collect();
    within(limit, async || {
        let page = visitor.page("/").await?;
        let numbers: Vec<_> = (texts(&page).iter())
            .map(|text| text.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        if numbers == all {
            return Ok(page);
        }
        Err(format!("of {messages} messages a page shows {numbers:?}").into())
    })
    .await
}

/// How many messages of the large page are stored.
async fn stored(database: &mut PgConnection) -> Result<usize> {
    let stored: i64 =
        sqlx::query_scalar("select count(*) from flash_message where text ~ '^[0-9]'")
            .fetch_one(database)
            .await?;
    Ok(stored.try_into()?)
}

/// Notes all that a page shows in a cookie, as our script does.
fn note(browser: &Visitor, page: &str) -> Result {
    let (_, scope) = (page.split_once("data-flash-scope=\"")).ok_or("the page names no scope")?;
    let scope = scope.get(..8).ok_or("a scope is longer")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let entries: Vec<_> = (page.split("data-flash-id=\"").skip(1))
        .filter_map(|rest| Some(format!("{}.{}", rest.split_once('"')?.0, base36(now))))
        .collect();
    browser.set_cookie(&format!("flash-{scope}"), &entries.join("-"))
}

fn base36(mut number: u128) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.extend(char::from_digit((number % 36) as u32, 36));
        number /= 36;
    }
    digits.iter().rev().collect()
}
