//! The built files: how long they may be kept, and by whom.

use std::{env, fs, path::PathBuf};

use sqlx::PgPool;

use crate::visitor::{Result, Visitor};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A built site, until it is dropped.
struct Site(PathBuf);

impl Site {
    fn new() -> Result<Self> {
        let root = env::temp_dir().join(format!("race-bib-files-{}", std::process::id()));
        fs::create_dir_all(root.join("pkg"))?;
        for (name, text) in [
            ("pkg/race-bib.a.css", "the style"),
            ("pkg/race-bib.a.css.br", "as brotli"),
            ("pkg/race-bib.a.css.gz", "as gzip"),
            ("pkg/race-bib.a.js", "the script"),
            ("pkg/race-bib.a.wasm", "the app"),
            ("favicon.svg", "the icon"),
            ("favicon.svg.br", "as brotli"),
        ] {
            fs::write(root.join(name), text)?;
        }
        Ok(Self(root))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[sqlx::test(migrations = false)]
async fn a_file_is_kept_for_ever_an_error_never_and_each_encoding_apart(pool: PgPool) -> Result {
    let site = Site::new()?;
    let root = site.0.display().to_string();
    let hashed = [("LEPTOS_SITE_ROOT", &*root), ("LEPTOS_HASH_FILES", "true")];
    let visitor = Visitor::start_with(pool, &hashed).await?;
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
        let get = visitor.client.get(format!("{}{path}", visitor.base));
        let answer = get.header(header, value).send().await?;
        let case = format!("{path} with {header}: {value}");
        assert_eq!(answer.status(), status, "{case}");
        assert_eq!(answer.headers()["cache-control"], lifetime, "{case}");
        assert_eq!(answer.headers()["vary"], "accept-encoding", "{case}");
    }
    let post = visitor.client.post(format!("{}{css}", visitor.base));
    let refused = post.send().await?;
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers()["cache-control"], "no-store");

    fs::remove_file(site.0.join("favicon.svg"))?;
    fs::remove_file(site.0.join("favicon.svg.br"))?;
    let missing = visitor.page(icon).await?;
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["cache-control"], "no-store");
    Ok(())
}
