//! When a page has been handed over: written to the network, not put into a buffer.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::support::{Result, Server, Visitor, session_cookie};

const MESSAGES: usize = 40;

/// A server, and a visitor for whom 40 messages wait.
async fn forty() -> Result<(Server, Visitor, String)> {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    visitor.messages("/page").await?;
    push(&visitor).await?;
    Ok((server, visitor, cookie))
}

async fn push(visitor: &Visitor) -> Result {
    for number in 0..MESSAGES {
        visitor.push(&number.to_string()).await?;
    }
    Ok(())
}

/// How many messages pages show within 3 seconds.
async fn shown(visitor: &Visitor) -> Result<usize> {
    let mut shown = 0;
    for _ in 0..30 {
        shown += visitor.messages("/page").await?.len();
        if shown >= MESSAGES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(shown)
}

/// Asks for a page, reads nothing for a while, and resets the connection.
async fn read_nothing(socket: TcpSocket, to: SocketAddr, path: &str, cookie: &str) -> Result {
    let mut stream = socket.connect(to).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    stream.set_zero_linger()?;
    Ok(())
}

/// With the buffers that the kernel gives by default: some megabytes would fit.
#[tokio::test]
async fn a_reader_that_reads_nothing_and_resets_loses_nothing() -> Result {
    let (server, visitor, cookie) = forty().await?;
    let address = server.listen().await?;
    for path in ["/large", "/large-stream"] {
        read_nothing(TcpSocket::new_v4()?, address, path, &cookie).await?;
        assert_eq!(shown(&visitor).await?, MESSAGES, "{path}");
        push(&visitor).await?;
    }
    Ok(())
}

#[tokio::test]
async fn with_small_buffers_a_plain_listener_loses_nothing_either() -> Result {
    let (server, visitor, cookie) = forty().await?;
    let listener = TcpSocket::new_v4()?;
    // Connections inherit it.
    listener.set_send_buffer_size(4096)?;
    listener.bind("127.0.0.1:0".parse()?)?;
    let listener = listener.listen(16)?;
    let address = listener.local_addr()?;
    let app = server.app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    for path in ["/large", "/large-stream"] {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        read_nothing(socket, address, path, &cookie).await?;
        assert_eq!(shown(&visitor).await?, MESSAGES, "{path}");
        push(&visitor).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_read_is_handed_over_by_each_kind_of_listener() -> Result {
    let (server, visitor, cookie) = forty().await?;
    for address in [server.address, server.listen().await?] {
        for path in ["/page", "/large", "/large-stream"] {
            let page = format!("http://{address}{path}");
            let page = reqwest::Client::new().get(page).header("cookie", &cookie);
            let html = page
                .header("accept", "text/html")
                .send()
                .await?
                .text()
                .await?;
            assert_eq!(crate::support::texts(&html).len(), MESSAGES, "{path}");
            // The response is read before the server's last flush has returned.
            tokio::time::sleep(Duration::from_millis(50)).await;
            server.flash.flush().await;
            assert_eq!(server.stored().await?, 0, "{address} {path}");
            push(&visitor).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_page_keeps_its_length_behind_our_listener() -> Result {
    let (server, _, cookie) = forty().await?;
    let mut stream = TcpStream::connect(server.listen().await?).await?;
    let request = format!(
        "GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    assert!(
        page.to_lowercase().contains("content-length: "),
        "{}",
        &page[..400]
    );
    Ok(())
}

/// A compression layer goes inside the flash layer.
#[tokio::test]
async fn a_compressed_page_is_handed_over_when_it_is_read() -> Result {
    let (server, visitor, cookie) = forty().await?;
    let page = async |flash: flash_messages::Flash| {
        let texts: String = flash
            .take()
            .iter()
            .map(|message| message.text.clone())
            .collect();
        axum::response::Html(texts + &"<!-- padding -->".repeat(16_000))
    };
    let app: Router = Router::new()
        .route("/", axum::routing::get(page))
        .layer(tower_http::compression::CompressionLayer::new())
        .layer(server.flash.clone());
    for told in [false, true] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let app = app.clone();
        tokio::spawn(async move {
            if told {
                let listener = flash_messages::FlashListener::new(listener);
                axum::serve(listener, flash_messages::with_connection(app)).await
            } else {
                axum::serve(listener, app).await
            }
        });
        let page = reqwest::Client::new().get(url).header("cookie", &cookie);
        let page = page
            .header("accept-encoding", "gzip")
            .header("accept", "text/html");
        let page = page.send().await?;
        assert_eq!(page.headers()["content-encoding"], "gzip");
        page.bytes().await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.flash.flush().await;
        assert_eq!(server.stored().await?, 0, "{told}");
        push(&visitor).await?;
    }
    Ok(())
}

/// An HTTP/2 connection whose stream window is closed after some bytes.
async fn http2(address: SocketAddr, window: u32) -> Result<h2::client::SendRequest<bytes::Bytes>> {
    let stream = TcpStream::connect(address).await?;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .handshake(stream)
        .await?;
    tokio::spawn(async move { _ = connection.await });
    Ok(client.ready().await?)
}

fn get(address: SocketAddr, path: &str, cookie: &str) -> Result<http::Request<()>> {
    Ok(http::Request::get(format!("http://{address}{path}"))
        .header("accept", "text/html")
        .header("cookie", cookie)
        .body(())?)
}

#[tokio::test]
async fn an_http2_stream_that_is_reset_with_a_closed_window_loses_nothing() -> Result {
    let (server, visitor, cookie) = forty().await?;
    let address = server.listen().await?;
    let mut client = http2(address, 1000).await?;
    for path in ["/large", "/large-stream", "/page"] {
        let (response, _) = client.send_request(get(address, path, &cookie)?, true)?;
        let response = response.await?;
        assert_eq!(response.status(), 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Dropped unread, the stream is reset.
        drop(response);
        client = client.ready().await?;
        // Something else is flushed on the same connection.
        let (other, _) = client.send_request(get(address, "/silent", "a=b")?, true)?;
        other.await?;
        client = client.ready().await?;
        assert_eq!(shown(&visitor).await?, MESSAGES, "{path}");
        push(&visitor).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_http2_page_that_is_read_is_handed_over() -> Result {
    let (server, visitor, cookie) = forty().await?;
    let address = server.listen().await?;
    let mut client = http2(address, 1 << 20).await?;
    for path in ["/large", "/large-stream", "/page"] {
        let (response, _) = client.send_request(get(address, path, &cookie)?, true)?;
        let mut body = response.await?.into_body();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.flash.flush().await;
        assert_eq!(server.stored().await?, 0, "{path}");
        client = client.ready().await?;
        push(&visitor).await?;
    }
    Ok(())
}
