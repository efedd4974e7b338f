use leptos::{nonce::use_nonce, prelude::*};
use leptos_flash::{NOTE_SHOWN, page_messages};

use super::site_header::page_path;
use crate::site_files::SiteFiles;

/// Whether anything on the page comes to life: messages, or what may bring one without a page load.
/// A page without needs no script.
pub fn has_islands() -> bool {
    !page_messages().is_empty() || page_path().as_deref() == Some("/messages")
}

/// Brings the islands to life, where there are any, when the browser has nothing better to do.
///
/// As leptos's `HydrationScripts`, for islands that have no islands within: an eighth of the script,
/// and a preload that Firefox uses too (leptos#4843).
///
/// Translation, phones and extensions change pages before they hydrate. An island that hydration
/// doesn't recognise traps; a copy of what the server sent takes its place, which works as without
/// JavaScript. The other islands come to life all the same.
#[component]
pub fn Hydration(files: &'static SiteFiles) -> impl IntoView {
    if let Some(context) = Owner::current_shared_context() {
        // Of islands alone, as leptos does it.
        context.set_is_hydrating(false);
    }
    let script = format!(
        "{NOTE_SHOWN}\
         const start = async () => {{\
         const app = await import('{}');\
         await app.default({{module_or_path: '{}'}});\
         app.hydrate();\
         for (const island of document.querySelectorAll('leptos-island')) {{\
         const copy = island.cloneNode(true);\
         try {{ app[island.dataset.component](island) }}\
         catch (error) {{ console.error(error); island.replaceWith(copy) }}\
         }}\
         }};\
         window.requestIdleCallback ? requestIdleCallback(start, {{timeout: 500}}) : start();",
        files.js, files.wasm
    );
    has_islands().then(|| {
        view! {
            <link rel="modulepreload" href=files.js.as_str() />
            <link
                rel="preload"
                href=files.wasm.as_str()
                r#as="fetch"
                r#type="application/wasm"
                crossorigin="anonymous"
            />
            <script type="module" nonce=use_nonce() inner_html=script></script>
        }
    })
}
