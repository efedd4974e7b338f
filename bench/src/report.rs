//! bench/RESULTS.md: a table for each scenario, the targets, the machine; and a plot.

use std::{fmt::Write as _, fs};

use anyhow::Result;
use xshell::{Shell, cmd};
use xtask::command::{read, root, shell};

use crate::{
    ROUNDS,
    growth::{LARGE, PARTITIONED, SMALL},
    load::{SCENARIOS, Visit},
    measure::{Figures, Measured},
};

const NAMES: [&str; 5] = ["race-bib", "floor", "axum-messages", "Node stack", "Django"];

/// Scenario, figure, whom it is compared to, and the least that is wanted.
type Target = (usize, &'static str, &'static str, f64, fn(&Figures) -> f64);

const TARGETS: [Target; 15] = [
    (0, "visits", "Node stack", 10.0, |figures| figures.visits),
    (1, "visits", "Node stack", 8.0, |figures| figures.visits),
    (2, "visits", "Node stack", 6.0, |figures| figures.visits),
    (0, "CPU", "Node stack", 8.0, |figures| 1.0 / figures.cpu),
    (1, "CPU", "Node stack", 8.0, |figures| 1.0 / figures.cpu),
    (2, "CPU", "Node stack", 8.0, |figures| 1.0 / figures.cpu),
    (3, "memory", "Node stack", 3.0, |figures| {
        1.0 / figures.memory
    }),
    (0, "visits", "axum-messages", 1.0, |figures| figures.visits),
    (1, "visits", "axum-messages", 1.0, |figures| figures.visits),
    (2, "visits", "axum-messages", 1.0, |figures| figures.visits),
    (3, "visits", "axum-messages", 1.0, |figures| figures.visits),
    (0, "visits", "floor", 0.75, |figures| figures.visits),
    (1, "visits", "floor", 0.75, |figures| figures.visits),
    (2, "visits", "floor", 0.75, |figures| figures.visits),
    (3, "visits", "floor", 0.75, |figures| figures.visits),
];

pub fn write(measured: &Measured, growth: &Measured, profiles: &str) -> Result<()> {
    let folder = root().join("bench");
    fs::write(folder.join("visits.svg"), plot(measured))?;
    let text = text(measured, growth)? + profiles;
    fs::write(folder.join("RESULTS.md"), text)?;
    println!("\nbench/RESULTS.md");
    Ok(())
}

fn text(measured: &Measured, growth: &Measured) -> Result<String> {
    let sh = shell()?;
    let mut text = format!(
        "# Results\n\n`cargo xtask bench`, {}: {ROUNDS} rounds, each contender in turn in each scenario for 3 seconds \
         after a warm-up; medians, with the least and the most in brackets. Load, servers and PostgreSQL share \
         the machine, so only ratios mean something.\n\n{}\n\
         A visit is a page; in the last two scenarios a post, its redirect and the page with the message. The floor \
         runs race-bib's statements, one for each request, answers with its bytes, and does nothing else; race-bib \
         shares statements between requests that come at the same time. Node is one process, \
         as its lesson starts it; Django has two, axum-messages and race-bib a thread for each core.\n\n\
         ![Visits in a second](visits.svg)\n",
        read(cmd!(sh, "git log -1 '--format=commit %h'")).unwrap_or_default(),
        machine(&sh),
    );
    for scenario in SCENARIOS {
        write!(
            text,
            "\n## {}, {} visitors\n\n\
             | | visits/s | p50 ms | p99 ms | CPU ms/request | memory MiB | statements/request | bytes/response | wrong |\n\
             |---|---|---|---|---|---|---|---|---|\n",
            capital(scenario.name),
            scenario.visitors
        )?;
        for name in NAMES {
            let all = |figure: fn(&Figures) -> f64| measured.all(name, scenario.name, figure);
            let median = |figure: fn(&Figures) -> f64| measured.median(name, scenario.name, figure);
            let visits = all(|figures| figures.visits);
            writeln!(
                text,
                "| {name} | {:.0} ({:.0}–{:.0}) | {:.2} | {:.2} | {:.3} | {:.1} | {:.2} | {:.0} | {:.0} |",
                median(|figures| figures.visits),
                visits.first().copied().unwrap_or_default(),
                visits.last().copied().unwrap_or_default(),
                median(|figures| figures.p50),
                median(|figures| figures.p99),
                median(|figures| figures.cpu),
                median(|figures| figures.memory),
                median(|figures| figures.statements),
                median(|figures| figures.bytes),
                all(|figures| figures.wrong).iter().sum::<f64>(),
            )?;
        }
    }
    text.push_str("\n## Targets\n\n| scenario | figure | against | wanted | measured | |\n|---|---|---|---|---|---|\n");
    for (scenario, what, other, wanted, figure) in TARGETS {
        let scenario = SCENARIOS[scenario].name;
        let ratio = measured.median("race-bib", scenario, figure)
            / measured.median(other, scenario, figure);
        let mark = if ratio >= wanted { "met" } else { "**missed**" };
        writeln!(
            text,
            "| {scenario} | {what} | {other} | {wanted} × | {ratio:.2} × | {mark} |"
        )?;
    }
    for scenario in SCENARIOS
        .iter()
        .filter(|scenario| scenario.visit != Visit::Stranger)
    {
        let visits = |name| growth.median(name, scenario.name, |figures| figures.visits);
        for name in [LARGE, PARTITIONED] {
            let ratio = visits(name) / visits(SMALL);
            let mark = if ratio >= 0.9 { "met" } else { "**missed**" };
            writeln!(
                text,
                "| {} with a million sessions and messages of others, {name} | visits | small tables | 0.9 × | \
                 {ratio:.2} × | {mark} |",
                scenario.name
            )?;
        }
    }
    Ok(text)
}

fn machine(sh: &Shell) -> String {
    let version = |program: &str| {
        let said = read(cmd!(sh, "{program} --version")).unwrap_or_default();
        said.lines().next().unwrap_or_default().to_owned()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores, {} · {} · Node {} · {} · {}\n",
        model.map_or("unknown", |(_, model)| model),
        version("rustc"),
        version("node"),
        version("python3"),
        version("psql"),
    )
}

/// Bars, a group for each scenario, as long as the visits in a second; race-bib is 100.
fn plot(measured: &Measured) -> String {
    const COLOURS: [&str; 5] = ["#c8380a", "#8a8678", "#1f5fae", "#1c7040", "#8a5300"];
    let (mut bars, mut y) = (String::new(), 10);
    for scenario in SCENARIOS {
        let visits =
            NAMES.map(|name| measured.median(name, scenario.name, |figures| figures.visits));
        let most = visits.iter().copied().fold(1.0, f64::max);
        _ = writeln!(
            bars,
            "<text x=\"0\" y=\"{}\" font-weight=\"700\">{}</text>",
            y + 12,
            scenario.name
        );
        y += 20;
        for ((name, colour), visits) in NAMES.iter().zip(COLOURS).zip(visits) {
            _ = writeln!(
                bars,
                "<text x=\"0\" y=\"{0}\">{name}</text><rect x=\"110\" y=\"{1}\" width=\"{2:.0}\" height=\"14\" \
                 fill=\"{colour}\"/><text x=\"{3:.0}\" y=\"{0}\">{visits:.0}</text>",
                y + 12,
                y + 1,
                450.0 * visits / most,
                116.0 + 450.0 * visits / most,
            );
            y += 18;
        }
        y += 14;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {y}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"Visits in a second\">\n\
         <rect width=\"640\" height=\"{y}\" fill=\"#fff\"/>\n{bars}</svg>\n"
    )
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}
