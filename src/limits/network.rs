//! A network as an operator writes it: an address, or an address and the length of its prefix.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One address or all that begin as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// Not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address and no network\nwrite it as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32; names are not looked up"
)]
pub struct NetworkError(String);

impl Network {
    /// Whether an address is in it. An IPv4 address inside IPv6 (`::ffff:192.0.2.7`) is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse::<IpNet>(),
        };
        network.map(Self).map_err(|_| NetworkError(text.to_owned()))
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str) -> bool {
        let network: Network = network.parse().expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn addresses_are_in_their_network_and_no_other() {
        assert!(check("127.0.0.1", "127.0.0.1") && !check("127.0.0.1", "127.0.0.2"));
        assert!(check("127.0.0.1", "::ffff:127.0.0.1") && check("::ffff:127.0.0.1", "127.0.0.1"));
        assert!(check("10.0.0.0/8", "10.255.0.1") && !check("10.0.0.0/8", "11.0.0.1"));
        assert!(check("2001:db8::/32", "2001:db8:1::1") && !check("2001:db8::/32", "2001:db9::1"));
        assert!(!check("0.0.0.0/0", "::1") && !check("::/0", "127.0.0.1"));
    }

    #[test]
    fn names_and_broken_networks_are_refused() {
        for text in
            ["", "localhost", "10.0.0.0/33", "10.0.0/8", "2001:db8::/129", "127.0.0.1:80", "[::1]", " ::1"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
