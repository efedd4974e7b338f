use leptos::prelude::*;

use super::parts::PageHead;

/// `/`: what this is, in a few lines.
#[component]
pub fn HomePage() -> impl IntoView {
    view! {
        <PageHead
            title="A session is a race"
            description="Flash messages and sessions for Leptos, told with a race: every message is shown once, none is lost."
        />
        <h1 tabindex="-1">"A session is a race"</h1>
        <p class="lead">
            "At the start you get a bib with a number. At each checkpoint an official notes that
            number, and what they note belongs to you for as long as the race lasts."
        </p>
        <ol class="course">
            <li>
                <h2>"The bib"</h2>
                <p>"The cookie " <code>"sessionId"</code> ": a number and a signature, nothing else."</p>
            </li>
            <li>
                <h2>"The notes"</h2>
                <p>"Rows in PostgreSQL, found by the number on the bib."</p>
            </li>
            <li>
                <h2>"The message"</h2>
                <p>
                    "A note from one request to the next page. It is shown once, even when ten
                    pages load at the same time, and it waits when a page never arrives."
                </p>
            </li>
        </ol>
        <p class="actions">
            <a class="button" href="/race">"Pick up a bib"</a>
            <a class="button button-quiet" href="/messages">"Send yourself a message"</a>
        </p>
    }
}
