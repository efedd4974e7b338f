//! The names that server and browser share: headers and a cookie.

/// In a request: asks for messages in the response, and says what the page does on a redirect.
/// `islands` loads the next page, `app` navigates in place, `take` wants nothing but the messages.
/// A page without a list does not send it. In a response: the messages, as JSON.
pub const CALL_HEADER: &str = "x-flash";

/// In a response: more messages wait than fit into the header.
pub const MORE_HEADER: &str = "x-flash-more";

/// In a response: the messages that the request's cookie named are deleted.
pub const NOTED_HEADER: &str = "x-flash-noted";

/// `flash-<scope>` is the cookie in which the browser notes what it has shown of a session:
/// `<id>.<milliseconds since 1970, in base 36>`, joined by `-`, the newest last, 40 at most. The
/// browser writes it: `browser/notes.rs`, and `note_shown.js` before WASM is there. The server takes ids
/// out that a form asks back.
pub const SHOWN_COOKIE: &str = "flash-";

/// In a response: a redirect that hydrated code is to follow (server_fn 0.8, redirect.rs).
pub const REDIRECT_HEADER: &str = "serverfnredirect";
