use leptos::{either::EitherOf4, prelude::*, server_fn::ServerFn};
use leptos_flash::{FlashMessage, redirect_with};
use time::OffsetDateTime;

use super::parts::{ErrorSummary, Failed, FieldError, PageHead};
use crate::{
    error::AppError,
    race::{CHECKPOINTS, Call, MAX_NAME, Race, clock, is_name},
    web::{
        forms::FormState,
        session::{session, visit},
    },
};

/// The race's place in the session.
const RACE: &str = "race";

/// `/race`: pick up a bib, pass the checkpoints in their order, finish, leave.
#[component]
pub fn RacePage() -> impl IntoView {
    let form = FormState::current();
    let race = if form.is_rejected() {
        view! { <Start form=form.clone() /> }.into_any()
    } else {
        view! { <Suspense>{Suspend::new(async { show(current_race().await) })}</Suspense> }
            .into_any()
    };
    view! {
        <PageHead
            title=form.title("The race")
            description="Pick up a bib, pass the checkpoints in their order, and see what the session notes of you."
        />
        <ErrorSummary error=form.error() />
        <h1 tabindex="-1">"The race"</h1>
        {race}
    }
}

fn show(race: Result<Option<Race>, AppError>) -> impl IntoView {
    match race {
        Ok(None) => EitherOf4::A(view! { <Start form=FormState::default() /> }),
        Ok(Some(race)) if race.is_finished() => EitherOf4::B(view! { <Finish race /> }),
        Ok(Some(race)) => EitherOf4::C(view! { <Course race /> }),
        Err(error) => EitherOf4::D(view! { <Failed error /> }),
    }
}

/// Before the race: nobody has a session by looking at this page.
#[component]
fn Start(form: FormState) -> impl IntoView {
    view! {
        <p class="lead">
            "Pick up your bib. From then on the officials know you by its number: your session
            begins, and the browser gets the cookie " <code>"sessionId"</code> "."
        </p>
        <form class="form" method="post" action=StartRace::PATH>
            <label for="name">"Your name, for the bib"</label>
            <FieldError field="name" reason=form.reason("name") />
            <input
                id="name"
                name="name"
                value=form.value("name")
                required
                maxlength=MAX_NAME
                autocomplete="nickname"
                aria-invalid=form.invalid("name")
                aria-describedby=form.described_by("name", None)
            />
            <button class="button">"Pick up a bib"</button>
        </form>
    }
}

#[component]
fn Course(race: Race) -> impl IntoView {
    let next = race.splits.len();
    view! {
        <Bib race=race.clone() />
        <p class="lead">
            "Each checkpoint notes your time in the session: one row in PostgreSQL, found by the number
            that your cookie carries. Try them out of order, too."
        </p>
        <ol class="course">
            {CHECKPOINTS
                .into_iter()
                .enumerate()
                .map(|(index, name)| {
                    let split = race.splits.get(index).copied();
                    view! {
                        <li class:passed=split.is_some() class:next=index == next>
                            <h2>{name}</h2>
                            <p class="split">
                                {split.map_or_else(|| "Not passed yet".to_owned(), clock)}
                            </p>
                            <form method="post" action=PassCheckpoint::PATH>
                                <button
                                    class="button"
                                    class:button-quiet=index != next
                                    name="checkpoint"
                                    value=index
                                >
                                    "Pass "
                                    {name.to_lowercase()}
                                </button>
                            </form>
                        </li>
                    }
                })
                .collect_view()}
        </ol>
        <Leave label="Leave the race" />
    }
}

#[component]
fn Finish(race: Race) -> impl IntoView {
    let mut before = 0;
    let rows = CHECKPOINTS
        .into_iter()
        .zip(race.splits.clone())
        .map(|(name, split)| {
            let leg = split - std::mem::replace(&mut before, split);
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td>{clock(split)}</td>
                    <td>{clock(leg)}</td>
                </tr>
            }
        });
    view! {
        <Bib race=race.clone() />
        <table class="results">
            <caption>"Your result, as the officials noted it"</caption>
            <thead>
                <tr>
                    <th scope="col">"Checkpoint"</th>
                    <th scope="col">"Time"</th>
                    <th scope="col">"Leg"</th>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
        <Leave label="Hand in the bib" />
    }
}

#[component]
fn Bib(race: Race) -> impl IntoView {
    view! {
        <p class="bib">
            <span class="bib-name">{race.name}</span>
            <span class="bib-number">{race.bib}</span>
        </p>
    }
}

#[component]
fn Leave(label: &'static str) -> impl IntoView {
    view! {
        <form method="post" action=LeaveRace::PATH>
            <button class="button button-quiet">{label}</button>
        </form>
        <p class="aside">
            "That ends the session: its row is deleted, the cookie is worth nothing any more. The goodbye
            travels in a new one."
        </p>
    }
}

/// The race in the session. Nobody gets a session by asking.
async fn current_race() -> Result<Option<Race>, AppError> {
    Ok(session().await?.get(RACE).await?)
}

/// Begins a race, and with it a session.
#[server(name = StartRace, prefix = "/api", endpoint = "start_race")]
pub async fn start_race(name: String) -> Result<(), AppError> {
    let name = name.trim().to_owned();
    if !is_name(&name) {
        let reason =
            format!("A name has 1 to {MAX_NAME} characters, all of which can be printed on a bib.");
        return Err(AppError::field("name", 422, reason));
    }
    let session = session().await?;
    if session.get::<Race>(RACE).await?.is_some() {
        return say(FlashMessage::info(
            "You wear a bib already. Leave the race for a new one.",
        ))
        .await;
    }
    let now = now();
    let race = Race {
        bib: 1000 + u16::try_from(now.rem_euclid(9000)).unwrap_or_default(),
        name,
        started: now,
        splits: Vec::new(),
    };
    session.insert(RACE, &race).await?;
    // Before the message says so.
    session.save().await?;
    let text = format!("Bib {} is yours, {}. The race is on.", race.bib, race.name);
    say(FlashMessage::success(text)).await
}

/// Passes a checkpoint: an index of `CHECKPOINTS`.
#[server(name = PassCheckpoint, prefix = "/api", endpoint = "pass_checkpoint")]
pub async fn pass_checkpoint(checkpoint: usize) -> Result<(), AppError> {
    // Somebody may press twice: of all requests at once one is noted.
    let now = now();
    let pass = |race: &mut Option<Race>| {
        let race = race.as_mut()?;
        let call = race.pass(checkpoint, now);
        Some((call, race.is_finished()))
    };
    let Some((call, is_finished)) = visit().await?.update(RACE, pass).await? else {
        return say(FlashMessage::warning("Pick up a bib first.")).await;
    };
    let name = CHECKPOINTS.get(checkpoint).copied().unwrap_or_default();
    let message = match call {
        Call::Noted(split) if is_finished => {
            FlashMessage::success(format!("{} from start to finish.", clock(split)))
                .title("You made it")
        }
        Call::Noted(split) => FlashMessage::success(format!("{name}: noted at {}.", clock(split))),
        Call::Again => FlashMessage::info(format!("{name} was noted before. Your time stands.")),
        Call::First(next) => {
            let next = CHECKPOINTS[next].to_lowercase();
            FlashMessage::warning(format!(
                "Not so fast: {next} comes first. Nothing was noted."
            ))
        }
        Call::Unknown => return Err(AppError::Form("there is no such checkpoint".to_owned())),
    };
    say(message).await
}

/// Ends the session and says goodbye.
#[server(name = LeaveRace, prefix = "/api", endpoint = "leave_race")]
pub async fn leave_race() -> Result<(), AppError> {
    session().await?.flush().await?;
    say(FlashMessage::success(
        "You handed in your bib. Until the next race!",
    ))
    .await
}

async fn say(message: FlashMessage) -> Result<(), AppError> {
    Ok(redirect_with("/race", message).await?)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}
