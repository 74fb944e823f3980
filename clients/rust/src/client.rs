//! The client: one registry's address, the connections to it, the limits of every call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ClientError;
use crate::address::Address;

/// How long making a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a whole call may take, from looking up the name to the last byte of the answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a submission is sent in all, if the registry asks for it or the connection breaks.
pub const ATTEMPTS_MAX: u32 = 4;

/// How long to wait after a broken connection, before the second attempt; doubled before each later one.
/// 250 + 500 + 1,000 ms: who gave a wrong address learns it within two seconds.
pub const PAUSE_AFTER_BROKEN_CONNECTION: Duration = Duration::from_millis(250);

/// The longest `Retry-After` that is waited for; who asks for more is told of by the error.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 30;

/// How many idle connections are kept, for callers that share a client between threads.
const IDLE_CONNECTIONS_MAX: usize = 1_024;

/// A client of one registry. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) address: Address,
    pub(crate) agent: ureq::Agent,
    /// How to let time pass; a test counts instead.
    pub(crate) pause: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Client {
    /// A client of the registry at an address, for example `https://registry.example`. It makes no call.
    ///
    /// Redirects are not followed, for a submission could be lost on the way: the error names the new
    /// address. A proxy is taken from the environment, except to this machine.
    ///
    /// # Errors
    /// [`ClientError::Url`]: no scheme, no host, a query, a user name.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        let address = Address::parse(base_url)?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .user_agent(concat!("undersigned-client/", env!("CARGO_PKG_VERSION")));
        let config = if address.is_loopback() { config.proxy(None) } else { config };
        Ok(Self { address, agent: config.build().new_agent(), pause: Arc::new(std::thread::sleep) })
    }

    /// The same client with another way to wait between two attempts.
    #[must_use]
    pub fn with_pause(self, pause: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { pause: Arc::new(pause), ..self }
    }

    /// The address of the registry, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.address.as_str()
    }

    /// Does something that may be done again, until it succeeds, or fails for good, or
    /// [`ATTEMPTS_MAX`] times.
    pub(crate) fn repeated<A>(
        &self,
        mut attempt: impl FnMut() -> Result<A, ClientError>,
    ) -> Result<A, ClientError> {
        let mut after_broken = PAUSE_AFTER_BROKEN_CONNECTION;
        for _ in 1..ATTEMPTS_MAX {
            let error = match attempt() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.retry_after() {
                Some(wait) if wait <= Duration::from_secs(RETRY_AFTER_SECONDS_MAX) => (self.pause)(wait),
                None if error.is_broken_connection() => {
                    (self.pause)(after_broken);
                    after_broken = after_broken.saturating_mul(2);
                }
                _ => return Err(error),
            }
        }
        attempt()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}
