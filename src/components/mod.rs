//! All that the browser runs: the islands, and the server functions that they call. A page without an
//! island brings none of it.

mod fetch_button;
mod flash;

pub use fetch_button::{FetchButton, PushByFetch};
pub use flash::{FlashGroup, MAX_MESSAGES};
