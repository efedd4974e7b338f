//! Creates tables, columns and indexes, also in a database that is in use.

use std::{fmt, time::Duration};

use sqlx::{Executor, PgConnection};

use crate::{
    database::{Database, Deadline, READ_TIMEOUT, with_timeout},
    layout::{Layout, OtherLayout},
};

/// The name of a table. It is displayed in quotes, as SQL needs it.
///
/// ```
/// use pg_sessions::schema::Table;
///
/// assert_eq!(Table::new("race", "runner").to_string(), r#""race"."runner""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    schema: String,
    table: String,
}

impl Table {
    /// Names a table in a schema. Any name is allowed, because names are quoted.
    pub fn new(schema: &str, table: &str) -> Self {
        let [schema, table] = [schema, table].map(str::to_owned);
        Self { schema, table }
    }

    /// Names the table of tower-sessions-sqlx-store: `session` in the schema `tower_sessions`.
    pub fn sessions() -> Self {
        Self::new("tower_sessions", "session")
    }

    /// Returns the quoted name of an index of this table, without its schema.
    pub fn index(&self, columns: &str) -> String {
        quoted(&format!("{}_{columns}_idx", self.table))
    }

    /// Returns the quoted name of the partition for a shard.
    fn partition(&self, shard: i16) -> Self {
        Self::new(&self.schema, &format!("{}_{shard}", self.table))
    }

    fn index_in_schema(&self, columns: &str) -> String {
        format!("{}.{}", quoted(&self.schema), self.index(columns))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table with its columns and its indexes. [`migrate`](Self::migrate) creates those that are missing.
#[derive(Debug)]
pub struct Schema {
    /// The name of the table.
    pub table: Table,
    /// The layout of the table. Its rows have a column `shard`.
    pub layout: Layout,
    /// All columns, as `create table` takes them, without the primary key.
    pub definition: &'static str,
    /// The columns of the primary key, without the shard.
    pub key: &'static str,
    /// The storage parameters, such as `fillfactor = 80`. It may be empty.
    pub storage: &'static str,
    /// The columns that a table may lack if an older version or another library created it.
    pub columns: Vec<Column>,
    /// The indexes, without that of the primary key.
    pub indexes: Vec<Index>,
}

/// A column of a [`Schema`].
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// The type and the constraints, such as `boolean not null default false`.
    pub definition: &'static str,
    /// A default that differs from row to row, such as `gen_random_uuid()`. Existing rows are filled in
    /// batches. A constant default belongs into the definition: it costs no write.
    pub default: Option<&'static str>,
}

/// An index of a [`Schema`].
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// The name, as [`Table::index`] takes it.
    pub name: &'static str,
    /// The columns, without the shard: `key, name`.
    pub on: &'static str,
    /// The condition of a partial index, such as `where key is not null`. It may be empty.
    pub condition: &'static str,
    /// Whether two rows can't have the same values.
    pub is_unique: bool,
}

impl Index {
    /// Returns the statement that creates the index. `how` is `"concurrently "`, `"if not exists "` or
    /// empty.
    fn create(&self, schema: &Schema, how: &str) -> String {
        let Schema { table, layout, .. } = schema;
        let (name, condition) = (table.index(self.name), self.condition);
        let (unique, on) = match self.is_unique {
            true => ("unique ", layout.key(self.on)),
            false => ("", self.on.to_owned()),
        };
        format!("create {unique}index {how}{name} on {table} ({on}) {condition}")
    }
}

impl Schema {
    /// Returns the SQL that creates all of it, for a role that may create tables. It can run again.
    pub fn sql(&self) -> String {
        let table = &self.table;
        let mut sql = format!(
            "create schema if not exists {};\n{};\n",
            quoted(&table.schema),
            self.create()
        );
        for column in &self.columns {
            let Column {
                name,
                definition,
                default,
            } = column;
            sql += &format!("alter table {table} add column if not exists {name} {definition};\n");
            if let Some(default) = default {
                sql += &format!("alter table {table} alter column {name} set default {default};\n");
                sql += &format!("update {table} set {name} = {default} where {name} is null;\n");
            }
        }
        for index in &self.indexes {
            sql += &index.create(self, "if not exists ");
            sql += ";\n";
        }
        sql
    }

    /// Returns the statements that create the table.
    fn create(&self) -> String {
        let Self {
            table,
            layout,
            definition,
            key,
            storage,
            ..
        } = self;
        // The constraint tells the layout of a table that exists.
        let constraint = match layout {
            Layout::Plain => String::new(),
            Layout::Partitioned { .. } | Layout::Citus { .. } => format!(
                ",\n    constraint \"{layout}\" check (shard < {})",
                layout.shards().count()
            ),
        };
        let create = format!(
            "create table if not exists {table} (\n    {definition},\n    primary key ({}){constraint}\n)",
            layout.key(key)
        );
        let with_storage = match *storage {
            "" => String::new(),
            storage => format!(" with ({storage})"),
        };
        match layout {
            Layout::Plain => create + &with_storage,
            Layout::Partitioned { .. } => {
                let partition = |shard| {
                    let name = table.partition(shard);
                    format!(
                        ";\ncreate table if not exists {name} partition of {table} \
                         for values in ({shard}){with_storage}"
                    )
                };
                let partitions: String = layout.shards().map(partition).collect();
                format!("{create} partition by list (shard){partitions}")
            }
            Layout::Citus { .. } => format!(
                "{create}{with_storage};\n\
                 select create_distributed_table('{name}', 'shard', shard_count => {shards})\n    \
                 where not exists (\n        \
                 select from pg_dist_partition where logicalrelid = '{name}'::regclass\n    )",
                name = table.to_string().replace('\'', "''"),
                shards = layout.shards().count(),
            ),
        }
    }

    /// Creates the missing schema, table, columns and indexes, on one instance at a time. If nothing is
    /// missing, it only reads the catalogue. Then it waits for no lock, and its user needs no right to
    /// create anything.
    ///
    /// It works in a database that is in use, because other statements don't wait long for it:
    /// - It waits for a lock for at most 2 seconds.
    /// - It adds a column without writing rows, and fills it in batches.
    /// - It builds indexes while other statements write.
    ///
    /// # Errors
    /// - The database can't be reached.
    /// - A table stays locked for 2 seconds.
    /// - The user may not create what is missing. Run [`sql`](Self::sql) as one that may.
    /// - The table has another layout.
    pub async fn migrate(&self, database: &Database) -> sqlx::Result<()> {
        if self.is_complete(database).await? {
            return Ok(());
        }
        let mut connection = database
            .connection(&mut Deadline::new(READ_TIMEOUT))
            .await?;
        let created = self.create_missing(&mut connection).await;
        // It has other settings, and may hold the advisory lock.
        connection.close();
        created
    }

    async fn is_complete(&self, database: &Database) -> sqlx::Result<bool> {
        let mut connection = database
            .connection(&mut Deadline::new(READ_TIMEOUT))
            .await?;
        let missing = with_timeout(self.missing(&mut connection)).await;
        Ok(connection.check(missing)?.is_empty())
    }

    async fn create_missing(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        connection
            .execute("set statement_timeout = 0; set lock_timeout = '2s'")
            .await?;
        // It polls: `create index concurrently` on the instance that has the lock would wait for a
        // statement that waits for the lock.
        while !sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(TURN)
            .fetch_one(&mut *connection)
            .await?
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for step in self.missing(connection).await? {
            for sql in step {
                // Fills a column in batches. All other statements affect no rows and run once.
                while connection.execute(&*sql).await?.rows_affected() == BATCH_SIZE {}
            }
        }
        Ok(())
    }

    /// Returns the statements that create what is missing.
    async fn missing(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Vec<String>>> {
        let table = &self.table;
        type Found = (bool, Option<String>, bool, Option<String>);
        let (has_schema, kind, has_shards, written): Found = sqlx::query_as(
            "select to_regnamespace($1) is not null,
                (select relkind::text from pg_class where oid = to_regclass($2)),
                exists (
                    select from pg_index i join pg_attribute a on a.attrelid = i.indrelid
                    where i.indrelid = to_regclass($2) and i.indisprimary
                        and a.attnum = any(i.indkey) and a.attname = 'shard'
                ),
                (
                    select conname::text from pg_constraint
                    where conrelid = to_regclass($2) and conname ~ '^(partitioned|citus):'
                )",
        )
        .bind(quoted(&table.schema))
        .bind(table.to_string())
        .fetch_one(&mut *connection)
        .await?;
        let is_other = written.is_some_and(|written| written != self.layout.to_string());
        if kind.is_some() && (is_other || has_shards != (self.layout != Layout::Plain)) {
            let error = OtherLayout {
                table: table.to_string(),
                layout: self.layout,
            };
            return Err(sqlx::Error::Configuration(error.into()));
        }
        let mut steps = Vec::new();
        if !has_schema {
            steps.push(vec![format!("create schema {}", quoted(&table.schema))]);
        }
        if kind.is_none() {
            steps.push(vec![self.create()]);
        }
        for column in &self.columns {
            let exists: bool = sqlx::query_scalar(
                "select exists (select from pg_attribute
                 where attrelid = to_regclass($1) and attname = $2 and not attisdropped)",
            )
            .bind(table.to_string())
            .bind(column.name)
            .fetch_one(&mut *connection)
            .await?;
            if !exists {
                steps.push(self.add_column(*column));
            }
        }
        for index in &self.indexes {
            let is_valid: Option<bool> = sqlx::query_scalar(
                "select indisvalid from pg_index where indexrelid = to_regclass($1)",
            )
            .bind(table.index_in_schema(index.name))
            .fetch_optional(&mut *connection)
            .await?;
            // PostgreSQL can't build an index of a partitioned table concurrently.
            let concurrently = match kind.as_deref() {
                Some("p") => "",
                None if matches!(self.layout, Layout::Partitioned { .. }) => "",
                _ => "concurrently ",
            };
            let mut step = Vec::new();
            if is_valid == Some(false) {
                // A failed build leaves an invalid index.
                let name = table.index_in_schema(index.name);
                step.push(format!("drop index {concurrently}{name}"));
            }
            if is_valid != Some(true) {
                step.push(index.create(self, concurrently));
                steps.push(step);
            }
        }
        Ok(steps)
    }

    fn add_column(&self, column: Column) -> Vec<String> {
        let table = &self.table;
        let Column {
            name,
            definition,
            default,
        } = column;
        let add = format!("alter table {table} add column if not exists {name} {definition}");
        let Some(default) = default else {
            return vec![add];
        };
        vec![
            format!("{add}; alter table {table} alter column {name} set default {default}"),
            format!(
                "update {table} set {name} = {default} where id in (
                    select id from {table} where {name} is null limit {BATCH_SIZE}
                 )"
            ),
        ]
    }
}

/// Instances take turns by this advisory lock.
const TURN: i64 = 1_959_463_455;

/// A statement fills a new column in at most this many rows.
const BATCH_SIZE: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_quotes() {
        let table = Table::new("s", "t\"; drop table x; --");
        assert_eq!(table.to_string(), "\"s\".\"t\"\"; drop table x; --\"");
    }
}
