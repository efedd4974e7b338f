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
    let cpu = cpu_of_group(contender.group).all();
    let seen = visitors.visit(TIME).await?;
    let cpu = cpu_of_group(contender.group).all() - cpu;
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

/// Time of processes, in milliseconds; a tick is 10.
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

/// A server and its workers.
pub fn cpu_of_group(group: u32) -> Cpu {
    sum(processes(|stat| stat.group == group))
}

pub fn cpu_of_children(parent: u32) -> Cpu {
    sum(processes(|stat| stat.parent == parent))
}

pub fn cpu_of_process(id: u32) -> Cpu {
    sum(processes(|stat| stat.id == id))
}

fn sum(processes: Vec<Stat>) -> Cpu {
    processes.iter().fold(Cpu::default(), |sum, stat| Cpu {
        user: sum.user + stat.cpu.user,
        kernel: sum.kernel + stat.cpu.kernel,
    })
}

/// What /proc says of a process.
struct Stat {
    id: u32,
    parent: u32,
    group: u32,
    cpu: Cpu,
}

impl Stat {
    /// The fields of `/proc/<id>/stat`, see proc(5).
    fn read(text: &str) -> Option<Self> {
        let id = text.split(' ').next()?.parse().ok()?;
        // After the name, which is in brackets and may hold spaces: state, parent, group.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
        Some(Self {
            id,
            parent: number(1)?,
            group: number(2)?,
            cpu: Cpu {
                user: f64::from(number(11)?) * 10.0,
                kernel: f64::from(number(12)?) * 10.0,
            },
        })
    }
}

fn processes(which: impl Fn(&Stat) -> bool) -> Vec<Stat> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| Stat::read(&fs::read_to_string(process.path().join("stat")).ok()?))
        .filter(which)
        .collect()
}

/// What counts for the machine: shared pages are shared out (Pss).
fn peak_memory(group: u32) -> f64 {
    let kib = |process: &Stat| {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.id)).ok()?;
        let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    processes(|stat| stat.group == group)
        .iter()
        .filter_map(kib)
        .sum::<f64>()
        / 1024.0
}
