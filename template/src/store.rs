//! People and their notes: in PostgreSQL, or in memory when there is no database.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum_login::{AuthUser, AuthnBackend};
use sqlx::PgPool;
use tokio::sync::Semaphore;

/// A person who can sign in.
#[derive(Clone, sqlx::FromRow)]
pub struct Person {
    pub id: i64,
    pub name: String,
    password_hash: String,
}

/// What somebody typed to sign in.
#[derive(Clone)]
pub struct Credentials {
    pub name: String,
    pub password: String,
}

/// Clones share their content.
#[derive(Clone)]
pub enum Store {
    Postgres(PgPool),
    Memory(Arc<Mutex<Memory>>),
}

#[derive(Default)]
pub struct Memory {
    people: Vec<Person>,
    notes: Vec<(i64, String)>,
}

impl Default for Store {
    /// An empty store in memory.
    fn default() -> Self {
        Self::Memory(Arc::default())
    }
}

impl Store {
    /// Creates the tables of the folder `migrations`.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        match self {
            Self::Postgres(pool) => sqlx::migrate!().run(pool).await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// Returns the new person, or `None` if somebody has the name.
    pub async fn add_person(&self, new: Credentials) -> Result<Option<Person>, sqlx::Error> {
        let Credentials { name, password } = new;
        let hash = hashing(|| password_auth::generate_hash(password)).await;
        match self {
            Self::Postgres(pool) => {
                let sql = "insert into person (name, password_hash) values ($1, $2)
                    on conflict do nothing returning id, name, password_hash";
                let row = sqlx::query_as(sql).bind(name).bind(hash);
                row.fetch_optional(pool).await
            }
            Self::Memory(memory) => {
                let people = &mut lock(memory).people;
                if people.iter().any(|person| person.name == name) {
                    return Ok(None);
                }
                let person = Person {
                    id: people.len() as i64,
                    name,
                    password_hash: hash,
                };
                people.push(person.clone());
                Ok(Some(person))
            }
        }
    }

    pub async fn add_note(&self, person: i64, text: String) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let sql = "insert into note (person, text) values ($1, $2)";
                let insert = sqlx::query(sql).bind(person).bind(text);
                insert.execute(pool).await.map(drop)
            }
            Self::Memory(memory) => {
                lock(memory).notes.push((person, text));
                Ok(())
            }
        }
    }

    /// Returns a person's notes, the newest first.
    pub async fn notes(&self, person: i64) -> Result<Vec<String>, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let sql = "select text from note where person = $1 order by id desc";
                sqlx::query_scalar(sql).bind(person).fetch_all(pool).await
            }
            Self::Memory(memory) => {
                let memory = lock(memory);
                let notes = memory.notes.iter().rev();
                let own = notes.filter(|(owner, _)| *owner == person);
                Ok(own.map(|(_, text)| text.clone()).collect())
            }
        }
    }

    async fn person_named(&self, name: String) -> Result<Option<Person>, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let sql = "select id, name, password_hash from person where name = $1";
                sqlx::query_as(sql).bind(name).fetch_optional(pool).await
            }
            Self::Memory(memory) => {
                let memory = lock(memory);
                let mut people = memory.people.iter();
                Ok(people.find(|person| person.name == name).cloned())
            }
        }
    }
}

impl AuthnBackend for Store {
    type User = Person;
    type Credentials = Credentials;
    type Error = sqlx::Error;

    async fn authenticate(&self, typed: Credentials) -> Result<Option<Person>, sqlx::Error> {
        let person = self.person_named(typed.name).await?;
        let verify = move || {
            // An unknown name takes as long as a wrong password.
            let hash = person
                .as_ref()
                .map_or(UNKNOWN, |person| &person.password_hash);
            let is_right = password_auth::verify_password(typed.password, hash).is_ok();
            person.filter(|_| is_right)
        };
        Ok(hashing(verify).await)
    }

    async fn get_user(&self, id: &i64) -> Result<Option<Person>, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let sql = "select id, name, password_hash from person where id = $1";
                sqlx::query_as(sql).bind(id).fetch_optional(pool).await
            }
            Self::Memory(memory) => {
                let memory = lock(memory);
                Ok(memory
                    .people
                    .iter()
                    .find(|person| person.id == *id)
                    .cloned())
            }
        }
    }
}

/// The hash of a password that nobody has.
const UNKNOWN: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl AuthUser for Person {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    /// A new password ends the sessions of the old one.
    fn session_auth_hash(&self) -> &[u8] {
        self.password_hash.as_bytes()
    }
}

/// Without the hash, which must not reach a log.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person {}", self.id)
    }
}

/// Runs what takes a while and 19 MiB on purpose, twice at the same time at most.
async fn hashing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static TURNS: Semaphore = Semaphore::const_new(2);
    let _turn = TURNS.acquire().await.expect("it is never closed");
    let done = tokio::task::spawn_blocking(work);
    done.await.expect("a hash does not fail")
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
