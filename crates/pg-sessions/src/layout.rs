//! How the tables are laid out in PostgreSQL, and which part of them has a session's rows.

use std::{collections::BTreeMap, fmt, str::FromStr};

use tower_sessions::session::Id;

use crate::key::SessionKey;

/// How the tables are laid out in PostgreSQL: one table, or parts that hold some sessions each.
///
/// A part is a shard. All rows of a session are in one shard, and each statement names that shard, so
/// PostgreSQL looks into one part only. The shard is the last bits of the session's ids and of its key.
/// docs/scale.md in the repository says when to change the layout, and how.
///
/// ```
/// use pg_sessions::Layout;
///
/// let layout: Layout = "partitioned:16".parse()?;
/// assert_eq!(layout, Layout::Partitioned { shards: 16 });
/// # Ok::<(), pg_sessions::InvalidLayout>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Plain tables. Written `plain`.
    #[default]
    Plain,
    /// Tables in partitions on one server, one for each shard. Written `partitioned:16`.
    Partitioned {
        /// The number of shards: a power of two up to 256.
        shards: u16,
    },
    /// Tables that Citus distributes over many servers. Written `citus:32`.
    Citus {
        /// The number of shards: a power of two up to 256.
        shards: u16,
    },
}

impl Layout {
    /// Returns the shard that has the rows of this session.
    pub fn shard(self, session: &Id) -> i16 {
        self.shard_of(session.0.to_le_bytes()[0])
    }

    /// Returns the shard that has the rows of the session with this key.
    pub fn shard_of_key(self, key: SessionKey) -> i16 {
        self.shard_of(key.last_byte())
    }

    fn shard_of(self, byte: u8) -> i16 {
        (u16::from(byte) % self.number()).cast_signed()
    }

    /// Returns all shards.
    pub fn shards(self) -> impl Iterator<Item = i16> {
        0..self.number().cast_signed()
    }

    /// Sorts values by their shards: a statement has those of one shard. The order within a shard stays.
    pub fn by_shard<T>(
        values: impl IntoIterator<Item = T>,
        shard: impl Fn(&T) -> i16,
    ) -> BTreeMap<i16, Vec<T>> {
        let mut of_shards: BTreeMap<i16, Vec<T>> = BTreeMap::new();
        for value in values {
            of_shards.entry(shard(&value)).or_default().push(value);
        }
        of_shards
    }

    fn number(self) -> u16 {
        match self {
            Self::Plain => 1,
            // Any other number would put the ids and the key of a session into different shards.
            Self::Partitioned { shards } | Self::Citus { shards } => {
                shards.clamp(1, MAX_SHARDS).next_power_of_two()
            }
        }
    }

    /// Returns the columns of a key that is unique: a table in parts needs the shard in front.
    pub fn key(self, columns: &str) -> String {
        match self {
            Self::Plain => columns.to_owned(),
            Self::Partitioned { .. } | Self::Citus { .. } => format!("shard, {columns}"),
        }
    }

    /// Returns the parts of SQL files for this layout, see [`render`](crate::statement::render). Citus
    /// refuses statements that change a setting of their transaction.
    pub fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Partitioned { .. } => &["local_settings"],
            Self::Citus { .. } => &[],
        }
    }
}

/// The shard is part of a byte.
const MAX_SHARDS: u16 = 256;

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => write!(f, "plain"),
            Self::Partitioned { shards } => write!(f, "partitioned:{shards}"),
            Self::Citus { shards } => write!(f, "citus:{shards}"),
        }
    }
}

impl FromStr for Layout {
    type Err = InvalidLayout;

    fn from_str(text: &str) -> Result<Self, InvalidLayout> {
        if text == "plain" {
            return Ok(Self::Plain);
        }
        let (kind, shards) = text.split_once(':').ok_or(InvalidLayout)?;
        let shards: u16 = shards.parse().map_err(|_| InvalidLayout)?;
        if !shards.is_power_of_two() || shards > MAX_SHARDS {
            return Err(InvalidLayout);
        }
        match kind {
            "partitioned" => Ok(Self::Partitioned { shards }),
            "citus" => Ok(Self::Citus { shards }),
            _ => Err(InvalidLayout),
        }
    }
}

/// A text is no [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLayout;

impl fmt::Display for InvalidLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is plain, partitioned:16 or citus:32, with a power of two up to 256")
    }
}

impl std::error::Error for InvalidLayout {}

/// A table exists, and was made for another layout. It is the source of the error of
/// [`PostgresSessionStore::migrate`](crate::PostgresSessionStore::migrate) then.
#[derive(Debug)]
pub struct OtherLayout {
    pub(crate) table: String,
    pub(crate) layout: Layout,
}

impl fmt::Display for OtherLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, layout } = self;
        write!(
            f,
            "the table {table} exists, and its layout is not {layout}"
        )
    }
}

impl std::error::Error for OtherLayout {}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_layout_is_read_as_it_is_written_and_nothing_else_is() {
        for text in ["plain", "partitioned:2", "citus:256"] {
            assert_eq!(
                text.parse::<Layout>().map(|layout| layout.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in [
            "",
            "Plain",
            "partitioned",
            "partitioned:3",
            "citus:512",
            "citus:0",
            "plain:1",
        ] {
            assert_eq!(text.parse::<Layout>(), Err(InvalidLayout), "{text}");
        }
    }

    #[test]
    fn the_ids_and_the_key_of_a_session_are_in_one_shard() {
        for _ in 0..100 {
            let key = SessionKey(Uuid::new_v4());
            let (id, next) = (key.new_id(), key.new_id());
            assert_ne!(id, next);
            for layout in [
                Layout::Plain,
                Layout::Partitioned { shards: 16 },
                Layout::Citus { shards: 256 },
            ] {
                let shard = layout.shard_of_key(key);
                assert_eq!([layout.shard(&id), layout.shard(&next)], [shard, shard]);
                assert!(layout.shards().any(|known| known == shard));
            }
        }
    }

    #[test]
    fn a_number_that_is_no_power_of_two_is_rounded_up() {
        for (shards, number) in [(0, 1), (3, 4), (300, 256)] {
            assert_eq!(Layout::Citus { shards }.shards().count(), number);
        }
    }
}
