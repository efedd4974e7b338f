//! Any cookie, and the headers that say what kind of request it is: a stranger gets the page.
#![no_main]

use axum::{body::Body, http::{HeaderValue, Request, StatusCode}};
use libfuzzer_sys::fuzz_target;
use race_bib_fuzz::answer;

fuzz_target!(|lines: [&[u8]; 4]| {
    let mut request = Request::get("/messages").header("accept", "text/html");
    let names = ["cookie", "cookie", "x-flash", "sec-purpose"];
    for (name, line) in names.into_iter().zip(lines) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            request = request.header(name, value);
        }
    }
    let (status, page) = answer(request.body(Body::empty()).unwrap());
    assert!(matches!(status, StatusCode::OK | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), "{status}");
    assert!(page.is_empty() || !page.contains("data-flash-id"));
});
