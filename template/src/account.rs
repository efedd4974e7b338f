//! Registering, signing in and out.

use std::ops::RangeInclusive;

use axum_login::AuthSession;
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_axum::extract;
use leptos_flash::{FlashMessage, redirect_with, tower_sessions::Session};
use leptos_meta::Title;

use crate::{
    failure::{self, Failure},
    forms::{Form, Reason},
    store::{Credentials, Person, Store},
};

const MAX_NAME: usize = 40;
const PASSWORD_LENGTH: RangeInclusive<usize> = 10..=200;

/// Returns who has signed in, and the store.
pub async fn visitor() -> Result<(Option<Person>, Store), Failure> {
    let auth: AuthSession<Store> = extract().await?;
    Ok((auth.user, auth.backend))
}

#[component]
pub fn SignInPage() -> impl IntoView {
    view! {
        <Title text="Sign in" />
        <h1>"Sign in"</h1>
        <CredentialsForm page="/sign-in" action=SignIn::PATH password="current-password" button="Sign in" />
        <p>
            "New here? " <a href="/register">"Register"</a>
        </p>
    }
}

#[component]
pub fn RegisterPage() -> impl IntoView {
    view! {
        <Title text="Register" />
        <h1>"Register"</h1>
        <CredentialsForm page="/register" action=Register::PATH password="new-password" button="Register" />
    }
}

#[component]
fn CredentialsForm(
    page: &'static str,
    action: &'static str,
    /// For password managers.
    password: &'static str,
    button: &'static str,
) -> impl IntoView {
    let fields = move |form: Form| {
        view! {
            <form class="form" method="post" action=action>
                <label for="name">"Name"</label>
                <Reason form=form.clone() field="name" />
                <input
                    id="name"
                    name="name"
                    value=form.value("name")
                    required
                    maxlength=MAX_NAME
                    autocomplete="username"
                    aria-invalid=form.is_invalid("name").then_some("true")
                    autofocus=form.is_invalid("name")
                    aria-describedby="name-reason"
                />
                <label for="password">"Password"</label>
                <Reason form=form.clone() field="password" />
                <input
                    id="password"
                    name="password"
                    type="password"
                    required
                    autocomplete=password
                    aria-invalid=form.is_invalid("password").then_some("true")
                    autofocus=form.is_invalid("password")
                    aria-describedby="password-reason"
                />
                <button>{button}</button>
            </form>
        }
    };
    view! { <Suspense>{Suspend::new(failure::page(async move { Form::of(page).await.map(fields) }))}</Suspense> }
}

#[server(endpoint = "register")]
async fn register(name: String, password: String) -> Result<(), Failure> {
    let reject =
        async |field, reason| Form::reject("/register", (field, reason), &[("name", &name)]).await;
    if !is_name(&name) {
        return reject(
            "name",
            "Write a name of 40 characters at most, without spaces around it.",
        )
        .await;
    }
    if !PASSWORD_LENGTH.contains(&password.chars().count()) {
        return reject(
            "password",
            "The password needs 10 characters or more, 200 at most.",
        )
        .await;
    }
    let mut auth: AuthSession<Store> = extract().await?;
    let new = Credentials {
        name: name.clone(),
        password,
    };
    let Some(person) = auth.backend.add_person(new).await? else {
        return reject("name", "Somebody has this name. Choose another one.").await;
    };
    log_in(&mut auth, &person).await?;
    let message = FlashMessage::success(format!("Welcome, {}.", person.name));
    Ok(redirect_with("/", message).await?)
}

#[server(endpoint = "sign_in")]
async fn sign_in(name: String, password: String) -> Result<(), Failure> {
    let mut auth: AuthSession<Store> = extract().await?;
    let typed = Credentials {
        name: name.clone(),
        password,
    };
    let Some(person) = auth.authenticate(typed).await? else {
        let reason = ("password", "The name or the password is wrong.");
        return Form::reject("/sign-in", reason, &[("name", &name)]).await;
    };
    log_in(&mut auth, &person).await?;
    let message = FlashMessage::success(format!("Good to see you, {}.", person.name));
    Ok(redirect_with("/", message).await?)
}

#[server(endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), Failure> {
    let mut auth: AuthSession<Store> = extract().await?;
    auth.logout().await?;
    Ok(redirect_with("/", FlashMessage::info("You are signed out.")).await?)
}

/// The session gets a new id, so an id that somebody planted is worth nothing. Messages that wait stay.
async fn log_in(auth: &mut AuthSession<Store>, person: &Person) -> Result<(), Failure> {
    let session: Session = extract().await?;
    session.cycle_id().await?;
    Ok(auth.login(person).await?)
}

fn is_name(name: &str) -> bool {
    let length = name.encode_utf16().count();
    (1..=MAX_NAME).contains(&length) && name.trim() == name && !name.contains(char::is_control)
}
