//! Shows messages that are born in the browser.

use leptos::{prelude::*, server_fn::ServerFn, task::spawn_local};
use leptos_flash::{FlashMessage, promise, show};

use crate::error::AppError;

/// Shows a message that the server knows nothing of.
#[island]
pub fn ShowButton() -> impl IntoView {
    let message = || FlashMessage::success("Born in the browser.").auto_dismiss();
    view! {
        <button class="button button-quiet" type="button" on:click=move |_| show(message())>
            "From the browser"
        </button>
    }
}

/// Shows that a call is under way, then what came of it.
#[island]
pub fn WorkButtons() -> impl IntoView {
    let work = |fails: bool| {
        spawn_local(async move {
            _ = promise(
                "The officials are counting…",
                count(fails),
                |done| match done {
                    Ok(()) => FlashMessage::success("All runners are counted."),
                    Err(()) => {
                        FlashMessage::error("The officials lost count. Please ask them again.")
                    }
                },
            )
            .await;
        });
    };
    view! {
        <button class="button button-quiet" type="button" on:click=move |_| work(false)>
            "A long call"
        </button>
        <button class="button button-quiet" type="button" on:click=move |_| work(true)>
            "One that fails"
        </button>
    }
}

/// Calls [`long_work`]. A typed call would add 30 KB of WASM to this page.
async fn count(fails: bool) -> Result<(), ()> {
    use leptos::wasm_bindgen::JsCast;

    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    let fields = web_sys::UrlSearchParams::new().map_err(drop)?;
    fields.append("fails", &fails.to_string());
    init.set_body(&fields);
    let response = window().fetch_with_str_and_init(LongWork::PATH, &init);
    let response = wasm_bindgen_futures::JsFuture::from(response)
        .await
        .map_err(drop)?;
    let response: web_sys::Response = response.dyn_into().map_err(drop)?;
    response.ok().then_some(()).ok_or(())
}

#[server(name = LongWork, prefix = "/api", endpoint = "long_work")]
pub async fn long_work(
    /// The call fails after its time if this is true.
    fails: bool,
) -> Result<(), AppError> {
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    if fails {
        Err(AppError::Unavailable)
    } else {
        Ok(())
    }
}
