//! The server that the tests visit: what its pages do, and its stores.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Form, Router,
    extract::{Path, Query},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect},
    routing::{get, post},
};
use flash_messages::{
    Flash, FlashError, FlashLayer, FlashListener, FlashMessage, FlashStore, Layout, MemoryStore,
    PostgresSessionStore, Visit, store::Limits, with_connection,
};
use sqlx::{Executor, PgPool};
use tokio::task::JoinHandle;
use tower_sessions::{
    Session,
    cookie::{Cookie, SameSite, time},
};

pub use test_support::{Database, HTML, Result, Visitor, cookie_of, texts};

/// Where sessions and messages are.
#[derive(Clone, Copy)]
pub enum Place {
    Postgres,
    Memory,
}

/// Returns the layout of the tables, from the variable DATABASE_LAYOUT.
pub fn layout() -> Layout {
    let layout = std::env::var("DATABASE_LAYOUT").unwrap_or_else(|_| "plain".to_owned());
    layout.parse().expect("a layout")
}

/// Returns the sessions in a database, in tables with the layout of the tests.
pub fn sessions_in(pool: PgPool) -> PostgresSessionStore {
    PostgresSessionStore::new(pool).with_layout(layout())
}

/// A server with a page that shows messages and some that do not, on a port of its own.
pub struct Server {
    pub address: SocketAddr,
    pub pool: PgPool,
    pub store: FlashStore,
    pub flash: FlashLayer,
    /// The same, for requests without a network.
    pub app: Router,
    /// The messages of a server in memory, whose `pool` and `store` are of no database then.
    memory: Option<MemoryStore>,
    task: JoinHandle<()>,
    /// The database that goes with this server.
    database: Option<Database>,
}

impl Server {
    /// On a fresh database.
    pub async fn start() -> Result<Self> {
        Self::start_with(|store| store).await
    }

    /// On fresh stores of this kind.
    pub async fn start_in(place: Place) -> Result<Self> {
        Self::start_with_lease(place, Limits::default().lease).await
    }

    /// On fresh stores of this kind, with leases of this time.
    pub async fn start_with_lease(place: Place, lease: Duration) -> Result<Self> {
        match place {
            Place::Postgres => Self::start_with(|store| store.with_lease(lease)).await,
            Place::Memory => Self::start_in_memory(lease).await,
        }
    }

    async fn start_in_memory(lease: Duration) -> Result<Self> {
        let memory = MemoryStore::default().with_limits(Limits {
            max_waiting: 1000,
            lease,
            ..Limits::default()
        });
        let flash = FlashLayer::new(memory.clone(), cookie());
        let app = routes().layer(flash.clone());
        let (address, task) = serve(app.clone()).await?;
        let pool = PgPool::connect_lazy("postgres://localhost/none")?;
        Ok(Self {
            address,
            store: FlashStore::new(sessions_in(pool.clone())),
            pool,
            flash,
            app,
            memory: Some(memory),
            task,
            database: None,
        })
    }

    /// On a fresh database, with settings of the store.
    pub async fn start_with(settings: impl Fn(FlashStore) -> FlashStore) -> Result<Self> {
        let database = Database::create().await?;
        let server = Self::start_at(&database, settings).await?;
        Ok(server.with_database(database))
    }

    /// On a database that others share.
    pub async fn start_at(
        database: &Database,
        settings: impl Fn(FlashStore) -> FlashStore,
    ) -> Result<Self> {
        Self::start_on_pool(database.connect().await?, settings).await
    }

    /// Keeps its database as long as it runs.
    pub fn with_database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// On these connections.
    pub async fn start_on_pool(
        pool: PgPool,
        settings: impl Fn(FlashStore) -> FlashStore,
    ) -> Result<Self> {
        let sessions = sessions_in(pool.clone());
        let store = settings(FlashStore::new(sessions).with_max_waiting(1000));
        Self::start_on(pool, store, flash_layer).await
    }

    /// On these messages, with a layer of their own.
    pub async fn start_on(
        pool: PgPool,
        store: FlashStore,
        layer: impl Fn(FlashStore) -> FlashLayer,
    ) -> Result<Self> {
        store.migrate().await?;
        let flash = layer(store.clone());
        let app = routes().layer(flash.clone());
        let (address, task) = serve(app.clone()).await?;
        Ok(Self {
            address,
            pool,
            store,
            flash,
            app,
            memory: None,
            task,
            database: None,
        })
    }

    /// The same app behind a [`FlashListener`], on another port.
    pub async fn listen(&self) -> Result<SocketAddr> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serve = axum::serve(
            FlashListener::new(listener),
            with_connection(self.app.clone()),
        );
        tokio::spawn(async move { serve.await.expect("it serves") });
        Ok(address)
    }

    /// What `requests` answer that wait for the database all at the same time.
    pub async fn held_up<T>(&self, requests: impl Future<Output = Result<T>>) -> Result<T> {
        let mut lock = self.pool.begin().await?;
        lock.execute("lock table tower_sessions.session in access exclusive mode")
            .await?;
        let release = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok(lock.rollback().await?)
        };
        let (answers, ()) = futures::try_join!(requests, release)?;
        Ok(answers)
    }

    pub async fn somebody_waits_for_a_lock(&self) -> Result<bool> {
        let waits = "select exists (select from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database())";
        Ok(sqlx::query_scalar(waits).fetch_one(&self.pool).await?)
    }

    /// The number of messages that are to be shown, now or later. What was shown and can be asked back
    /// does not count.
    pub async fn stored(&self) -> Result<i64> {
        if let Some(memory) = &self.memory {
            return Ok(memory.messages().len() as i64);
        }
        let sql =
            "select count(*) from flash_message where leased_until is distinct from 'infinity'";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }

    /// Those with an id that has not been renewed.
    pub async fn current_sessions(&self) -> Result<i64> {
        let sql = "select count(*) from tower_sessions.session where not renewed";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.pool).await?)
    }

    pub async fn sessions(&self) -> Result<i64> {
        Ok(
            sqlx::query_scalar("select count(*) from tower_sessions.session")
                .fetch_one(&self.pool)
                .await?,
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on a port of its own, without a [`FlashListener`].
pub async fn serve(app: Router) -> Result<(SocketAddr, JoinHandle<()>)> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        axum::serve(listener, app).await.expect("it serves");
    });
    Ok((address, task))
}

/// With a plain cookie.
pub fn flash_layer(store: FlashStore) -> FlashLayer {
    FlashLayer::new(store, cookie())
}

pub fn cookie() -> Cookie<'static> {
    Cookie::build("sessionId")
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(time::Duration::days(30))
        .build()
}

/// What the pages of the tests do.
fn routes() -> Router {
    async fn page(flash: Flash) -> Html<String> {
        Html(html(&flash.take()))
    }
    async fn push(
        Path((level, text)): Path<(String, String)>,
        flash: Flash,
    ) -> std::result::Result<Redirect, FlashError> {
        flash
            .redirect("/page", FlashMessage::new(level.parse()?, text))
            .await
    }
    /// As the form of race-bib.
    async fn push_message(
        flash: Flash,
        Form(form): Form<std::collections::HashMap<String, String>>,
    ) -> std::result::Result<Redirect, FlashError> {
        let message = FlashMessage::new(form["level"].parse()?, &*form["text"]);
        flash.redirect("/page", message).await
    }
    async fn hop(Path(hop): Path<u32>, flash: Flash) -> std::result::Result<Redirect, FlashError> {
        flash.take();
        let to = if hop == 3 {
            "/page".to_owned()
        } else {
            format!("/hop/{}", hop + 1)
        };
        flash
            .redirect(&to, FlashMessage::info(format!("hop {hop}")))
            .await
    }
    async fn fails(flash: Flash) -> impl IntoResponse {
        (StatusCode::INTERNAL_SERVER_ERROR, Html(html(&flash.take())))
    }
    /// 250 KB, the messages first.
    async fn large(flash: Flash) -> Html<String> {
        Html(html(&flash.take()) + &"<!-- padding -->".repeat(16_000))
    }
    /// The same in many parts.
    async fn large_stream(flash: Flash) -> Html<axum::body::Body> {
        let parts = std::iter::once(html(&flash.take()))
            .chain((0..64).map(|_| "<!-- padding -->".repeat(250)));
        let stream = futures::stream::iter(parts.map(Ok::<_, std::io::Error>));
        Html(axum::body::Body::from_stream(stream))
    }
    async fn late_take(flash: Flash) -> Html<axum::body::Body> {
        let stream = futures::stream::once(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, std::io::Error>(html(&flash.take()))
        });
        Html(axum::body::Body::from_stream(stream))
    }
    /// Counts in a key of the session, and says how far it is.
    async fn count(visit: Visit) -> std::result::Result<String, FlashError> {
        let count = |count: &mut Option<u32>| {
            let next = count.unwrap_or(0) + 1;
            *count = Some(next);
            next
        };
        Ok(visit.update("count", count).await?.to_string())
    }
    /// Writes a key of its own, slowly.
    async fn write_key(
        Path(key): Path<String>,
        session: Session,
    ) -> std::result::Result<(), FlashError> {
        session.insert(&key, "written").await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(())
    }
    async fn keys(session: Session) -> std::result::Result<String, FlashError> {
        let mut found = Vec::new();
        for key in ["a", "b", "c", "d", "user", "count"] {
            if session.get_value(key).await?.is_some() {
                found.push(key);
            }
        }
        Ok(found.join(" "))
    }
    async fn login_and_leave(session: Session) -> std::result::Result<(), FlashError> {
        session.cycle_id().await?;
        Ok(session.flush().await?)
    }
    async fn login_and_goodbye(
        session: Session,
        flash: Flash,
    ) -> std::result::Result<(), FlashError> {
        session.cycle_id().await?;
        session.flush().await?;
        flash.success("goodbye").await.map(drop)
    }
    /// Reads the session, waits, and renews its id then.
    async fn late_login(session: Session) -> std::result::Result<(), FlashError> {
        session.get::<String>("user").await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        session.cycle_id().await?;
        session.insert("user", "runner").await?;
        Ok(())
    }
    /// `?dismiss=1,2&shown=1,2,3`
    async fn dismiss_form(
        Query(query): Query<std::collections::HashMap<String, String>>,
        flash: Flash,
    ) -> std::result::Result<Redirect, FlashError> {
        let ids = |name: &str| -> Vec<i64> {
            let ids = query.get(name).map_or("", String::as_str).split(',');
            ids.filter_map(|id| id.parse().ok()).collect()
        };
        flash
            .dismiss_from_page(&ids("dismiss"), &ids("shown"))
            .await?;
        Ok(Redirect::to("/page"))
    }
    /// Pushes, and says to caches that they may keep the answer.
    async fn public_call(flash: Flash) -> std::result::Result<impl IntoResponse, FlashError> {
        flash.info("private").await?;
        Ok((
            [
                ("cache-control", "public, max-age=600"),
                ("cdn-cache-control", "max-age=600"),
                ("surrogate-control", "max-age=600"),
            ],
            "null",
        ))
    }
    async fn very_slow_call(flash: Flash) -> std::result::Result<(), FlashError> {
        flash.info("slow").await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(())
    }
    async fn hop_if_page(flash: Flash) -> std::result::Result<String, FlashError> {
        if flash.is_page_load() {
            flash.info("hopped").await?;
        }
        Ok(String::new())
    }
    async fn optional(flash: Option<Flash>) -> String {
        flash.is_some().to_string()
    }
    async fn pushed_id(flash: Flash) -> std::result::Result<String, FlashError> {
        Ok(flash
            .info("numbered")
            .await?
            .unwrap_or_default()
            .to_string())
    }
    async fn peeks(flash: Flash) -> Html<String> {
        Html(html(&flash.peek()))
    }
    async fn keeps(flash: Flash) -> Html<String> {
        let messages = flash.take();
        flash.keep();
        Html(html(&messages))
    }
    async fn slow(flash: Flash) -> Html<String> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Html(html(&flash.take()))
    }
    async fn login(session: Session, flash: Flash) -> std::result::Result<Redirect, FlashError> {
        session.cycle_id().await?;
        session.insert("user", "runner").await?;
        flash
            .redirect("/page", FlashMessage::success("logged in"))
            .await
    }
    /// A login that goes on for a while after the id is renewed.
    async fn slow_login(session: Session) -> std::result::Result<(), FlashError> {
        session.cycle_id().await?;
        session.insert("user", "runner").await?;
        tokio::time::sleep(Duration::from_millis(400)).await;
        Ok(())
    }
    async fn slow_push(session: Session, flash: Flash) -> std::result::Result<(), FlashError> {
        _ = session.get::<String>("user").await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        flash.info("late").await.map(drop)
    }
    async fn failing_login(session: Session) -> StatusCode {
        _ = session.cycle_id().await;
        StatusCode::INTERNAL_SERVER_ERROR
    }
    async fn leave(session: Session) -> std::result::Result<(), FlashError> {
        Ok(session.flush().await?)
    }
    async fn logout(session: Session, flash: Flash) -> std::result::Result<Redirect, FlashError> {
        session.flush().await?;
        flash
            .redirect("/page", FlashMessage::success("logged out"))
            .await
    }
    async fn user(session: Session) -> std::result::Result<String, FlashError> {
        Ok(session.get("user").await?.unwrap_or_default())
    }
    async fn slow_write(session: Session) -> std::result::Result<(), FlashError> {
        session.insert("note", "begin").await?;
        tokio::time::sleep(Duration::from_millis(400)).await;
        session.insert("note", "end").await?;
        Ok(())
    }
    /// A stream: what `take` gave, then, after a while, a message is pushed, then the end.
    async fn streams(flash: Flash) -> impl IntoResponse {
        let first = html(&flash.take());
        let later = async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let pushed = flash.info("while streaming").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, std::io::Error>(format!(
                "<p>{}</p>",
                if pushed.is_ok() { "pushed" } else { "refused" }
            ))
        };
        use futures::StreamExt;
        let stream = futures::stream::once(async move { Ok::<_, std::io::Error>(first) })
            .chain(futures::stream::once(later));
        Html(axum::body::Body::from_stream(stream))
    }
    async fn sticky(flash: Flash) -> std::result::Result<(), FlashError> {
        flash
            .push(FlashMessage::warning("stays").sticky())
            .await
            .map(drop)
    }
    async fn dismiss(Path(id): Path<i64>, flash: Flash) -> std::result::Result<(), FlashError> {
        flash.dismiss(id).await
    }
    async fn keyed(Path(text): Path<String>, flash: Flash) -> std::result::Result<(), FlashError> {
        flash
            .push(FlashMessage::info(text).key("export"))
            .await
            .map(drop)
    }
    async fn key(flash: Flash) -> std::result::Result<String, FlashError> {
        Ok(serde_json::to_string(&flash.key().await?).expect("a key is JSON"))
    }
    /// A server function's answer to hydrated code: `?status=…&redirect=…&text=…&times=…`.
    async fn call(
        Query(query): Query<std::collections::HashMap<String, String>>,
        flash: Flash,
    ) -> axum::response::Response {
        let text = query.get("text").map_or("called", String::as_str);
        let times = query
            .get("times")
            .and_then(|times| times.parse().ok())
            .unwrap_or(1);
        for _ in 0..times {
            if let Err(error) = flash.success(text).await {
                return error.into_response();
            }
        }
        let status = query.get("status").and_then(|status| status.parse().ok());
        let status = status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::OK);
        let mut response = (status, "null").into_response();
        if let Some(path) = query.get("redirect") {
            let path = path.parse().expect("a header value");
            response.headers_mut().insert("location", path);
            response
                .headers_mut()
                .insert("serverfnredirect", "".parse().expect("a header value"));
        }
        response
    }
    async fn slow_call(flash: Flash) -> std::result::Result<(), FlashError> {
        flash.info("slow").await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
    Router::new()
        .route("/slow-call", post(slow_call))
        .route("/very-slow-call", post(very_slow_call))
        .route("/public-call", get(public_call))
        .route("/hop-if-page", get(hop_if_page))
        .route("/optional", get(optional))
        .route("/pushed-id", post(pushed_id))
        .route("/large", get(large))
        .route("/large-stream", get(large_stream))
        .route("/late-take", get(late_take))
        .route("/count", post(count))
        .route("/write/{key}", post(write_key))
        .route("/keys", get(keys))
        .route("/login-and-leave", post(login_and_leave))
        .route("/login-and-goodbye", post(login_and_goodbye))
        .route("/late-login", post(late_login))
        .route("/dismiss-form", post(dismiss_form))
        .route("/page", get(page))
        .route("/push/{level}/{text}", post(push))
        .route("/api/push_message", post(push_message))
        .route("/hop/{hop}", get(hop).post(hop))
        .route("/fails", get(fails))
        .route("/peeks", get(peeks))
        .route("/keeps", get(keeps))
        .route("/slow", get(slow))
        .route("/login", post(login))
        .route("/slow-login", post(slow_login))
        .route("/failing-login", post(failing_login))
        .route("/slow-push", post(slow_push))
        .route("/leave", post(leave))
        .route("/logout", post(logout))
        .route("/user", get(user))
        .route("/slow-write", post(slow_write))
        .route("/streams", get(streams))
        .route("/sticky", post(sticky))
        .route("/dismiss/{id}", post(dismiss))
        .route("/keyed/{text}", post(keyed))
        .route("/key", get(key))
        .route("/call", post(call))
        .route("/silent", get(|| async { Html("nothing is shown here") }))
        .route("/file.png", get(|| async { "not really" }))
        .fallback(async |flash: Flash| (StatusCode::NOT_FOUND, Html(html(&flash.take()))))
}

fn html(messages: &[FlashMessage]) -> String {
    let items: String = (messages.iter())
        .map(|FlashMessage { id, text, .. }| {
            format!("<p class=\"flash-text\" data-flash-id=\"{id}\">{text}</p>")
        })
        .collect();
    format!("<!DOCTYPE html><title>Page</title>{items}")
}

/// Calls a server function, as hydrated code on a page of this kind does.
pub async fn call(visitor: &Visitor, query: &str, page: &str) -> Result<reqwest::Response> {
    let call = visitor.request(reqwest::Method::POST, &format!("/call?{query}"));
    let call = call.header("accept", "application/json");
    Ok(call.header("x-flash", page).send().await?)
}

/// Pushes a message. Returns the visitor's session, as the header `Cookie` has it.
pub async fn session_cookie(visitor: &Visitor) -> Result<String> {
    cookie_of(&visitor.post("/push/info/cookie").await?)
}

/// The cookie of a browser that has shown all messages that are stored, which are of one session.
pub async fn note(server: &Server) -> Result<String> {
    let rows: Vec<(String, i64)> = match &server.memory {
        Some(memory) => (memory.messages().iter())
            .map(|message| (message.scope.to_string(), message.id))
            .collect(),
        None => {
            let sql = "select left(flash_key::text, 8), id from flash_message order by id";
            sqlx::query_as(sql).fetch_all(&server.pool).await?
        }
    };
    let scope = &rows.first().ok_or("no message is stored")?.0;
    let entries: Vec<_> = rows.iter().map(|(_, id)| format!("{id}.mz5k")).collect();
    Ok(format!("flash-{scope}={}", entries.join("-")))
}
