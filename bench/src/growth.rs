//! race-bib with the tables of a large site: a million sessions of others, a million messages that wait
//! for them.

use anyhow::Result;
use sqlx::{Connection, Executor, PgConnection};
use xtask::command::stopped;

use crate::{
    contender::{Contender, database_url},
    load::{SCENARIOS, Visit},
    measure::{self, Measured},
};

pub const SMALL: &str = "small tables";
pub const LARGE: &str = "large tables";
pub const PARTITIONED: &str = "in 16 partitions";

const ROUNDS: usize = 5;

pub async fn measure(server: &str) -> Result<Measured> {
    let small = Contender::race_bib(server, "bench_small").await?;
    let large = Contender::race_bib(server, "bench_large").await?;
    let partitioned = Contender::race_bib_in(server, "bench_partitioned", "partitioned:16").await?;
    fill(&database_url(server, "bench_large")?, 1).await?;
    fill(&database_url(server, "bench_partitioned")?, 16).await?;
    let mut measured = Measured::default();
    for round in 1..=ROUNDS {
        for (name, contender) in [
            (SMALL, &small),
            (LARGE, &large),
            (PARTITIONED, &partitioned),
        ] {
            for scenario in SCENARIOS
                .iter()
                .filter(|scenario| scenario.visit != Visit::Stranger)
            {
                anyhow::ensure!(!stopped(), "stopped");
                let figures = measure::turn(contender, *scenario).await?;
                println!("{round}/{ROUNDS} {name:14} {:34} {figures}", scenario.name);
                measured.add(name, scenario.name, figures);
            }
        }
    }
    Ok(measured)
}

async fn fill(database: &str, shards: u32) -> Result<()> {
    let mut connection = PgConnection::connect(database).await?;
    let sessions: i64 = sqlx::query_scalar("select count(*) from tower_sessions.session")
        .fetch_one(&mut connection)
        .await?;
    if sessions < 1_000_000 {
        println!("filling the large tables");
        connection
            .execute(&*format!(
                "insert into tower_sessions.session (shard, id, data, expiry_date, flash_key, ends_at)
                 select n % {shards}, 'filler-' || n, decode(repeat('00', 150), 'hex'),
                    now() + interval '14 days', gen_random_uuid(), now() + interval '30 days'
                 from generate_series(1, 1000000) n;
                 insert into flash_message (shard, flash_key, level, rank, text, sticky, expires_at)
                 select shard, flash_key, 'info', 0, 'A message of a usual length that waits', false,
                    now() + interval '1 day'
                 from tower_sessions.session where id like 'filler-%'"
            ))
            .await?;
    }
    connection.execute("vacuum analyze").await?;
    connection.execute("checkpoint").await?;
    Ok(())
}
