//! Any form: it is the sender's mistake, or the database is away; never a failure of ours.
#![no_main]

use axum::{body::Body, http::{Request, StatusCode}};
use libfuzzer_sys::fuzz_target;
use race_bib_fuzz::answer;

const PATHS: [&str; 5] = ["push_message", "set_look", "dismiss_flash", "start_race", "pass_checkpoint"];

fuzz_target!(|form: (u8, &[u8])| {
    let (number, body) = form;
    let path = PATHS[usize::from(number) % PATHS.len()];
    let request = Request::post(format!("/api/{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .body(Body::from(body.to_vec()))
        .unwrap();
    let (status, page) = answer(request);
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{page}");
});
