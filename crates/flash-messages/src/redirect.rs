//! Checks that redirects and links stay on this site.

/// Returns whether a redirect or a link to `target` stays on this site.
///
/// The target must start with exactly one `/` and consist of printable ASCII. Browsers read `//host` and
/// `/\host` as another site. They remove tabs and line breaks before that
/// (<https://url.spec.whatwg.org/#concept-basic-url-parser>).
///
/// ```
/// use flash_messages::is_local;
///
/// assert!(is_local("/race?lap=2#finish"));
/// for target in ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:x", "/\t/x"] {
///     assert!(!is_local(target));
/// }
/// ```
pub fn is_local(target: &str) -> bool {
    let mut bytes = target.bytes();
    bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && target.bytes().all(|byte| byte.is_ascii_graphic())
}
