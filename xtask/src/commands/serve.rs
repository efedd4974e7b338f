//! `cargo xtask serve`: the app on this machine, built again at each change.

use std::{env, fs, net::TcpListener};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use super::build::bind;
use crate::{
    command::{Group, command, root, run, shell, stopped},
    database,
    server::until_it_listens,
    setup::{self, CARGO_LEPTOS, Need, POSTGRES, WASM_BINDGEN, WASM_TARGET, wasm_target::TARGET},
    steps::step,
};

/// What `serve` needs in the end. PostgreSQL is not among it, because DATABASE_URL may name a server.
pub const NEEDS: [Need; 3] = [WASM_TARGET, WASM_BINDGEN, CARGO_LEPTOS];

pub fn serve() -> Result<()> {
    let address = env::var("LEPTOS_SITE_ADDR").unwrap_or_else(|_| "127.0.0.1:5500".to_owned());
    ensure!(
        TcpListener::bind(&address).is_ok(),
        "can't listen on {address}: another program has the port. Stop it, or choose another one: \
         LEPTOS_SITE_ADDR=127.0.0.1:5600 cargo xtask serve"
    );
    let mut needs = vec![WASM_TARGET, WASM_BINDGEN];
    if database::given_url().is_none() {
        needs.push(POSTGRES);
    }
    setup::install(&needs, compile)?;
    write_env_file()?;
    let database = database::to_keep()?;
    let site = format!("http://{}", address.replace("127.0.0.1", "localhost"));
    let sh = shell()?;
    sh.set_var("DATABASE_URL", &database.url);
    sh.set_var("LEPTOS_SITE_ADDR", &address);
    if !CARGO_LEPTOS.is_there() {
        // It takes longer to compile than the app.
        let _app = first_page(&sh, &address)?;
        println!(
            "\n✓ race-bib on {site}. Meanwhile cargo-leptos is installed, which builds it again at each change"
        );
        setup::install(&[CARGO_LEPTOS], || Ok(()))?;
    }
    println!("\n▸ race-bib on {site}, built again at each change; Ctrl-C stops it");
    let watch = run(cmd!(sh, "cargo leptos watch"));
    if stopped() { Ok(()) } else { watch }
}

/// Builds the app as `cargo leptos watch` does, and starts it.
fn first_page(sh: &Shell, address: &str) -> Result<Group> {
    step("race-bib, usually 5 min the first time", || {
        compile()?;
        let wasm = format!("target/front/{TARGET}/debug/front.wasm");
        bind(sh, &wasm, "target/site/pkg", "race-bib")?;
        sh.copy_file("style/main.css", "target/site/pkg/race-bib.css")?;
        sh.copy_file("public/favicon.svg", "target/site")?;
        let mut app = Group::spawn(&mut command(cmd!(sh, "target/debug/race-bib")))?;
        until_it_listens(&mut app, "race-bib", address)?;
        Ok(app)
    })
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
