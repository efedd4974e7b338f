/// Pages are many small strings: the system's allocator took 40 % of the time of one.
#[cfg(feature = "ssr")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    race_bib::commands::main().await
}

/// cargo-leptos builds the browser's side from lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}
