//! The header and cookie names that server and browser share.

/// In a request, this header asks for the messages that the call pushes. Its value says what the page
/// does with them:
///
/// | value | meaning |
/// |---|---|
/// | `islands` | The page shows the messages. The browser loads the next page on a redirect. |
/// | `app` | The page shows the messages. The app's router follows a redirect in place. |
/// | `take` | The request wants the messages that wait, and nothing else. |
///
/// A page without a list of messages does not send it. In a response, it has the messages as JSON.
pub const CALL_HEADER: &str = "x-flash";

/// In a response: not all messages fit into the header, more of them wait.
pub const MORE_HEADER: &str = "x-flash-more";

/// In a response: the messages that the request's cookie notes are deleted.
pub const NOTED_HEADER: &str = "x-flash-noted";

/// The browser notes in the cookie `flash-<scope>` which messages of a session it has shown. The value
/// has 40 entries at most, the newest last, joined by `-`. An entry is
/// `<message id>.<milliseconds since 1970, in base 36>`.
///
/// These parts write it:
/// - leptos-flash's `note_shown.js`, before WASM has loaded;
/// - leptos-flash's `browser/notes.rs`, after that;
/// - the server, which removes the ids that a form without JavaScript asks back.
pub const SHOWN_COOKIE: &str = "flash-";

/// In a response: hydrated code must follow the redirect itself (server_fn 0.8, `redirect`).
pub const REDIRECT_HEADER: &str = "serverfnredirect";
