//! What processes cost, as the kernel counts it in /proc.

use procfs::process::{Process, Stat, all_processes};

use crate::measure::Cpu;

/// Returns the time of a server and its workers.
pub fn cpu_of_group(group: u32) -> Cpu {
    cpu(|stat| is(stat.pgrp, group))
}

pub fn cpu_of_children(parent: u32) -> Cpu {
    cpu(|stat| is(stat.ppid, parent))
}

pub fn cpu_of_process(id: u32) -> Cpu {
    cpu(|stat| is(stat.pid, id))
}

/// Returns the memory of a server and its workers, in MiB. Shared pages are shared out (Pss).
pub fn memory_of_group(group: u32) -> f64 {
    let bytes = |process: &Process| {
        let maps = process.smaps_rollup().ok()?.memory_map_rollup;
        maps.into_iter()
            .find_map(|map| map.extension.map.get("Pss").copied())
    };
    let processes = processes(|stat| is(stat.pgrp, group));
    let bytes: u64 = (processes.iter().filter_map(|(process, _)| bytes(process))).sum();
    bytes as f64 / 1024.0 / 1024.0
}

fn cpu(which: impl Fn(&Stat) -> bool) -> Cpu {
    let millis = |ticks: u64| ticks as f64 * 1000.0 / procfs::ticks_per_second() as f64;
    let processes = processes(which);
    processes.iter().fold(Cpu::default(), |sum, (_, stat)| Cpu {
        user: sum.user + millis(stat.utime),
        kernel: sum.kernel + millis(stat.stime),
    })
}

fn processes(which: impl Fn(&Stat) -> bool) -> Vec<(Process, Stat)> {
    let with_stat = |process: Process| process.stat().ok().map(|stat| (process, stat));
    let processes = all_processes().into_iter().flatten().flatten();
    (processes.filter_map(with_stat))
        .filter(|(_, stat)| which(stat))
        .collect()
}

fn is(number: i32, wanted: u32) -> bool {
    u32::try_from(number) == Ok(wanted)
}

#[cfg(test)]
mod tests {
    use std::{
        process,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn a_process_that_works_gets_time_and_memory() {
        let id = process::id();
        let before = cpu_of_process(id);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {}
        let after = cpu_of_process(id);
        assert!(after.user + after.kernel > before.user + before.kernel);
        let group = procfs::process::Process::myself().and_then(|process| process.stat());
        let group = group
            .map(|stat| stat.pgrp.unsigned_abs())
            .unwrap_or_default();
        assert!(memory_of_group(group) > 0.5);
    }
}
