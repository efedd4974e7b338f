//! A fully hydrated app: `<ActionForm>`, navigation in place, streaming pages with a slow
//! `<Suspense>`. Its look is nothing at all; race-bib shows one.

use leptos::prelude::*;
use leptos_flash::{FlashClient, FlashMessage, provide_flash, use_flash};
use leptos_router::{
    components::{A, Route, Router, Routes},
    hooks::use_location,
    path,
};

pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <link rel="icon" href="data:," />
                <title>"A fully hydrated app"</title>
                <HydrationScripts options />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

#[component]
pub fn App() -> impl IntoView {
    provide_flash();
    view! {
        <Router>
            <Messages />
            <nav>
                <A href="/">"Home"</A>
                " "
                <A href="/other">"Other"</A>
            </nav>
            <main>
                <Routes fallback=|| view! { <h1>"Not found"</h1> }>
                    <Route path=path!("") view=Home />
                    <Route path=path!("other") view=|| view! { <h1>"Other"</h1> } />
                </Routes>
            </main>
        </Router>
    }
}

#[component]
fn Messages() -> impl IntoView {
    let flash = use_flash();
    flash.end_with_page(use_location().pathname);
    view! {
        <For each=move || flash.get() key=FlashMessage::identity let:message>
            <p class=format!("flash flash-{}", message.level) data-flash-id=message.id>
                <span>{message.text}</span>
                <button on:click=move |_| flash.dismiss(message.id)>"Dismiss"</button>
            </p>
        </For>
    }
}

/// A page that streams: its slow part arrives a second after the messages.
#[component]
fn Home() -> impl IntoView {
    let slow = Resource::new(|| (), |()| slow());
    let save = ServerAction::<Save>::new();
    let hydrated = RwSignal::new(false);
    Effect::new(move || hydrated.set(true));
    view! {
        <h1>"Home"</h1>
        <ActionForm action=save attr:data-hydrated=move || hydrated.get()>
            <label>"Text " <input name="text" required /></label>
            <label>
                "Then "
                <select name="then">
                    <option value="stay">"stay"</option>
                    <option value="redirect">"go to the other page"</option>
                    <option value="fail">"fail"</option>
                    <option value="many">"push thirty"</option>
                </select>
            </label>
            <button>"Save"</button>
        </ActionForm>
        <Suspense fallback=|| view! { <p>"Loading…"</p> }>
            <p id="slow">{move || Suspend::new(slow)}</p>
        </Suspense>
    }
}

#[server]
async fn slow() -> Result<String, ServerFnError> {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    Ok("The slow part is here".to_owned())
}

#[server(client = FlashClient)]
async fn save(text: String, then: String) -> Result<(), ServerFnError> {
    use leptos_flash::{flash, redirect_with};

    match then.as_str() {
        "redirect" => redirect_with("/other", FlashMessage::success(text)).await?,
        "many" => {
            for number in 1..=30 {
                let text = format!("{number} {}", text.repeat(20));
                flash()?.info(text).await?;
            }
        }
        "fail" => {
            flash()?.error(text).await?;
            return Err(ServerFnError::new("it failed"));
        }
        _ => {
            flash()?.success(text).await?;
        }
    }
    Ok(())
}

#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_body(App);
}
