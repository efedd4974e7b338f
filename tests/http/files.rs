//! The built files: how long they may be kept, and by whom.

use std::fs;

use reqwest::Method;
use tempfile::{TempDir, tempdir};

use crate::app::{App, Result};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A built site.
fn site() -> Result<TempDir> {
    let root = tempdir()?;
    fs::create_dir(root.path().join("pkg"))?;
    for (name, text) in [
        ("pkg/race-bib.a.css", "the style"),
        ("pkg/race-bib.a.css.br", "as brotli"),
        ("pkg/race-bib.a.css.gz", "as gzip"),
        ("pkg/race-bib.a.js", "the script"),
        ("pkg/race-bib.a.wasm", "the app"),
        ("favicon.svg", "the icon"),
        ("favicon.svg.br", "as brotli"),
    ] {
        fs::write(root.path().join(name), text)?;
    }
    Ok(root)
}

#[tokio::test]
async fn a_file_is_kept_for_ever_an_error_never_and_each_encoding_apart() -> Result {
    let site = site()?;
    let root = site.path().display().to_string();
    let hashed = [("LEPTOS_SITE_ROOT", &*root), ("LEPTOS_HASH_FILES", "true")];
    let app = App::start_with(&hashed).await?;
    let (css, icon) = ("/pkg/race-bib.a.css", "/favicon.svg");
    let later = "Fri, 01 Jan 2100 00:00:00 GMT";
    let day = "public, max-age=86400";
    for (path, header, value, status, lifetime) in [
        (css, "accept-encoding", "br", 200, FOR_EVER),
        (css, "accept-encoding", "gzip", 200, FOR_EVER),
        (css, "accept-encoding", "identity", 200, FOR_EVER),
        (css, "if-modified-since", later, 304, FOR_EVER),
        (css, "range", "bytes=0-3", 206, FOR_EVER),
        (css, "range", "bytes=900-", 416, "no-store"),
        ("/pkg/race-bib.a.js", "accept", "*/*", 200, FOR_EVER),
        (
            "/pkg/race-bib.deadbeef.js",
            "accept",
            "*/*",
            404,
            "no-store",
        ),
        ("/pkg/", "accept", "*/*", 404, "no-store"),
        (icon, "accept-encoding", "br", 200, day),
        (icon, "if-modified-since", later, 304, day),
    ] {
        let answer = app.get_with(path, &[(header, value)]).await?;
        let case = format!("{path} with {header}: {value}");
        assert_eq!(answer.status(), status, "{case}");
        assert_eq!(answer.headers()["cache-control"], lifetime, "{case}");
        assert_eq!(answer.headers()["vary"], "accept-encoding", "{case}");
    }
    let post = app.request(Method::POST, css);
    let refused = post.send().await?;
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers()["cache-control"], "no-store");

    fs::remove_file(site.path().join("favicon.svg"))?;
    fs::remove_file(site.path().join("favicon.svg.br"))?;
    let missing = app.get(icon).await?;
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["cache-control"], "no-store");
    Ok(())
}
