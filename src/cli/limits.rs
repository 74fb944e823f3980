//! The limits at the door as options of `serve`: one for each setting, under its name.

use crate::limits::{Limits, Network, ProxyHeader};

/// What is not given keeps its default.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Limits (0 is none)")]
pub(super) struct LimitArgs {
    /// Requests to write from one address (IPv6: one /64), per minute [default: 600]
    #[arg(long, value_name = "N", env = "UNDERSIGNED_ADDRESS_WRITES_PER_MINUTE")]
    address_writes_per_minute: Option<u32>,
    /// Submissions from one address under unknown keys, per hour [default: 256]
    #[arg(long, value_name = "N", env = "UNDERSIGNED_ADDRESS_NEWCOMERS_PER_HOUR")]
    address_newcomers_per_hour: Option<u32>,
    /// Submissions of one organisation, per minute [default: 240]
    #[arg(long, value_name = "N", env = "UNDERSIGNED_ORGANISATION_WRITES_PER_MINUTE")]
    organisation_writes_per_minute: Option<u32>,
    /// Looks at withdrawals from an address over its limit, per minute [default: 600]
    #[arg(long, value_name = "N", env = "UNDERSIGNED_ADDRESS_WITHDRAWAL_LOOKS_PER_MINUTE")]
    address_withdrawal_looks_per_minute: Option<u32>,
    /// Bytes of all bodies that are arriving [default: 134217728]
    #[arg(long, value_name = "BYTES", env = "UNDERSIGNED_ARRIVING_BYTES_MAX")]
    arriving_bytes_max: Option<u64>,
    /// Bytes of bodies that are arriving from one address [default: 33554432]
    #[arg(long, value_name = "BYTES", env = "UNDERSIGNED_ADDRESS_ARRIVING_BYTES_MAX")]
    address_arriving_bytes_max: Option<u64>,
    /// Connections at a time [default: 2048]
    #[arg(long, value_name = "N", env = "UNDERSIGNED_CONNECTIONS_MAX")]
    connections_max: Option<u32>,
    /// Connections from one address at a time [default: 1024]
    #[arg(long, value_name = "N", env = "UNDERSIGNED_ADDRESS_CONNECTIONS_MAX")]
    address_connections_max: Option<u32>,
    /// Proxies whose word about the client's address is believed; none unless given
    #[arg(long, value_name = "NETWORK,...", value_delimiter = ',', env = "UNDERSIGNED_TRUSTED_PROXIES")]
    trusted_proxies: Vec<Network>,
    /// The header in which they say it
    #[arg(long, value_enum, default_value = "x-forwarded-for", env = "UNDERSIGNED_PROXY_HEADER")]
    proxy_header: ProxyHeader,
}

impl LimitArgs {
    pub(super) fn limits(&self) -> Limits {
        let defaults = Limits::default();
        Limits {
            address_writes_per_minute: self
                .address_writes_per_minute
                .unwrap_or(defaults.address_writes_per_minute),
            address_newcomers_per_hour: self
                .address_newcomers_per_hour
                .unwrap_or(defaults.address_newcomers_per_hour),
            organisation_writes_per_minute: self
                .organisation_writes_per_minute
                .unwrap_or(defaults.organisation_writes_per_minute),
            address_withdrawal_looks_per_minute: self
                .address_withdrawal_looks_per_minute
                .unwrap_or(defaults.address_withdrawal_looks_per_minute),
            arriving_bytes_max: self.arriving_bytes_max.unwrap_or(defaults.arriving_bytes_max),
            address_arriving_bytes_max: self
                .address_arriving_bytes_max
                .unwrap_or(defaults.address_arriving_bytes_max),
            connections_max: self.connections_max.unwrap_or(defaults.connections_max),
            address_connections_max: self.address_connections_max.unwrap_or(defaults.address_connections_max),
            trusted_proxies: self.trusted_proxies.clone(),
            proxy_header: self.proxy_header,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn what_is_not_given_keeps_its_default_and_the_help_says_which() {
        let none = Program::parse_from(["x"]).limits;
        assert_eq!(none.limits(), Limits::default());
        let some = ["x", "--address-writes-per-minute", "0", "--trusted-proxies", "127.0.0.1,10.0.0.0/8"];
        let some = Program::parse_from(some).limits.limits();
        assert_eq!((some.address_writes_per_minute, some.trusted_proxies.len()), (0, 2));
        assert!(Program::try_parse_from(["x", "--trusted-proxies", "proxy.example"]).is_err());
        let help = <Program as clap::CommandFactory>::command().render_help().to_string();
        let defaults = serde_json::to_value(Limits::default()).expect("JSON");
        for (name, value) in defaults.as_object().expect("an object") {
            assert!(help.contains(&format!("--{}", name.replace('_', "-"))), "{name} is an option");
            let said = format!("[default: {}]", value.to_string().trim_matches('"'));
            assert!(!value.is_number() || help.contains(&said), "{name} {said}");
        }
    }
}
