//! Addresses: the registry's own, checked once, and those under it.

use std::fmt::Write as _;

use crate::ClientError;

/// The address of a registry: `http` or `https`, a host, perhaps a path; without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    base: String,
    is_loopback: bool,
}

impl Address {
    /// Reads an address. A missing scheme is an error, for guessing `http` would give away what was meant
    /// to be `https`.
    pub(crate) fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = |what| ClientError::Url { url: text.to_owned(), what };
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(wrong("it has a space or a character that is not ASCII"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| wrong("it does not say http:// or https://"))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(wrong("it is neither http:// nor https://"));
        }
        if rest.contains(['?', '#']) {
            return Err(wrong("it has a query or a fragment"));
        }
        let base = format!("{scheme}://{}", rest.trim_end_matches('/'));
        let uri: ureq::http::Uri = base.parse().map_err(|_| wrong("it cannot be read"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            // Not repeated, for it may hold a password.
            return Err(ClientError::Url { url: "(hidden)".to_owned(), what: "it has a user name in it" });
        }
        let host = authority.host();
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let is_loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        Ok(Self { base, is_loopback })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether it is this machine, where no proxy can help.
    pub(crate) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// The address of a path under it; the path is taken as it is.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}/{}", self.base, path.trim_start_matches('/'))
    }
}

/// One segment of a path, or one value of a query, percent-encoded: whatever a person typed stays one.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        for (text, base, is_loopback) in [
            ("https://registry.example", "https://registry.example", false),
            ("HTTPS://registry.example/", "https://registry.example", false),
            ("http://localhost:8080//", "http://localhost:8080", true),
            ("http://127.0.0.1:1/log/", "http://127.0.0.1:1/log", true),
            ("http://[::1]:8080", "http://[::1]:8080", true),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((address.as_str(), address.is_loopback()), (base, is_loopback));
        }
        let address = Address::parse("http://localhost/log/").expect("an address");
        assert_eq!(address.join("/checkpoint"), "http://localhost/log/checkpoint");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_next_step() {
        for text in [
            "",
            "registry.example",
            "localhost:8080",
            "ftp://registry.example",
            "http://",
            "http:///v1",
            "http://a b",
            "http://a/?x=1",
            "http://a/#x",
            "https://registr\u{fc}.example",
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.to_string().contains("\nwrite it in full"), "{error}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let error = Address::parse("https://me:secret@registry.example").expect_err("a user");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_segment_stays_a_segment() {
        assert_eq!(encoded("climate-accord"), "climate-accord");
        assert_eq!(encoded("a/b?c#d e%"), "a%2Fb%3Fc%23d%20e%25");
    }
}
