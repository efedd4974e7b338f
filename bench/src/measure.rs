//! One turn of a contender in a scenario, in figures.

use std::{collections::BTreeMap, fmt, fs, time::Duration};

use anyhow::Result;

use crate::{
    contender::Contender,
    load::{Scenario, Visitors},
};

const WARM_UP: Duration = Duration::from_millis(700);
const TIME: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Default)]
pub struct Figures {
    /// Visits in a second; one of a message is two requests.
    pub visits: f64,
    pub p50: f64,
    pub p99: f64,
    /// Milliseconds of the server's processes for a request.
    pub cpu: f64,
    /// The most that all its processes together had in memory, in MiB.
    pub memory: f64,
    pub statements: f64,
    /// Head and body.
    pub bytes: f64,
    pub wrong: f64,
}

/// Figures by contender and scenario, one for each round.
#[derive(Default)]
pub struct Measured(BTreeMap<(String, String), Vec<Figures>>);

impl Measured {
    pub fn add(&mut self, contender: &str, scenario: &str, figures: Figures) {
        self.0
            .entry((contender.to_owned(), scenario.to_owned()))
            .or_default()
            .push(figures);
    }

    /// The values of a figure in all rounds, sorted.
    pub fn all(
        &self,
        contender: &str,
        scenario: &str,
        figure: impl Fn(&Figures) -> f64,
    ) -> Vec<f64> {
        let key = (contender.to_owned(), scenario.to_owned());
        let mut values: Vec<f64> = self.0.get(&key).into_iter().flatten().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    pub fn median(&self, contender: &str, scenario: &str, figure: impl Fn(&Figures) -> f64) -> f64 {
        let values = self.all(contender, scenario, figure);
        values.get(values.len() / 2).copied().unwrap_or_default()
    }
}

pub async fn turn(contender: &Contender, scenario: Scenario) -> Result<Figures> {
    let mut visitors = Visitors::arrive(&contender.site, scenario).await?;
    visitors.visit(WARM_UP).await?;
    let statements = contender.statements().await?;
    let cpu = cpu_milliseconds(contender.group);
    let seen = visitors.visit(TIME).await?;
    let cpu = cpu_milliseconds(contender.group) - cpu;
    let statements = contender.statements().await? - statements;
    let requests = seen.requests as f64;
    let percentile = |part: f64| {
        let index = ((seen.latencies.len() as f64 * part) as usize)
            .min(seen.latencies.len().saturating_sub(1));
        seen.latencies
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    Ok(Figures {
        visits: seen.latencies.len() as f64 / TIME.as_secs_f64(),
        p50: percentile(0.5),
        p99: percentile(0.99),
        cpu: cpu / requests,
        memory: peak_memory(contender.group),
        statements: statements as f64 / requests,
        bytes: seen.bytes as f64 / requests,
        wrong: seen.wrong as f64,
    })
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:8.0}/s  p50 {:6.2} ms  p99 {:6.2} ms  {:6.3} ms CPU  {:5.1} MiB  {:.2} statements  {:.0} bytes  {} wrong",
            self.visits,
            self.p50,
            self.p99,
            self.cpu,
            self.memory,
            self.statements,
            self.bytes,
            self.wrong
        )
    }
}

/// The processes of a group: a server and its workers.
fn processes(group: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            // After the name, which is in brackets: state, parent, group.
            let (_, fields) = stat.rsplit_once(')')?;
            let is_member = fields.split_whitespace().nth(2)? == group.to_string();
            is_member.then(|| process.path().to_string_lossy().into_owned())
        })
        .collect()
}

/// User and system time, in milliseconds; a tick is 10.
fn cpu_milliseconds(group: u32) -> f64 {
    let ticks = |process: String| {
        let stat = fs::read_to_string(format!("{process}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11);
        let (user, system): (f64, f64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
        Some(user + system)
    };
    processes(group).into_iter().filter_map(ticks).sum::<f64>() * 10.0
}

/// What counts for the machine: shared pages are shared out (Pss).
fn peak_memory(group: u32) -> f64 {
    let kib = |process: String| {
        let rollup = fs::read_to_string(format!("{process}/smaps_rollup")).ok()?;
        let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    processes(group).into_iter().filter_map(kib).sum::<f64>() / 1024.0
}
