#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    race_bib::commands::main(std::env::args().nth(1).as_deref()).await
}

/// cargo-leptos builds the browser's side from lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}
