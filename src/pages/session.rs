use leptos::{either::EitherOf3, prelude::*, server_fn::ServerFn};

use crate::{components::PageHead, error::AppError, pages::Failed};

/// What the server knows of a visitor.
#[derive(Clone, Debug)]
pub struct SessionNotes {
    /// The session's id, shortened: all of it would be the key to the session.
    pub bib: String,
    pub since: String,
    /// When it ends without another page, and when in any case.
    pub idle_until: String,
    pub ends: String,
    pub cookie: Vec<String>,
    /// What is stored, by name and size in bytes.
    pub keys: Vec<(String, usize)>,
    /// In development, the newest first.
    pub requests: Vec<RequestNotes>,
}

/// A request of the session, with what it asked PostgreSQL.
#[derive(Clone, Debug)]
pub struct RequestNotes {
    pub summary: String,
    /// What it was, and its text.
    pub statements: Vec<(String, String)>,
}

/// `/session`: what the server knows of you, and how to end it.
#[component]
pub fn SessionPage() -> impl IntoView {
    view! {
        <PageHead
            title="Your session"
            description="What the server knows of you: the bib number, how long it is good for, and what is stored."
        />
        <h1 tabindex="-1">"Your session"</h1>
        <Suspense>{Suspend::new(async { show(session_notes().await) })}</Suspense>
    }
}

fn show(notes: Result<Option<SessionNotes>, AppError>) -> impl IntoView {
    match notes {
        Ok(None) => EitherOf3::A(view! { <NoSession /> }),
        Ok(Some(notes)) => EitherOf3::B(view! { <Notes notes /> }),
        Err(error) => EitherOf3::C(view! { <Failed error /> }),
    }
}

#[component]
fn NoSession() -> impl IntoView {
    view! {
        <p class="lead">
            "You have none: no row in the database, no cookie in your browser. Looking around starts no
            session."
        </p>
        <p>
            <a class="button" href="/race">"Pick up a bib"</a>
        </p>
    }
}

#[component]
fn Notes(notes: SessionNotes) -> impl IntoView {
    view! {
        <p class="lead">"This is all that the server knows of you."</p>
        <dl class="notes">
            <dt>"Bib number"</dt>
            <dd><code>{notes.bib}"…"</code> ", the session's id, shortened"</dd>
            <dt>"Since"</dt>
            <dd>{notes.since}</dd>
            <dt>"Until"</dt>
            <dd>{notes.idle_until} ", later when you go on"</dd>
            <dt>"At the latest"</dt>
            <dd>{notes.ends}</dd>
            <dt>"Cookie"</dt>
            <dd>
                {notes.cookie.into_iter().map(|part| view! { <code>{part}</code> " " }).collect_view()}
            </dd>
            <dt>"Stored"</dt>
            <dd>
                <ul>
                    {notes
                        .keys
                        .into_iter()
                        .map(|(name, bytes)| view! { <li><code>{name}</code> ", " {bytes} " bytes"</li> })
                        .collect_view()}
                </ul>
            </dd>
        </dl>
        <div class="actions">
            <form method="post" action=RenewSession::PATH>
                <button class="button">"Renew the id"</button>
            </form>
            <form method="post" action=EndSession::PATH>
                <button class="button button-quiet">"End the session"</button>
            </form>
        </div>
        <p class="aside">
            "Renewing is what a login should do: a new number on the bib, the same notes, and messages that
            wait are kept."
        </p>
        {(!notes.requests.is_empty()).then(|| view! { <LastRequests requests=notes.requests /> })}
    }
}

#[component]
fn LastRequests(requests: Vec<RequestNotes>) -> impl IntoView {
    let request = |request: RequestNotes| {
        let statement = |(summary, sql)| {
            view! {
                <li>
                    <details>
                        <summary>{summary}</summary>
                        <code>{sql}</code>
                    </details>
                </li>
            }
        };
        let statements = request.statements.into_iter().map(statement).collect_view();
        view! {
            <li>
                <h3>{request.summary}</h3>
                <ol class="statements">{statements}</ol>
            </li>
        }
    };
    view! {
        <h2>"What your last requests asked PostgreSQL"</h2>
        <p class="aside">
            "Shown in development alone. Messages that were shown are deleted in batches, apart from any
            request."
        </p>
        <ol class="requests">{requests.into_iter().map(request).collect_view()}</ol>
    }
}

async fn session_notes() -> Result<Option<SessionNotes>, AppError> {
    server::session_notes().await
}

/// A new id for the same session.
#[server(name = RenewSession, prefix = "/api", endpoint = "renew_session")]
pub async fn renew_session() -> Result<(), AppError> {
    server::renew().await
}

/// Deletes the session.
#[server(name = EndSession, prefix = "/api", endpoint = "end_session")]
pub async fn end_session() -> Result<(), AppError> {
    server::end().await
}

#[cfg(not(feature = "ssr"))]
mod server {
    use super::{AppError, SessionNotes};

    /// The page is rendered by the server alone.
    pub async fn session_notes() -> Result<Option<SessionNotes>, AppError> {
        Ok(None)
    }
}

#[cfg(feature = "ssr")]
mod server {
    use leptos::prelude::expect_context;
    use leptos_flash::{FlashMessage, SessionInfo, redirect_with};
    use time::{OffsetDateTime, macros::format_description};
    use tower_sessions::SessionStore;

    use super::{AppError, RequestNotes, SessionNotes};
    use crate::{router::AppState, session::session, trace::AnsweredRequest};

    const PAGE: &str = "/session";

    pub async fn session_notes() -> Result<Option<SessionNotes>, AppError> {
        let Some(id) = session().await?.id() else {
            return Ok(None);
        };
        let state: AppState = expect_context();
        let Some(record) = state.session_store.load(&id).await? else {
            return Ok(None);
        };
        let info = SessionInfo::from(&record);
        let mut keys: Vec<_> = (record.data.iter())
            .map(|(name, value)| (name.clone(), value.to_string().len()))
            .collect();
        keys.sort();
        Ok(Some(SessionNotes {
            bib: id.to_string().chars().take(6).collect(),
            since: info.created.map(time).unwrap_or_default(),
            idle_until: time(info.idle_until),
            ends: info.ends.map(time).unwrap_or_default(),
            cookie: crate::session::cookie_attributes(&state.config),
            keys,
            requests: state
                .last_requests
                .of(id)
                .into_iter()
                .map(notes_of)
                .collect(),
        }))
    }

    fn notes_of(request: AnsweredRequest) -> RequestNotes {
        let milliseconds =
            |time: std::time::Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        RequestNotes {
            summary: format!(
                "{} {} · {} · {}",
                request.method,
                request.path,
                request.status.as_u16(),
                milliseconds(request.time),
            ),
            statements: (request.statements.into_iter())
                .map(|statement| {
                    let time = milliseconds(statement.time);
                    (format!("{} · {time}", statement.name), statement.sql)
                })
                .collect(),
        }
    }

    pub async fn renew() -> Result<(), AppError> {
        let session = session().await?;
        if session.id().is_none() {
            return Ok(
                redirect_with(PAGE, FlashMessage::info("There was no session to renew.")).await?,
            );
        }
        session.cycle_id().await?;
        let message = FlashMessage::success("A new number on your bib; the notes are the same.");
        Ok(redirect_with(PAGE, message).await?)
    }

    pub async fn end() -> Result<(), AppError> {
        session().await?.flush().await?;
        let message = FlashMessage::success("Your session has ended. This note began a new one.");
        Ok(redirect_with(PAGE, message).await?)
    }

    fn time(at: OffsetDateTime) -> String {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
        at.format(format).unwrap_or_default()
    }
}
