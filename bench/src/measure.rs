//! One turn of a contender in a scenario, in figures.

use std::{collections::BTreeMap, fmt, time::Duration};

use anyhow::Result;

use crate::{
    contender::Contender,
    load::{Scenario, Visitors},
    processes::{cpu_of_group, memory_of_group},
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
    let cpu = cpu_of_group(contender.group).all();
    let seen = visitors.visit(TIME).await?;
    let cpu = cpu_of_group(contender.group).all() - cpu;
    let statements = contender.statements().await? - statements;
    let requests = seen.requests as f64;
    let percentile = |part| seen.latencies.value_at_quantile(part) as f64 / 1e6;
    Ok(Figures {
        visits: seen.latencies.len() as f64 / TIME.as_secs_f64(),
        p50: percentile(0.5),
        p99: percentile(0.99),
        cpu: cpu / requests,
        memory: memory_of_group(contender.group),
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

/// The time of processes, in milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    pub user: f64,
    pub kernel: f64,
}

impl Cpu {
    fn all(self) -> f64 {
        self.user + self.kernel
    }
}
