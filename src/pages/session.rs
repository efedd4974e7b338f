use std::time::Duration;

use leptos::{either::EitherOf3, prelude::*, server_fn::ServerFn};
use leptos_flash::{FlashMessage, SessionInfo, redirect_with};
use time::{OffsetDateTime, macros::format_description};
use tower_sessions::SessionStore;

use super::parts::{Failed, PageHead};
use crate::{
    error::AppError,
    observe::{AnsweredRequest, Statement},
    state::AppState,
    web::session::{cookie_attributes, session},
};

/// What the server knows of a visitor.
struct SessionNotes {
    /// The session's id, shortened: all of it would be the key to the session.
    bib: String,
    since: String,
    /// When it ends without another page, and when in any case.
    idle_until: String,
    ends: String,
    cookie: Vec<String>,
    /// What is stored, by name and size in bytes.
    keys: Vec<(String, usize)>,
    /// In development, the newest first.
    requests: Vec<AnsweredRequest>,
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
fn LastRequests(requests: Vec<AnsweredRequest>) -> impl IntoView {
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let statement = move |statement: Statement| {
        view! {
            <li>
                <details>
                    <summary>{statement.name}" · "{milliseconds(statement.time)}</summary>
                    <code>{statement.sql}</code>
                </details>
            </li>
        }
    };
    let request = move |request: AnsweredRequest| {
        let AnsweredRequest {
            method,
            path,
            status,
            time,
            statements,
        } = request;
        let summary = format!(
            "{method} {path} · {} · {}",
            status.as_u16(),
            milliseconds(time)
        );
        let statements = statements.into_iter().map(statement).collect_view();
        view! {
            <li>
                <h3>{summary}</h3>
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
        since: info.created.map(clock).unwrap_or_default(),
        idle_until: clock(info.idle_until),
        ends: info.ends.map(clock).unwrap_or_default(),
        cookie: cookie_attributes(&state.config),
        keys,
        requests: state.request_log.of(id),
    }))
}

fn clock(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.format(format).unwrap_or_default()
}

/// A new id for the same session.
#[server(name = RenewSession, prefix = "/api", endpoint = "renew_session")]
pub async fn renew_session() -> Result<(), AppError> {
    let session = session().await?;
    if session.id().is_none() {
        return say(FlashMessage::info("There was no session to renew.")).await;
    }
    session.cycle_id().await?;
    say(FlashMessage::success(
        "A new number on your bib; the notes are the same.",
    ))
    .await
}

/// Deletes the session.
#[server(name = EndSession, prefix = "/api", endpoint = "end_session")]
pub async fn end_session() -> Result<(), AppError> {
    session().await?.flush().await?;
    say(FlashMessage::success(
        "Your session has ended. This note began a new one.",
    ))
    .await
}

async fn say(message: FlashMessage) -> Result<(), AppError> {
    Ok(redirect_with("/session", message).await?)
}
