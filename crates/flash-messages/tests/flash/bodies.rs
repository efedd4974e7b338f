//! The layers go around any service of any body, compression among them.

use std::convert::Infallible;

use axum::{Router, body::Body, http::Request, response::Html, routing::get};
use bytes::Bytes;
use flash_messages::{Flash, FlashLayer, MemoryStore};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::compression::CompressionLayer;

use crate::support::{HTML, Result, cookie};

/// Sessions and messages in memory.
fn layer() -> FlashLayer {
    FlashLayer::new(MemoryStore::default(), cookie())
}

fn page_load(cookie: &str) -> Result<Request<Body>> {
    let page = Request::get("/").header(HTML.0, HTML.1);
    let page = page.header("accept-encoding", "gzip");
    Ok(page.header("cookie", cookie).body(Body::empty())?)
}

/// Pushes with the first request, and shows with the next one.
async fn shows_once<S, B>(mut service: S) -> Result<Vec<Vec<u8>>>
where
    S: Service<Request<Body>, Response = axum::http::Response<B>>,
    S::Error: std::error::Error + Send + Sync + 'static,
    B: axum::body::HttpBody<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let push = Request::post("/").body(Body::empty())?;
    let response = service.ready().await?.call(push).await?;
    let cookie = response.headers()["set-cookie"].to_str()?.to_owned();
    let cookie = cookie.split(';').next().unwrap_or_default();
    let mut pages = Vec::new();
    for _ in 0..2 {
        let page = service.ready().await?.call(page_load(cookie)?).await?;
        // Part by part, as a server does: a part that is kept is not written yet.
        let (mut body, mut bytes) = (Box::pin(page.into_body()), Vec::new());
        while let Some(frame) = body.frame().await {
            bytes.extend(frame?.into_data().unwrap_or_default());
        }
        pages.push(bytes);
        // What was shown is deleted soon.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(pages)
}

#[tokio::test]
async fn a_page_that_is_compressed_inside_the_layers_shows_its_message_once() -> Result {
    async fn page(flash: Flash) -> Html<String> {
        Html(format!(
            "{} messages{}",
            flash.take().len(),
            " ".repeat(100)
        ))
    }
    async fn push(flash: Flash) -> String {
        flash
            .info("hello")
            .await
            .map_or_else(|error| error.to_string(), |_| String::new())
    }
    let app: Router = Router::new().route("/", get(page).post(push)).layer(
        ServiceBuilder::new()
            .layer(layer())
            .layer(CompressionLayer::new()),
    );
    let pages = shows_once(app).await?;
    assert!(
        pages.iter().all(|page| page.starts_with(&[0x1f, 0x8b])),
        "{pages:?}"
    );
    assert_ne!(pages[0], pages[1], "the message is shown once");
    Ok(())
}

#[tokio::test]
async fn a_service_without_axum_shows_its_message_once() -> Result {
    let service =
        ServiceBuilder::new()
            .layer(layer())
            .service_fn(|request: Request<Body>| async move {
                let flash = request.extensions().get::<Flash>().cloned();
                let flash = flash.expect("the layer adds it");
                if request.method() == "POST" {
                    flash.info("hello").await.expect("it is stored");
                }
                let texts: String = flash
                    .take()
                    .into_iter()
                    .map(|message| message.text)
                    .collect();
                Ok::<_, Infallible>(axum::http::Response::new(Full::new(Bytes::from(texts))))
            });
    assert_eq!(shows_once(service).await?, [b"hello".to_vec(), Vec::new()]);
    Ok(())
}

/// A middleware around the layer may do that, and so do HTTP clients of tests, which send a host.
#[tokio::test]
async fn a_page_whose_parts_are_collected_ends_and_its_message_waits_again() -> Result {
    async fn page(flash: Flash) -> Html<String> {
        Html(format!("{} messages", flash.take().len()))
    }
    async fn push(flash: Flash) {
        flash.info("hello").await.expect("it is stored");
    }
    let app = Router::new()
        .route("/", get(page).post(push))
        .layer(layer());
    let push = Request::post("/").body(Body::empty())?;
    let response = app.clone().oneshot(push).await?;
    let cookie = response.headers()["set-cookie"].to_str()?.to_owned();
    let mut request = page_load(&cookie)?;
    request.headers_mut().insert("host", "localhost".parse()?);
    let page = app.clone().oneshot(request).await?;
    let body = axum::body::to_bytes(page.into_body(), 1 << 20);
    let body = tokio::time::timeout(std::time::Duration::from_secs(30), body).await??;
    assert_eq!(body, "1 messages");
    // A task gives the message back.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let page = app.oneshot(page_load(&cookie)?).await?;
    let body = axum::body::to_bytes(page.into_body(), 1 << 20).await?;
    assert_eq!(body, "1 messages");
    Ok(())
}
