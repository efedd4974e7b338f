//! Reads SQL files, in which tables and values have names, as in psql.

/// Returns a statement in PostgreSQL's own syntax.
///
/// | in the file | in the statement |
/// |---|---|
/// | `:name`, which `tables` has | the name of that table, as it is given |
/// | any other `:name` | the number of a value: `$1` for the name that appears first |
/// | the lines between `\if :name` and `\endif` | the same lines if `parts` has the name, else nothing |
/// | a line that begins with `--` | nothing |
///
/// psql runs the same files:
/// `psql -v session=tower_sessions.session -v "id='…'" -f end.sql`.
///
/// ```
/// use pg_sessions::statement::render;
///
/// let sql = "select :id::text\n\\if :all\n, name\n\\endif\nfrom :table where id = :id";
/// let tables = [("table", "runner")];
/// assert_eq!(render(sql, &tables, &[]), "select $1::text\nfrom runner where id = $1");
/// ```
pub fn render(sql: &str, tables: &[(&str, &str)], parts: &[&str]) -> String {
    let mut is_kept = true;
    let mut lines = Vec::new();
    for line in sql.lines() {
        match line.strip_prefix("\\if :") {
            Some(part) => is_kept = parts.contains(&part),
            None if line == "\\endif" => is_kept = true,
            None if is_kept && !line.trim_start().starts_with("--") => lines.push(line),
            None => {}
        }
    }
    let mut values: Vec<String> = Vec::new();
    replace(&lines.join("\n"), |name| {
        if let Some((_, table)) = tables.iter().find(|(known, _)| *known == name) {
            return (*table).to_owned();
        }
        let known = values.iter().position(|value| value == name);
        let index = known.unwrap_or_else(|| {
            values.push(name.to_owned());
            values.len() - 1
        });
        format!("${}", index + 1)
    })
}

/// Returns the SQL with each `:name` replaced by `text(name)`. `::type` is a cast, and is kept.
fn replace(sql: &str, mut text: impl FnMut(&str) -> String) -> String {
    let mut parts = sql.split(':');
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    let mut is_cast = false;
    for part in parts {
        let end = (part.find(|c: char| !c.is_ascii_lowercase() && c != '_')).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        if is_cast || name.is_empty() {
            replaced.extend([":", name]);
        } else {
            replaced += &text(name);
        }
        replaced += rest;
        is_cast = part.is_empty();
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_number_wherever_it_appears() {
        let sql = render(
            "select :b::int8, :a, :b, make_interval(secs => :c)",
            &[],
            &[],
        );
        assert_eq!(sql, "select $1::int8, $2, $1, make_interval(secs => $3)");
    }

    #[test]
    fn a_name_of_a_table_with_a_colon_stays_as_it_is() {
        let sql = render("select 1 from :t where a = :a", &[("t", "\"a:b\"")], &[]);
        assert_eq!(sql, "select 1 from \"a:b\" where a = $1");
    }

    #[test]
    fn a_part_is_there_only_when_it_is_asked_for() {
        let sql = "a\n\\if :some\nb :x\n\\endif\n-- why\nc :y";
        assert_eq!(render(sql, &[], &[]), "a\nc $1");
        assert_eq!(render(sql, &[], &["some"]), "a\nb $1\nc $2");
    }
}
