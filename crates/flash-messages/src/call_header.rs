//! Sends pushed messages to hydrated code, in a header of the response to its call.

use http::{HeaderMap, HeaderValue};
use pg_sessions::caching::set_no_store;

use crate::{
    lease::Lease,
    message::FlashMessage,
    wire::{CALL_HEADER, MORE_HEADER},
};

/// Maximum length of the header. By default nginx refuses responses whose headers together have more than
/// 4 or 8 KB.
const MAX_BYTES: usize = 2500;

/// Adds pushed messages to the response's headers. If not all of them fit, the rest waits again, and
/// another header tells the browser to ask for it.
pub(crate) async fn send_in_header(
    mut lease: Lease,
    mut pushed: Vec<FlashMessage>,
    headers: &mut HeaderMap,
) {
    // If the call took longer than the lease, another page may have taken some.
    pushed.retain(|message| message.sticky || lease.holds(message.id));
    let (value, fits) = header(&pushed);
    let (sent, rest) = pushed.split_at(fits);
    let rest = lease.split(|id| rest.iter().all(|message| message.id != id));
    if !rest.is_empty() {
        rest.give_back().await;
        headers.insert(MORE_HEADER, HeaderValue::from_static("1"));
    }
    if !sent.is_empty() {
        match HeaderValue::from_str(&value) {
            Ok(value) => {
                headers.insert(CALL_HEADER, value);
                set_no_store(headers);
                lease.leave_to_browser();
            }
            Err(_) => lease.give_back().await,
        }
    }
}

/// Returns a JSON array of the messages that fit, and their number.
fn header(messages: &[FlashMessage]) -> (String, usize) {
    let mut value = String::new();
    let fits = (messages.iter())
        .take_while(|message| {
            let json = ascii_json(message);
            let fits = value.len() + json.len() < MAX_BYTES;
            if fits {
                value.push(if value.is_empty() { '[' } else { ',' });
                value.push_str(&json);
            }
            fits
        })
        .count();
    value.push(']');
    (value, fits)
}

/// Returns a message as JSON that a header can have: all other characters than printable ASCII are escaped.
fn ascii_json(message: &FlashMessage) -> String {
    let json = serde_json::to_string(message).unwrap_or_default();
    let mut ascii = String::with_capacity(json.len());
    for char in json.chars() {
        if matches!(char, ' '..='~') {
            ascii.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    #[test]
    fn a_header_can_carry_any_text() {
        let message = FlashMessage::new(Level::Info, "Ziel 🏁 \"\u{7f}\n");
        let json = ascii_json(&message);
        assert!(HeaderValue::from_str(&json).is_ok());
        let back: FlashMessage = serde_json::from_str(&json).expect("the same message");
        assert_eq!(back, message);
    }
}
