//! An app with islands, whose messages look good and are accessible with no CSS of its own.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_flash::{FlashGroup, FlashPosition};

pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta name="viewport" content="width=device-width" />
                <link rel="icon" href="data:," />
                <title>"Notes"</title>
                <HydrationScripts options islands=true />
            </head>
            <body>
                <FlashGroup position=FlashPosition::BottomEnd />
                <h1>"Notes"</h1>
                <form method="post" action=Save::PATH>
                    <button>"Save"</button>
                </form>
            </body>
        </html>
    }
}

#[server]
async fn save() -> Result<(), ServerFnError> {
    use leptos_flash::{FlashMessage, redirect_with};

    Ok(redirect_with("/", FlashMessage::success("Your notes are saved.")).await?)
}

#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
