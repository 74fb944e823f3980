//! Load for whole programs: the generator of `undersigned bench`, and what it sends, made before it begins.

use std::net::SocketAddr;
use std::ops::Range;
use std::thread;

use undersigned_registry::id::RegistryId;

use super::party_named;

pub(crate) use generator::*;

#[path = "../../src/cli/bench/load.rs"]
mod generator;

/// The status of an answer that is a receipt of a new entry.
pub(crate) const RECEIPT: u16 = 201;

/// A whole `POST` of a body.
pub(crate) fn post(address: SocketAddr, path: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Parties that enter under the keys of these numbers, signed on all cores.
pub(crate) fn entering(registry: &RegistryId, numbers: Range<u64>, address: SocketAddr) -> Requests {
    let workers = u64::try_from(thread::available_parallelism().map_or(1, usize::from)).unwrap();
    let share = (numbers.end - numbers.start).div_ceil(workers);
    let mut requests = Requests::default();
    thread::scope(|scope| {
        let signing: Vec<_> = (0..workers)
            .map(|worker| {
                let from = numbers.start + worker * share;
                let to = (from + share).min(numbers.end);
                scope.spawn(move || {
                    let sign = |number: u64| {
                        party_named(registry, number, &format!("Organisation {}", number / 64)).0.encode()
                    };
                    (from..to)
                        .map(|number| post(address, "/v1/entries", "application/json", &sign(number)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for signed in signing {
            signed.join().unwrap().iter().for_each(|request| requests.push(request));
        }
    });
    requests
}
