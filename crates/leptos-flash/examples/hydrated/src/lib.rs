//! A fully hydrated app: `<ActionForm>`, navigation in place, streaming pages with a slow
//! `<Suspense>`. Its messages have a look of their own: none.

use leptos::{prelude::*, task::spawn_local};
use leptos_flash::{FlashClient, FlashMessage, FlashRegion, promise, provide_flash, use_flash};
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
    use_flash().end_with_page(use_location().pathname);
    view! {
        <FlashRegion count_duplicates=true let:message>
            <span data-flash-slot="text">{message.text}</span>
            <button name="dismiss" value=message.id data-flash-dismiss>"Dismiss"</button>
        </FlashRegion>
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
                    <option value="nothing">"fail, and say nothing"</option>
                </select>
            </label>
            <button>"Save"</button>
        </ActionForm>
        <button on:click=|_| spawn_local(export())>"Export"</button>
        <Suspense fallback=|| view! { <p>"Loading…"</p> }>
            <p id="slow">{move || Suspend::new(slow)}</p>
        </Suspense>
    }
}

/// Shows that a call is under way, then what came of it.
async fn export() {
    let rows = promise("Exporting…", slow(), |rows| match rows {
        Ok(_) => FlashMessage::success("Exported"),
        Err(_) => FlashMessage::error("Not exported"),
    });
    _ = rows.await;
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
        "nothing" => return Err(ServerFnError::new("it failed")),
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
