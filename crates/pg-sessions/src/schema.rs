//! Tables: their names, what belongs to them, and how it gets into a database that is in use.

use std::{fmt, time::Duration};

use sqlx::{Executor, PgConnection};

use crate::database::{Database, with_timeout};

/// A table's name, quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    schema: String,
    table: String,
}

impl Table {
    /// The table of this name in this schema. Names are quoted, so any is allowed.
    pub fn new(schema: &str, table: &str) -> Self {
        let [schema, table] = [schema, table].map(str::to_owned);
        Self { schema, table }
    }

    /// The table of tower-sessions-sqlx-store.
    pub fn sessions() -> Self {
        Self::new("tower_sessions", "session")
    }

    /// The name of an index of this table, without its schema.
    pub fn index(&self, columns: &str) -> String {
        quoted(&format!("{}_{columns}_idx", self.table))
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

/// A table with its columns and indexes, as a list of steps that each can be missing.
#[derive(Debug)]
pub struct Schema {
    /// The table that it describes.
    pub table: Table,
    /// `create table if not exists …`, with all columns.
    pub create: String,
    /// Columns that a table of an older version, or of another library, lacks: the name, its type,
    /// and the default of rows to come. A constant default is part of the type.
    pub columns: Vec<(&'static str, &'static str, Option<&'static str>)>,
    /// Indexes: the name for [`Table::index`], and `on …` without the name of the table.
    pub indexes: Vec<(&'static str, &'static str)>,
}

impl Schema {
    /// Returns the SQL that makes it, for a role that may create tables. It is safe to run again.
    pub fn sql(&self) -> String {
        let table = &self.table;
        let mut sql = format!(
            "create schema if not exists {};\n{};\n",
            quoted(&table.schema),
            self.create
        );
        for (name, kind, default) in &self.columns {
            sql += &format!("alter table {table} add column if not exists {name} {kind};\n");
            if let Some(default) = default {
                sql += &format!("alter table {table} alter column {name} set default {default};\n");
                sql += &format!("update {table} set {name} = {default} where {name} is null;\n");
            }
        }
        for (name, on) in &self.indexes {
            let unique = unique(name);
            let name = table.index(name);
            sql += &format!("create {unique}index if not exists {name} on {table} {on};\n");
        }
        sql
    }

    /// Makes what is missing, one instance at a time. Where nothing is missing it only reads the
    /// catalogue: it waits for no lock and needs no right to create anything.
    ///
    /// Other statements do not wait long for it: it gives a lock up after 2 seconds, adds columns without writing
    /// rows, fills them in batches, and builds indexes while others write.
    ///
    /// # Errors
    /// The database can't be reached, a lock was not to be had within 2 seconds, or its user may not
    /// create what is missing.
    pub async fn migrate(&self, database: &Database) -> sqlx::Result<()> {
        if self.is_complete(database).await? {
            return Ok(());
        }
        let mut connection = database.connection().await?;
        let done = self.make(&mut connection).await;
        // It has settings and perhaps the lock of its session.
        connection.close();
        done
    }

    async fn is_complete(&self, database: &Database) -> sqlx::Result<bool> {
        let mut connection = database.connection().await?;
        let missing = with_timeout(self.missing(&mut connection)).await;
        Ok(connection.check(missing)?.is_empty())
    }

    async fn make(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        connection
            .execute("set statement_timeout = 0; set lock_timeout = '2s'")
            .await?;
        // Asked again and again: an instance that waits within a statement would hold up
        // `create index concurrently` of the one that has the lock.
        while !sqlx::query_scalar("select pg_try_advisory_lock(hashtext('leptos-flash migrate'))")
            .fetch_one(&mut *connection)
            .await?
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for step in self.missing(connection).await? {
            for sql in step {
                // A column is filled in batches: the last one is empty.
                while connection.execute(&*sql).await?.rows_affected() == BATCH {}
            }
        }
        Ok(())
    }

    /// The statements that make what is missing.
    async fn missing(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Vec<String>>> {
        let table = &self.table;
        let (has_schema, kind): (bool, Option<String>) = sqlx::query_as(
            "select to_regnamespace($1) is not null,
                (select relkind::text from pg_class where oid = to_regclass($2))",
        )
        .bind(quoted(&table.schema))
        .bind(table.to_string())
        .fetch_one(&mut *connection)
        .await?;
        let mut steps = Vec::new();
        if !has_schema {
            steps.push(vec![format!("create schema {}", quoted(&table.schema))]);
        }
        if kind.is_none() {
            steps.push(vec![self.create.clone()]);
        }
        for (name, kind, default) in &self.columns {
            let there: bool = sqlx::query_scalar(
                "select exists (select from pg_attribute
                 where attrelid = to_regclass($1) and attname = $2 and not attisdropped)",
            )
            .bind(table.to_string())
            .bind(name)
            .fetch_one(&mut *connection)
            .await?;
            if !there {
                steps.push(self.add_column(name, kind, *default));
            }
        }
        for (name, on) in &self.indexes {
            let valid: Option<bool> = sqlx::query_scalar(
                "select indisvalid from pg_index where indexrelid = to_regclass($1)",
            )
            .bind(table.index_in_schema(name))
            .fetch_optional(&mut *connection)
            .await?;
            // A partitioned table can't do it, and its indexes are made with it.
            let concurrently = match kind.as_deref() {
                Some("p") => "",
                _ => "concurrently ",
            };
            let mut step = Vec::new();
            if valid == Some(false) {
                // What a failed attempt left.
                step.push(format!(
                    "drop index {concurrently}{}",
                    table.index_in_schema(name)
                ));
            }
            if valid != Some(true) {
                let (unique, name) = (unique(name), table.index(name));
                step.push(format!(
                    "create {unique}index {concurrently}{name} on {table} {on}"
                ));
                steps.push(step);
            }
        }
        Ok(steps)
    }

    fn add_column(&self, name: &str, kind: &str, default: Option<&str>) -> Vec<String> {
        let table = &self.table;
        let add = format!("alter table {table} add column if not exists {name} {kind}");
        let Some(default) = default else {
            return vec![add];
        };
        vec![
            format!("{add}; alter table {table} alter column {name} set default {default}"),
            format!(
                "update {table} set {name} = {default} where id in (
                    select id from {table} where {name} is null limit {BATCH}
                 )"
            ),
        ]
    }
}

const BATCH: u64 = 1000;

fn unique(index: &str) -> &'static str {
    if index == "key" { "unique " } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_quotes() {
        let table = Table::new("s", "t\"; drop table x; --");
        assert_eq!(table.to_string(), "\"s\".\"t\"\"; drop table x; --\"");
    }
}
