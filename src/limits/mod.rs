//! Limits at the door: how much one address, one organisation and all together may ask of a registry.
//!
//! [`Limits`] is what an operator may set; [`SharedLimits`] is the set in force, which can be replaced
//! while the program runs. Nothing here knows HTTP: who asks gives an address and is told yes or when.
//!
//! Not here: limits on the size of a request, an entry or a queue (they belong to the format and do not
//! change), and the times of a connection (`read::accept`).

mod arriving;
mod client;
mod door;
mod network;
mod owners;
mod rates;

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

pub use arriving::{Arriving, Body, NoRoom};
pub use client::Group;
pub use door::{Door, Share};
pub use network::{Network, NetworkError};
pub use owners::Owners;
pub use rates::{KEYS_MAX, Rate, Rates};

/// What an operator may set. In every number 0 means: no limit of this kind.
///
/// A rate of N per minute lets N come at once and then one more every N-th part of a minute.
/// An address is an IPv4 address or the /64 of an IPv6 address, as one household or server has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests to write (`POST`) from one address, per minute. Checked before the body is read.
    ///
    /// 600: in an office 64 organisations behind one address may each prepare and submit four events in
    /// the same minute (512), and a client that is refused comes again a moment later.
    #[arg(long, value_name = "N", default_value_t = Limits::default().address_writes_per_minute, env = "UNDERSIGNED_ADDRESS_WRITES_PER_MINUTE")]
    pub address_writes_per_minute: u32,
    /// Submissions from one address, per hour, that are signed by keys which the registry does not know:
    /// parties that enter, and events of strangers. Checked after their signatures.
    ///
    /// 256: the same 64 organisations may enter within one hour, and again after three mistakes each.
    #[arg(long, value_name = "N", default_value_t = Limits::default().address_newcomers_per_hour, env = "UNDERSIGNED_ADDRESS_NEWCOMERS_PER_HOUR")]
    pub address_newcomers_per_hour: u32,
    /// Entries of one organisation, per minute, whatever address they come from. Checked after their
    /// signatures, so that nobody uses up the share of another; what is refused, or was in the log before,
    /// counts for its address alone, because everybody has the signed events of everybody.
    ///
    /// 240: a person signs a few; a tool that endorses a long list of statements signs four per second.
    #[arg(long, value_name = "N", default_value_t = Limits::default().organisation_writes_per_minute, env = "UNDERSIGNED_ORGANISATION_WRITES_PER_MINUTE")]
    pub organisation_writes_per_minute: u32,
    /// Withdrawals from one address, per minute, that are looked at although the address is over its
    /// limit and that then turn out not to be exempt. A withdrawal that is one is never counted.
    ///
    /// 600: as many as other requests to write; a look costs one signature check, some 40 us.
    #[arg(long, value_name = "N", default_value_t = Limits::default().address_withdrawal_looks_per_minute, env = "UNDERSIGNED_ADDRESS_WITHDRAWAL_LOOKS_PER_MINUTE")]
    pub address_withdrawal_looks_per_minute: u32,
    /// Bodies that are arriving at the same time, all together, in bytes.
    ///
    /// 128 MiB: 42 statements of the largest size (3 MiB), or more signatures than connections.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().arriving_bytes_max, env = "UNDERSIGNED_ARRIVING_BYTES_MAX")]
    pub arriving_bytes_max: u64,
    /// The part of them that one address may have, in bytes.
    ///
    /// 32 MiB: a quarter, ten statements of the largest size.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().address_arriving_bytes_max, env = "UNDERSIGNED_ADDRESS_ARRIVING_BYTES_MAX")]
    pub address_arriving_bytes_max: u64,
    /// Connections at a time. When all are taken, the one that has waited longest for its client, of the
    /// address that has most, makes room for a newcomer. Each needs a descriptor.
    ///
    /// 2,048: 1,024 busy clients, as many browsers and witnesses again, within 4,096 descriptors together
    /// with files.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections_max, env = "UNDERSIGNED_CONNECTIONS_MAX")]
    pub connections_max: u32,
    /// Connections from one address at a time; a trusted proxy is exempt.
    ///
    /// 1,024: half of all. A proxy that nobody has told us about still serves a thousand clients.
    #[arg(long, value_name = "N", default_value_t = Limits::default().address_connections_max, env = "UNDERSIGNED_ADDRESS_CONNECTIONS_MAX")]
    pub address_connections_max: u32,
    /// Addresses or networks (`192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`) of proxies whose word about the
    /// client's address is believed. None unless set.
    #[arg(long, value_name = "NETWORK,...", value_delimiter = ',', env = "UNDERSIGNED_TRUSTED_PROXIES")]
    pub trusted_proxies: Vec<Network>,
    /// The one header in which those proxies say it. They must set it or add to it in every request; the
    /// other header is never read, because a client may have sent it through them.
    #[arg(long, value_enum, default_value = "x-forwarded-for", env = "UNDERSIGNED_PROXY_HEADER")]
    pub proxy_header: ProxyHeader,
}

/// In which header a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, the custom of most proxies.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address_writes_per_minute: 600,
            address_newcomers_per_hour: 256,
            organisation_writes_per_minute: 240,
            address_withdrawal_looks_per_minute: 600,
            arriving_bytes_max: 128 << 20,
            address_arriving_bytes_max: 32 << 20,
            connections_max: 2_048,
            address_connections_max: 1_024,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
        }
    }
}

impl Limits {
    /// No limit on rates and on connections of one address: for benchmarks and tests that come from one
    /// place. Memory stays bounded.
    #[must_use]
    pub fn without_rates() -> Self {
        Self {
            address_writes_per_minute: 0,
            address_newcomers_per_hour: 0,
            organisation_writes_per_minute: 0,
            address_withdrawal_looks_per_minute: 0,
            address_arriving_bytes_max: 0,
            address_connections_max: 0,
            ..Self::default()
        }
    }
}

/// The limits in force. All who hold it see a replacement at their next look.
#[derive(Debug, Default)]
pub struct SharedLimits {
    /// Held for a clone or a swap of the pointer only.
    current: RwLock<Arc<Limits>>,
}

impl SharedLimits {
    /// These limits, in force from now on.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { current: RwLock::new(Arc::new(limits)) }
    }

    /// What is in force.
    #[must_use]
    pub fn current(&self) -> Arc<Limits> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other limits in force. What was used up under the old ones stays used up.
    pub fn replace(&self, limits: Limits) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_stable_names_and_strange_ones_are_refused() {
        let given = serde_json::json!({
            "address_writes_per_minute": 60,
            "trusted_proxies": ["127.0.0.1", "2001:db8::/32"],
            "proxy_header": "forwarded",
        });
        let limits: Limits = serde_json::from_value(given).expect("limits");
        let expected = Limits {
            address_writes_per_minute: 60,
            trusted_proxies: ["127.0.0.1/32", "2001:db8::/32"]
                .map(|text| text.parse().expect("one"))
                .to_vec(),
            proxy_header: ProxyHeader::Forwarded,
            ..Limits::default()
        };
        assert_eq!(limits, expected, "what is not set keeps its default");
        for strange in [
            serde_json::json!({"address_writes_per_second": 1}),
            serde_json::json!({"address_writes_per_minute": -1}),
            serde_json::json!({"trusted_proxies": ["proxy.example"]}),
            serde_json::json!({"proxy_header": "via"}),
        ] {
            assert!(serde_json::from_value::<Limits>(strange.clone()).is_err(), "{strange}");
        }
    }

    #[test]
    fn a_replacement_is_seen_by_all() {
        let shared = Arc::new(SharedLimits::default());
        let other = Arc::clone(&shared);
        assert_eq!(*shared.current(), Limits::default());
        shared.replace(Limits::without_rates());
        assert_eq!(*other.current(), Limits::without_rates());
    }
}
