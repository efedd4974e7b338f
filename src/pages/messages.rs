use axum::{extract::Path, response::Redirect};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_flash::{
    Flash, FlashError, FlashMessage, FlashPosition, InvalidLevel, Level, SetReadingTime, flash,
    redirect, redirect_with,
};
use tower_sessions::Session;

use super::parts::{ErrorSummary, FieldError, PageHead};
use crate::{
    components::{FetchButton, ShowButton, WorkButtons},
    error::AppError,
    web::{
        forms::{FormState, length, with_line_feeds},
        look::Look,
    },
};

/// The longest text of a message, in UTF-16 code units, as `maxlength` counts it.
pub const MAX_TEXT: usize = 2000;

/// The most bytes of a message, for the store of the messages: any text that the form allows has
/// fewer, 3 for each UTF-16 code unit, and there is room for a link.
pub const MAX_MESSAGE: usize = 3 * MAX_TEXT + 1024;

/// `/messages`: the desk, where every kind of message can be tried.
#[component]
pub fn MessagesPage() -> impl IntoView {
    let levels = [
        ("info", "Note"),
        ("success", "Success"),
        ("warning", "Warning"),
        ("error", "Error"),
    ];
    let ways = [
        (
            PushFive::PATH,
            "Five at once",
            "In one request, shown in their order.",
        ),
        (
            PushSeven::PATH,
            "Seven at once",
            "Five are on screen, the others wait. The error comes first.",
        ),
        (
            PushSame::PATH,
            "Three that say the same",
            "With “count equal messages” below, they are one.",
        ),
        (
            PushOverRedirects::PATH,
            "Over two redirects",
            "Each hop adds one; the page at the end shows all.",
        ),
        (
            PushAndFail::PATH,
            "From a failure",
            "The server function fails; its message waits for your next page.",
        ),
    ];
    let form = FormState::current();
    let is_level = |level: &str| match form.value("level").as_str() {
        "" => level == "info",
        typed => level == typed,
    };
    let is_on = |field: &str| form.is_checked(field, "true");
    view! {
        <PageHead
            title=form.title("Messages")
            description="Try every kind of flash message: all levels, sticky ones, over redirects, from failures, without a page load."
        />
        <ErrorSummary error=form.error() />
        <h1 tabindex="-1">"Messages"</h1>
        <p class="lead">
            "Write a note to your own next page. The server stores it, answers with a redirect, and
            the page that follows shows it once."
        </p>
        <form class="form" method="post" action=PushMessage::PATH>
            <fieldset class="choices" aria-describedby=form.described_by("level", None)>
                <legend>"Level"</legend>
                <FieldError field="level" reason=form.reason("level") />
                {levels
                    .map(|(level, word)| {
                        view! {
                            <label>
                                <input
                                    id=(level == "info").then_some("level")
                                    type="radio"
                                    name="level"
                                    value=level
                                    checked=is_level(level)
                                    aria-invalid=form.invalid("level")
                                />
                                {word}
                            </label>
                        }
                    })}
            </fieldset>
            <label for="own_level">"Or a level of your own"</label>
            <FieldError field="own_level" reason=form.reason("own_level") />
            <input
                id="own_level"
                name="own_level"
                value=form.value("own_level")
                maxlength=Level::MAX_NAME
                pattern="[A-Za-z][A-Za-z0-9_\\-]*"
                placeholder="checkpoint"
                autocomplete="off"
                aria-invalid=form.invalid("own_level")
                aria-describedby=form.described_by("own_level", Some("own_level_rule"))
            />
            <p class="hint" id="own_level_rule">
                "A letter, then letters, digits, - and _: it becomes a CSS class."
            </p>
            <label for="text">"Text"</label>
            <FieldError field="text" reason=form.reason("text") />
            <textarea
                id="text"
                name="text"
                rows="3"
                required
                maxlength=MAX_TEXT
                aria-invalid=form.invalid("text")
                aria-describedby=form.described_by("text", None)
                inner_html=form.textarea("text")
            ></textarea>
            <fieldset class="choices">
                <legend>"And"</legend>
                <label>
                    <input type="checkbox" name="sticky" value="true" checked=is_on("sticky") />
                    "stays until it is dismissed"
                </label>
                <label>
                    <input
                        type="checkbox"
                        name="auto_dismiss"
                        value="true"
                        checked=is_on("auto_dismiss")
                    />
                    "leaves by itself: a note or a success without a link"
                </label>
                <label>
                    <input type="checkbox" name="link" value="true" checked=is_on("link") />
                    "with a link to the race"
                </label>
            </fieldset>
            <button class="button">"Push the message"</button>
        </form>
        <h2>"Other ways"</h2>
        <ul class="ways">
            {ways
                .map(|(action, label, note)| {
                    view! {
                        <li>
                            <form method="post" action=action>
                                <button class="button button-quiet">{label}</button>
                            </form>
                            {note}
                        </li>
                    }
                })}
            <li>
                <FetchButton />
                "Hydrated code calls a server function; its answer brings the message, without another
                request."
            </li>
            <li class="scripted">
                <ShowButton />
                "The server knows nothing of it."
            </li>
            <li class="scripted">
                <span class="buttons">
                    <WorkButtons />
                </span>
                "A message says that it is under way. What came of it takes its place."
            </li>
            <li class="scripted">
                <button
                    class="button button-quiet"
                    type="button"
                    commandfor="dialog"
                    command="show-modal"
                >
                    "Above a dialog"
                </button>
                "All behind a dialog is inert. The messages come along."
            </li>
        </ul>
        <dialog class="dialog" id="dialog" aria-labelledby="dialog-title">
            <h2 id="dialog-title">"At the desk"</h2>
            <p>"A message shows up in this dialog, and stays on the page when the dialog closes."</p>
            <p class="buttons">
                <ShowButton />
                <button class="button" type="button" commandfor="dialog" command="close">"Close"</button>
            </p>
        </dialog>
        <Settings />
    }
}

/// How this visitor wants the messages.
#[component]
fn Settings() -> impl IntoView {
    let Look { position, counts } = Look::current();
    let places = [
        (FlashPosition::Banner, "In the page"),
        (FlashPosition::TopStart, "Top, where lines begin"),
        (FlashPosition::TopCenter, "Top, in the middle"),
        (FlashPosition::TopEnd, "Top, where lines end"),
        (FlashPosition::BottomStart, "Bottom, where lines begin"),
        (FlashPosition::BottomCenter, "Bottom, in the middle"),
        (FlashPosition::BottomEnd, "Bottom, where lines end"),
    ];
    let times = [
        ("usual", "The usual time"),
        ("longer", "Three times as long"),
        ("unlimited", "Until I dismiss them"),
    ];
    let time = leptos_flash::reading_time().map_or("usual", |time| time.as_str());
    view! {
        <h2>"Your settings"</h2>
        <form class="form" method="post" action=SetLook::PATH>
            <label for="position">"Where messages are"</label>
            <select id="position" name="position">
                {places
                    .map(|(other, words)| {
                        view! {
                            <option value=other.as_str() selected=other == position>
                                {words}
                            </option>
                        }
                    })}
            </select>
            <p class="choices">
                <label>
                    <input type="checkbox" name="counts" value="true" checked=counts />
                    "count equal messages"
                </label>
            </p>
            <button class="button">"Show them there"</button>
        </form>
        <form class="form" method="post" action=SetReadingTime::PATH>
            <fieldset class="choices">
                <legend>"How long those stay that leave by themselves"</legend>
                {times
                    .map(|(name, words)| {
                        view! {
                            <label>
                                <input type="radio" name="time" value=name checked=name == time />
                                {words}
                            </label>
                        }
                    })}
            </fieldset>
            <button class="button">"Keep this"</button>
        </form>
    }
}

/// Pushes a message for the next page and goes there. A fault of the text is told beside its field.
#[server(name = PushMessage, prefix = "/api", endpoint = "push_message")]
pub async fn push_message(
    level: String,
    text: String,
    /// Wins over `level` unless it is empty.
    #[server(default)]
    own_level: String,
    #[server(default)] sticky: bool,
    #[server(default)] auto_dismiss: bool,
    #[server(default)] link: bool,
) -> Result<(), AppError> {
    let (field, level) = if own_level.is_empty() {
        ("level", level)
    } else {
        ("own_level", own_level)
    };
    let invalid = |error: InvalidLevel| AppError::field(field, 422, error);
    let level = level.parse().map_err(invalid)?;
    let mut message = FlashMessage::new(level, text_of_message(&text)?);
    if auto_dismiss {
        message = message.auto_dismiss();
    }
    if sticky {
        message = message.sticky();
    }
    if link {
        message = message.link("/race", "To the race");
    }
    let pushed = redirect_with("/messages", message).await;
    pushed.map_err(|error| match error {
        FlashError::EmptyText | FlashError::NulCharacter | FlashError::TooLong { .. } => {
            AppError::field("text", error.status().as_u16(), error.public_text())
        }
        error => error.into(),
    })
}

/// Returns a text that was typed, as it is stored.
fn text_of_message(typed: &str) -> Result<String, AppError> {
    let text = with_line_feeds(typed);
    let length = length(&text);
    if length > MAX_TEXT {
        let reason =
            format!("The text is too long: {length} characters where {MAX_TEXT} are allowed.");
        return Err(AppError::field("text", 413, reason));
    }
    Ok(text)
}

#[server(name = PushFive, prefix = "/api", endpoint = "push_five")]
pub async fn push_five() -> Result<(), AppError> {
    let flash = flash()?;
    let levels = [
        Level::Info,
        Level::Success,
        Level::Warning,
        Level::Error,
        Level::Info,
    ];
    for (level, number) in levels.into_iter().zip(1..) {
        let text = format!("Number {number} of five.");
        flash.push(FlashMessage::new(level, text)).await?;
    }
    Ok(redirect("/messages")?)
}

#[server(name = PushSeven, prefix = "/api", endpoint = "push_seven")]
pub async fn push_seven() -> Result<(), AppError> {
    let flash = flash()?;
    for number in 1..=6 {
        flash
            .info(format!("Runner {number} is at the start."))
            .await?;
    }
    flash.error("Runner 7 is missing.").await?;
    Ok(redirect("/messages")?)
}

#[server(name = PushSame, prefix = "/api", endpoint = "push_same")]
pub async fn push_same() -> Result<(), AppError> {
    for _ in 0..3 {
        flash()?.success("A runner has arrived.").await?;
    }
    Ok(redirect("/messages")?)
}

/// Keeps where this visitor wants the messages.
#[server(name = SetLook, prefix = "/api", endpoint = "set_look")]
pub async fn set_look(position: String, #[server(default)] counts: bool) -> Result<(), AppError> {
    let unknown = |()| AppError::Form("there is no such position".to_owned());
    let position = position.parse().map_err(unknown)?;
    Look { position, counts }.set();
    let message = FlashMessage::success("Messages are here now.").auto_dismiss();
    Ok(redirect_with("/messages", message).await?)
}

#[server(name = PushOverRedirects, prefix = "/api", endpoint = "push_over_redirects")]
pub async fn push_over_redirects() -> Result<(), AppError> {
    let start = FlashMessage::info("From the form post.");
    Ok(redirect_with("/messages/hop/1", start).await?)
}

/// `/messages/hop/{hop}`: a redirect that adds a message, twice. It adds none
/// - without a session: a link to it must not start one;
/// - unless a page is loaded: a `HEAD` or a prefetch changes nothing.
pub async fn hop(
    Path(hop): Path<u8>,
    session: Session,
    flash: Flash,
) -> Result<Redirect, AppError> {
    let to = if hop == 1 {
        "/messages/hop/2"
    } else {
        "/messages"
    };
    if session.id().is_none() || !flash.is_page_load() {
        return Ok(Redirect::to(to));
    }
    let message = FlashMessage::info(format!("From redirect {hop}."));
    Ok(flash.redirect(to, message).await?)
}

#[server(name = PushAndFail, prefix = "/api", endpoint = "push_and_fail")]
pub async fn push_and_fail() -> Result<(), AppError> {
    flash()?
        .error("The server function failed, as you asked it to.")
        .await?;
    Err(AppError::Message {
        status: 422,
        text:
            "The server function failed, as you asked it to. Its message waits for your next page."
                .to_owned(),
    })
}
