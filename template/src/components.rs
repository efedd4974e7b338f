//! The islands: what moves in the browser.

use leptos::prelude::*;
// The region of the messages is an island, too.
use leptos_flash as _;

/// A field that says how many characters are left. Without JavaScript it is a field.
#[island]
pub fn NoteField(
    value: String,
    /// In UTF-16 code units, as browsers count.
    max: usize,
    invalid: bool,
) -> impl IntoView {
    let (length, set_length) = signal(value.encode_utf16().count());
    let field = NodeRef::<leptos::html::Input>::new();
    let count = move || {
        if let Some(field) = field.get() {
            set_length.set(field.value().encode_utf16().count());
        }
    };
    // What was typed before the script came counts, too.
    Effect::new(count);
    view! {
        <input
            id="text"
            name="text"
            value=value
            required
            maxlength=max
            autocomplete="off"
            aria-invalid=invalid.then_some("true")
            autofocus=invalid
            aria-describedby="text-reason text-left"
            node_ref=field
            on:input=move |_| count()
        />
        <p class="hint" id="text-left">
            {move || max.saturating_sub(length.get())} " characters left"
        </p>
    }
}
