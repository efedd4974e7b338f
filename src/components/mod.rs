//! All that the browser runs: the islands, and the server functions that they call. A page without an
//! island brings none of it. The island of the messages is leptos-flash's.

mod browser_buttons;
mod fetch_button;

pub use browser_buttons::{ShowButton, WorkButtons};
pub use fetch_button::{FetchButton, PushByFetch};
