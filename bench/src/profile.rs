//! Where the time of a scenario goes: by process, by statement and, where perf is installed, by function.

use std::{
    fmt::Write as _,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use inferno::{
    collapse::{Collapse, perf},
    flamegraph,
};
use sqlx::{FromRow, PgConnection};
use xtask::command::{exists, root};

use crate::{
    contender::Contender,
    load::{Scenario, Visitors},
    measure::Cpu,
    processes::{cpu_of_children, cpu_of_group, cpu_of_process},
};

const TIME: Duration = Duration::from_secs(4);

/// How often perf looks where the program is, in a second: each look copies 24 KB of stack.
const LOOKS: &str = "250";

/// For bench/RESULTS.md. The flame graph is a file of its own, with `name`.
pub async fn write(contender: &Contender, scenario: Scenario, name: &str) -> Result<String> {
    let mut visitors = Visitors::arrive(&contender.site, scenario).await?;
    visitors.visit(Duration::from_secs(1)).await?;
    let mut connection = contender.connect().await?;
    let postmaster = postmaster(&mut connection).await?;
    let cpu = || {
        [
            cpu_of_group(contender.group),
            cpu_of_children(postmaster),
            cpu_of_process(std::process::id()),
        ]
    };
    sqlx::query("select pg_stat_statements_reset()")
        .execute(&mut connection)
        .await?;
    let before = cpu();
    let seen = visitors.visit(TIME).await?;
    let after = cpu();
    let visits = seen.latencies.len() as f64;

    let mut text = format!(
        "\n## Where the time goes: {}\n\n\
         | process | µs/visit in it | µs/visit in the kernel |\n|---|---|---|\n",
        scenario.name
    );
    let names = [contender.name, "PostgreSQL", "load"];
    for (name, (before, after)) in names.iter().zip(before.iter().zip(after)) {
        // A child of PostgreSQL that ended meanwhile takes its time with it.
        let micros =
            |figure: fn(&Cpu) -> f64| (figure(&after) - figure(before)).max(0.0) * 1000.0 / visits;
        let (user, kernel) = (micros(|cpu| cpu.user), micros(|cpu| cpu.kernel));
        writeln!(text, "| {name} | {user:.0} | {kernel:.0} |")?;
    }
    text.push_str(
        "\n| statement | for a visit | µs each | rows each | pages of tables and indexes each | WAL bytes each |\n\
         |---|---|---|---|---|---|\n",
    );
    for statement in statements(&mut connection, &contender.database).await? {
        writeln!(
            text,
            "| {} | {:.3} | {:.0} | {:.1} | {:.0} | {:.0} |",
            statement.name,
            statement.calls / visits,
            statement.micros,
            statement.rows,
            statement.pages,
            statement.wal,
        )?;
    }
    if draw_flames(contender.group, &mut visitors, name).await? {
        write!(text, "\n![Flame graph of {}]({name}.svg)\n", contender.name)?;
    }
    Ok(text)
}

async fn postmaster(connection: &mut PgConnection) -> Result<u32> {
    let file: String = sqlx::query_scalar("select pg_read_file('postmaster.pid')")
        .fetch_one(connection)
        .await?;
    Ok(file.lines().next().context("an empty file")?.parse()?)
}

#[derive(FromRow)]
struct Statement {
    name: String,
    calls: f64,
    micros: f64,
    rows: f64,
    pages: f64,
    wal: f64,
}

/// By the comment that each begins with. The time is that of its execution alone: neither how it came
/// and went, nor what it waited for at its commit.
async fn statements(connection: &mut PgConnection, database: &str) -> Result<Vec<Statement>> {
    let sql =
        "select substring(query from '^/\\* (.*?) \\*/') as name, sum(calls)::float8 as calls,
            sum(total_exec_time)::float8 * 1000 / sum(calls)::float8 as micros,
            sum(rows)::float8 / sum(calls)::float8 as rows,
            sum(shared_blks_hit + shared_blks_read)::float8 / sum(calls)::float8 as pages,
            sum(wal_bytes)::float8 / sum(calls)::float8 as wal
        from pg_stat_statements join pg_database on pg_database.oid = dbid
        where datname = $1 and query like '/* %' group by 1 order by sum(total_exec_time) desc";
    Ok(sqlx::query_as(sql)
        .bind(database)
        .fetch_all(connection)
        .await?)
}

/// Returns whether there is a graph: it needs perf.
async fn draw_flames(process: u32, visitors: &mut Visitors, name: &str) -> Result<bool> {
    if !exists("perf") {
        println!("no flame graph: perf is not installed");
        return Ok(false);
    }
    let data = root().join("target/bench-perf.data");
    let mut perf = Command::new("perf");
    let record = perf
        .args(["record", "--quiet", "--freq", LOOKS])
        .args(["--call-graph", "dwarf,24000", "--pid", &process.to_string()])
        .arg("--output")
        .arg(&data);
    let mut recording = record.args(["--", "sleep", "3"]).spawn()?;
    visitors.visit(TIME).await?;
    ensure!(recording.wait()?.success(), "perf record failed");
    let script = Command::new("perf")
        .arg("script")
        .arg("--input")
        .arg(&data)
        .stderr(Stdio::null())
        .output()?;
    let mut stacks = Vec::new();
    perf::Folder::default().collapse(&*script.stdout, &mut stacks)?;
    let mut options = flamegraph::Options::default();
    options.title = "race-bib under load".to_owned();
    options.count_name = "looks".to_owned();
    options.min_width = 0.3;
    let svg = fs::File::create(root().join(format!("bench/{name}.svg")))?;
    flamegraph::from_reader(&mut options, &*stacks, svg)?;
    Ok(true)
}
