//! What server and browser call the same.

/// Asks for messages in the response, and says what the page does on a redirect: `islands` loads
/// the next page, `app` navigates in place, `take` wants nothing but the messages.
pub const CALL_HEADER: &str = "x-flash";

/// In a response: more messages wait than fit into the header.
pub const MORE_HEADER: &str = "x-flash-more";

/// A cookie with this prefix and the id of a message says that the browser has shown it.
pub const SHOWN_COOKIE: &str = "flash-";
