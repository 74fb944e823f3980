//! What a slug, a domain and a language tag look like: rules EV-11, EV-12 and EV-29.

/// The longest slug in bytes.
pub const SLUG_BYTES_MAX: usize = 64;
/// The longest domain in bytes (RFC 1035 section 2.3.4, without the trailing dot).
pub const DOMAIN_BYTES_MAX: usize = 253;

/// Whether a text is a slug: 1 to 64 of `a-z`, `0-9` and single hyphens between them.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    (1..=SLUG_BYTES_MAX).contains(&text.len())
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// Whether a text is a domain in the form of the log: lower-case A-labels, at least two of them.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    text.len() <= DOMAIN_BYTES_MAX
        && text.contains('.')
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// Whether a text is a language tag of the format: language (2 or 3 letters), then perhaps a script
/// (`Hant`), then perhaps a region (`BR` or `419`), after RFC 5646.
#[must_use]
pub fn is_language(text: &str) -> bool {
    let mut parts = text.split('-').peekable();
    let primary = parts.next().is_some_and(|part| {
        (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    parts.next_if(|part| {
        part.len() == 4
            && part.bytes().enumerate().all(|(position, byte)| {
                if position == 0 { byte.is_ascii_uppercase() } else { byte.is_ascii_lowercase() }
            })
    });
    parts.next_if(|part| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_uppercase()))
            || (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    primary && parts.next().is_none()
}
