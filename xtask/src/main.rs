//! `cargo xtask …`: the repository's commands.

use std::process::ExitCode;

use anyhow::Result;
use xtask::{command, commands::*};

mod flags {
    xflags::xflags! {
        /// The commands of this repository. Each one installs what it needs and the machine lacks.
        cmd xtask {
            /// Print this help.
            default cmd help {}
            /// Run the app on http://localhost:5500, built again at each change.
            cmd serve {}
            /// Run all checks, or only some: format lint depend unit failover template build browser firefox lighthouse.
            cmd test {
                /// The checks to run; all of them by default.
                repeated steps: String
            }
            /// Build the release: target/release/race-bib and target/site.
            cmd build {}
            /// Run the app's PostgreSQL alone, until Ctrl-C. It prints its DATABASE_URL.
            cmd postgres {}
            /// Measure race-bib beside its peers and write bench/KEPT.md and bench/RESULTS.md.
            cmd bench {
                /// `kept` alone: what becomes of messages, in a minute. All by default.
                optional only: String
            }
            /// Throw any cookie and any form at the app, 10 minutes each, on a nightly toolchain.
            cmd fuzz {}
            /// Install what `serve` and `build` need, nothing else.
            cmd tools {}
        }
    }

    impl Xtask {
        pub const HELP: &str = Self::HELP_;
    }
}

fn main() -> ExitCode {
    let command = flags::Xtask::from_env_or_exit().subcommand;
    match command::stop_on_signals().and_then(|()| run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: flags::XtaskCmd) -> Result<()> {
    use flags::XtaskCmd::*;
    match command {
        Help(_) => {
            println!("{}", flags::Xtask::HELP);
            Ok(())
        }
        Serve(_) => serve::serve(),
        Test(test) => test::test(&test.steps),
        Build(_) => build::build(),
        Postgres(_) => postgres::postgres(),
        Bench(bench) => bench::bench(bench.only.as_deref()),
        Fuzz(_) => fuzz::fuzz(),
        Tools(_) => tools::tools(),
    }
}
