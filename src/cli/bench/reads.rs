//! How fast the running server answers those who check: proofs of four kinds, and tiles of hashes.
//!
//! After the rows and once the index has caught up, over HTTP on loopback with the same lean client.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use undersigned_tlog::tile::{TilePath, tiles_of};
use undersigned_tlog::tree::TreeSize;

use super::super::CliError;
use super::load::{self, Requests};
use super::population::Population;
use super::proved::Verifier;

/// How many clients read at a time.
const CLIENTS: usize = 64;
/// How long each kind is read.
pub(super) const READ_TIME: Duration = Duration::from_secs(3);
/// How many different addresses of a kind take turns at most.
const ADDRESSES_MAX: u64 = 4_096;
/// Steps through the log that go everywhere and never the same way twice: a prime.
const STRIDE: u64 = 2_654_435_761;

/// Proofs a second, by kind.
#[derive(Debug, Serialize)]
pub(super) struct Proofs {
    pub(super) inclusion: f64,
    pub(super) consistency: f64,
    pub(super) count: f64,
    pub(super) absent: f64,
}

/// Reads a second.
#[derive(Debug)]
pub(super) struct Reads {
    pub(super) proofs: Proofs,
    pub(super) tiles: f64,
}

/// Reads each kind for a time, of a tree of this size that does not grow meanwhile.
pub(super) fn measure(
    address: SocketAddr,
    population: &Population,
    size: TreeSize,
    time: Duration,
) -> Result<Reads, CliError> {
    let rate = |paths: Vec<String>| {
        let mut requests = Requests::default();
        paths.iter().for_each(|path| requests.push_get(address, path));
        load::reads(address, requests, CLIENTS, time)
    };
    let verifier = Verifier::new(population, size)?;
    let places = || (0..ADDRESSES_MAX).map(|number| number.wrapping_mul(STRIDE) % size.get().max(1));
    let turns = usize::try_from(ADDRESSES_MAX).unwrap_or(usize::MAX);

    let (inclusion, proof) =
        rate(places().map(|index| format!("/v1/proof/inclusion?index={index}")).collect())?;
    verifier.inclusion(&proof)?;
    let sizes = places().map(|index| index.saturating_add(1));
    let (consistency, proof) =
        rate(sizes.map(|from| format!("/v1/proof/consistency?from={from}")).collect())?;
    verifier.consistency(&proof)?;

    let ask = "/v1/proof/state?question";
    let versions = population.versions().iter();
    let (count, proof) = rate(versions.map(|version| format!("{ask}=count&version={version}")).collect())?;
    verifier.state(&proof)?;
    let (version, parties) =
        population.absent().ok_or_else(|| CliError::fault("there is no version to prove absence of"))?;
    let parties = parties.iter().take(turns);
    let (absent, proof) =
        rate(parties.map(|party| format!("{ask}=absent&version={version}&party={party}")).collect())?;
    verifier.state(&proof)?;

    let tiles = tiles_of(size).map(|(coordinate, width)| TilePath::Hashes { coordinate, width });
    let (tiles, _) = rate(tiles.take(turns).map(|path| format!("/{path}")).collect())?;
    Ok(Reads { proofs: Proofs { inclusion, consistency, count, absent }, tiles })
}
