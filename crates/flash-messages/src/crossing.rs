//! Messages that travel with a response, without a page load: in a header, as many as fit.

use http::{HeaderMap, HeaderValue};
use pg_sessions::caching::set_no_store;

use crate::{
    lease::Lease,
    message::FlashMessage,
    wire::{CALL_HEADER, MORE_HEADER},
};

/// nginx refuses response headers over 4 or 8 KB by default, and ours are not alone.
const MAX_BYTES: usize = 2500;

/// Puts pushed messages into the response's header. Those that don't fit are given back, and the
/// browser is told to ask for them.
pub(crate) async fn cross(
    mut travelling: Lease,
    mut pushed: Vec<FlashMessage>,
    headers: &mut HeaderMap,
) {
    // Another page may have taken some, if the call took very long.
    pushed.retain(|message| message.sticky || travelling.holds(message.id));
    let (value, fits) = header(&pushed);
    let (crossing, staying) = pushed.split_at(fits);
    let staying = travelling.split(|id| staying.iter().all(|message| message.id != id));
    if !staying.is_empty() {
        staying.give_back().await;
        headers.insert(MORE_HEADER, HeaderValue::from_static("1"));
    }
    if !crossing.is_empty() {
        match HeaderValue::from_str(&value) {
            Ok(value) => {
                headers.insert(CALL_HEADER, value);
                set_no_store(headers);
                travelling.leave_to_client();
            }
            Err(_) => travelling.give_back().await,
        }
    }
}

/// Returns the messages that fit as a JSON array, and how many they are.
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

/// Returns JSON that a header can carry: all but printable ASCII is escaped.
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
