//! The notes of the person who has signed in.

use leptos::{either::Either, prelude::*, server_fn::ServerFn};
use leptos_flash::{FlashMessage, redirect_with};
use leptos_meta::Title;

use crate::{
    account::{SignOut, visitor},
    components::NoteField,
    failure::{self, Failure},
    forms::{Form, Reason},
    store::Person,
};

/// In UTF-16 code units, as browsers count.
const MAX_TEXT: usize = 200;

#[component]
pub fn NotesPage() -> impl IntoView {
    view! {
        <Title text="Notes" />
        <h1>"Notes"</h1>
        <Suspense>{Suspend::new(failure::page(notes()))}</Suspense>
    }
}

async fn notes() -> Result<impl IntoView, Failure> {
    let (person, store) = visitor().await?;
    let Some(person) = person else {
        return Ok(Either::Left(view! { <Welcome /> }));
    };
    let notes = store.notes(person.id).await?;
    let form = Form::of("/").await?;
    Ok(Either::Right(view! { <OwnNotes person notes form /> }))
}

#[component]
fn Welcome() -> impl IntoView {
    view! {
        <p>
            <a href="/sign-in">"Sign in"</a> " or " <a href="/register">"register"</a>
            " to keep notes here."
        </p>
    }
}

#[component]
fn OwnNotes(person: Person, notes: Vec<String>, form: Form) -> impl IntoView {
    view! {
        <form class="form" method="post" action=AddNote::PATH>
            <label for="text">"A new note"</label>
            <Reason form=form.clone() field="text" />
            <NoteField value=form.value("text") max=MAX_TEXT invalid=form.is_invalid("text") />
            <button>"Save"</button>
        </form>
        <ul class="notes">{notes.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
        <form method="post" action=SignOut::PATH>
            <button class="quiet">"Sign out, " {person.name}</button>
        </form>
    }
}

#[server(endpoint = "add_note")]
async fn add_note(text: String) -> Result<(), Failure> {
    let (Some(person), store) = visitor().await? else {
        let message = FlashMessage::error("Sign in first. Your note was not saved.");
        return Ok(redirect_with("/sign-in", message).await?);
    };
    let reason = match text.encode_utf16().count() {
        _ if text.trim().is_empty() => Some("Write something."),
        length if length > MAX_TEXT => Some("Shorten it to 200 characters."),
        _ => None,
    };
    if let Some(reason) = reason {
        return Form::reject("/", ("text", reason), &[("text", &text)]).await;
    }
    store.add_note(person.id, text).await?;
    Ok(redirect_with("/", FlashMessage::success("Your note is saved.")).await?)
}
