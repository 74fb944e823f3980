//! Who asks: the address of a client, through proxies that are trusted, and the group it counts in.
//!
//! Follows RFC 7239 (`Forwarded`) and the custom of `X-Forwarded-For`. Each proxy adds the address that it
//! sees at the right end, so the list is read from the right as long as it names trusted proxies; what
//! stands further left was sent by the client and may be invented.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Limits, ProxyHeader};

/// Those who count as one: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group(IpAddr);

impl Group {
    /// The group of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & (u128::MAX << 64);
                Self(IpAddr::V6(Ipv6Addr::from_bits(prefix)))
            }
        }
    }
}

impl Limits {
    /// Whether an address is that of a trusted proxy.
    #[must_use]
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }

    /// The client's address: the peer's, or what a trusted peer says in the lines of its header, in their
    /// order. A line that cannot be read makes it the peer's own.
    #[must_use]
    pub fn client<'a>(&self, peer: IpAddr, lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> IpAddr {
        if !self.is_trusted_proxy(peer) {
            return peer;
        }
        let mut nearest = peer;
        for line in lines.rev() {
            let Ok(line) = std::str::from_utf8(line) else { return peer };
            for element in elements(line).rev() {
                let said = match self.proxy_header {
                    ProxyHeader::XForwardedFor => node(element.trim()),
                    ProxyHeader::Forwarded => forwarded_for(element).and_then(node),
                };
                match said {
                    Some(address) if self.is_trusted_proxy(address) => nearest = address,
                    Some(address) => return address,
                    None => return peer,
                }
            }
        }
        nearest
    }
}

impl ProxyHeader {
    /// The name of the header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// The parts between commas that do not stand in quotes.
fn elements(line: &str) -> std::vec::IntoIter<&str> {
    split(line, ',').into_iter()
}

fn split(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(|letter| {
        let was_escaped = std::mem::replace(&mut is_escaped, false);
        match letter {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => return letter == separator && !is_quoted,
        }
        false
    })
    .collect()
}

/// The value of `for` in one element of `Forwarded`; each name stands once.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut found = None;
    for pair in split(element, ';') {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = found?;
    match value.strip_prefix('"') {
        // An address has nothing in it that would be escaped.
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// An address, with or without a port. `unknown` and hidden names (`_x`) are none.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(inside) => IpAddr::V6(inside.parse().ok()?),
        None => match text.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(proxy_header: ProxyHeader) -> Limits {
        let trusted_proxies =
            ["127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48"].map(|text| text.parse().expect("one"));
        Limits { trusted_proxies: trusted_proxies.to_vec(), proxy_header, ..Limits::default() }
    }

    fn check(proxy_header: ProxyHeader, peer: &str, lines: &[&str]) -> String {
        let lines = lines.iter().map(|line| line.as_bytes());
        limits(proxy_header).client(peer.parse().expect("an address"), lines).to_string()
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            assert_eq!(check(header, "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
            assert_eq!(check(header, "192.0.2.1", &["for=198.51.100.7"]), "192.0.2.1");
            assert_eq!(check(header, "127.0.0.1", &[]), "127.0.0.1");
        }
        assert_eq!(
            Limits::default()
                .client("127.0.0.1".parse().expect("one"), [&b"192.0.2.1"[..]].into_iter())
                .to_string(),
            "127.0.0.1"
        );
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_counts() {
        use ProxyHeader::{Forwarded, XForwardedFor};
        for (lines, client) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
            (&["invented by the client, 198.51.100.7 , 10.1.2.3"], "198.51.100.7"),
            (&["1.2.3.4", "198.51.100.7", "10.1.2.3"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            // All are proxies: the one that is furthest away.
            (&["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        ] {
            assert_eq!(check(XForwardedFor, "127.0.0.1", lines), client, "{lines:?}");
        }
        for (lines, client) in [
            (&["for=198.51.100.7"][..], "198.51.100.7"),
            (&["for=1.2.3.4, For=\"198.51.100.7:4711\";proto=https;by=10.0.0.1"], "198.51.100.7"),
            (&["for=\"[2001:db8::1]\", for=10.1.2.3"], "2001:db8::1"),
            (&["by=\"a,b\\\";for=1.2.3.4\";for=\"[2001:db8::1]:80\""], "2001:db8::1"),
            (&["for=1.2.3.4", "for=198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(check(Forwarded, "10.0.0.1", lines), client, "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_proxy_itself() {
        for line in [
            "",
            "unknown",
            "198.51.100.7, ",
            "198.51.100.7;",
            "1.2.3",
            "[2001:db8::1",
            "198.51.100.7, unknown",
        ] {
            assert_eq!(check(ProxyHeader::XForwardedFor, "127.0.0.1", &[line]), "127.0.0.1", "{line:?}");
        }
        for line in [
            "",
            "for=unknown",
            "for=_hidden",
            "198.51.100.7",
            "for=\"198.51.100.7",
            "for=198.51.100.7;for=1.2.3.4",
            "proto=https",
        ] {
            assert_eq!(check(ProxyHeader::Forwarded, "127.0.0.1", &[line]), "127.0.0.1", "{line:?}");
        }
        let bytes: &[u8] = b"198.51.100.7\xff";
        let limits = limits(ProxyHeader::XForwardedFor);
        assert_eq!(
            limits.client("10.0.0.1".parse().expect("one"), [bytes].into_iter()).to_string(),
            "10.0.0.1"
        );
    }

    #[test]
    fn one_household_is_one_group() {
        let group = |text: &str| Group::of(text.parse().expect("an address"));
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff::9"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
    }
}
