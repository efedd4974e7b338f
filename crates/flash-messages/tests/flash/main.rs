//! What the library promises, over real HTTP on a real PostgreSQL. The numbers of the scenarios are
//! those of the table in ARCHITECTURE.md.

/// Makes two tests of one: with the stores in PostgreSQL and in memory.
macro_rules! on_each_store {
    ($test:ident) => {
        mod $test {
            use crate::support::{Place, Result};

            #[tokio::test]
            async fn in_postgres() -> Result {
                super::$test(Place::Postgres).await
            }

            #[tokio::test]
            async fn in_memory() -> Result {
                super::$test(Place::Memory).await
            }
        }
    };
}

mod bodies;
mod call_header;
mod concurrency;
mod delivery;
mod dismissal;
mod hand_over;
mod history;
mod limits;
mod login;
mod notes;
mod page_load;
mod postgres;
mod session_cookie;
mod session_data;
mod session_expiry;
mod sessions;
mod statements;
mod support;
mod testing;
