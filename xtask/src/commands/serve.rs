//! `cargo xtask serve`: the app on this machine, built again at each change.

use std::{env, fs, net::TcpListener};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    command::{root, run, shell, stopped},
    database,
    setup::{self, CARGO_LEPTOS, Need, POSTGRES, WASM_BINDGEN, WASM_TARGET, wasm_target::TARGET},
    steps::step,
};

/// Without a database: DATABASE_URL may name one.
pub const NEEDS: [Need; 3] = [WASM_TARGET, CARGO_LEPTOS, WASM_BINDGEN];

pub fn serve() -> Result<()> {
    let address = env::var("LEPTOS_SITE_ADDR").unwrap_or_else(|_| "127.0.0.1:5500".to_owned());
    ensure!(
        TcpListener::bind(&address).is_ok(),
        "can't listen on {address}: another program has the port. Stop it, or choose another one: \
         LEPTOS_SITE_ADDR=127.0.0.1:5600 cargo xtask serve"
    );
    let mut needs = NEEDS.to_vec();
    if database::given_url().is_none() {
        needs.push(POSTGRES);
    }
    setup::install(&needs, compile)?;
    write_env_file()?;
    let database = database::to_keep()?;
    println!(
        "\n▸ race-bib on http://{}, after the build, usually 7 min the first time; Ctrl-C stops it",
        address.replace("127.0.0.1", "localhost")
    );
    let sh = shell()?;
    let watch = run(cmd!(sh, "cargo leptos watch")
        .env("DATABASE_URL", &database.url)
        .env("LEPTOS_SITE_ADDR", &address));
    if stopped() { Ok(()) } else { watch }
}

/// Compiles both halves of the app as `cargo leptos watch` (0.3.10) does, which then finds them.
fn compile() -> Result<()> {
    let sh = shell()?;
    // Baked into leptos, which would be compiled again without it.
    sh.set_var("LEPTOS_WATCH", "true");
    let server = ["--package=race-bib", "--bin=race-bib", "--features=ssr"];
    run(cmd!(sh, "cargo build --no-default-features {server...}"))?;
    let front = [
        "--package=front",
        "--lib",
        "--features=hydrate",
        "--target-dir=target/front",
    ];
    run(cmd!(
        sh,
        "cargo build --no-default-features {front...} --target={TARGET}"
    ))
}

/// Writes `.env` with a fresh secret for this machine, when there is none yet.
fn write_env_file() -> Result<()> {
    let file = root().join(".env");
    if file.exists() {
        return Ok(());
    }
    step("a SESSION_SECRET in .env", || {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).context("no random numbers")?;
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let example = fs::read_to_string(root().join(".env.example"))?;
        let example = example.replace("SESSION_SECRET=\n", &format!("SESSION_SECRET={secret}\n"));
        Ok(fs::write(file, example)?)
    })
}
