//! Serves the files of the region: its style sheet, and a script for pages whose WASM has not loaded yet.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use axum::{Router, http::header, routing::get};
use tower_http::{CompressionLevel, compression::CompressionLayer};

/// A file, whose path changes with its text.
struct Asset {
    path: String,
    kind: &'static str,
    text: &'static str,
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("flash.css");
    // The comment at its head is for people.
    let (_, text) = text.split_once("*/").unwrap_or_default();
    Asset::new("css", "text/css; charset=utf-8", text)
});

static NOTE_SHOWN: LazyLock<Asset> = LazyLock::new(|| {
    let kind = "text/javascript; charset=utf-8";
    Asset::new("js", kind, include_str!("note_shown.js"))
});

impl Asset {
    fn new(extension: &str, kind: &'static str, text: &'static str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let path = format!("/flash.{:016x}.{extension}", hasher.finish());
        Self { path, kind, text }
    }
}

/// Serves the files of [`FlashRegion`](crate::FlashRegion) and [`FlashGroup`](crate::FlashGroup).
/// Browsers keep them for a year: their paths change with their contents. Merge it into your router.
///
/// ```
/// use axum::Router;
///
/// let app: Router = Router::new().merge(leptos_flash::assets());
/// ```
pub fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let add = |router: Router<S>, asset: &Asset| {
        let headers = [
            (header::CONTENT_TYPE, asset.kind),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ];
        router.route(&asset.path, get((headers, asset.text)))
    };
    let files = add(add(Router::new(), &STYLE), &NOTE_SHOWN);
    files.layer(CompressionLayer::new().quality(CompressionLevel::Best))
}

/// Returns the path of the style sheet.
pub fn style_path() -> &'static str {
    &STYLE.path
}

/// Returns the path of the script that notes the messages of a page as shown.
pub fn note_shown_path() -> &'static str {
    &NOTE_SHOWN.path
}
