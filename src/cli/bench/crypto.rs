//! How many Ed25519 signatures one core checks in a second: the floor under every other figure.

use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use undersigned_tlog::hash::sha256;

/// How many different keys and messages take turns.
const KEYS: u64 = 256;
/// Bytes of a message: an endorsement's event has about as many.
const MESSAGE_BYTES: usize = 450;
/// How long one measurement takes.
const WINDOW: Duration = Duration::from_millis(400);
/// The median of so many is the figure.
const WINDOWS: usize = 5;

/// Strict checks a second on one core, of decoded keys: the median of five windows.
pub(super) fn strict_checks_per_second() -> f64 {
    let signed: Vec<(VerifyingKey, Vec<u8>, Signature)> = (0..KEYS)
        .map(|number| {
            let seed = sha256(&[b"undersigned bench signature", &number.to_be_bytes()]);
            let key = SigningKey::from_bytes(seed.as_bytes());
            let message = seed.as_bytes().iter().copied().cycle().take(MESSAGE_BYTES).collect::<Vec<u8>>();
            let signature = key.sign(&message);
            (key.verifying_key(), message, signature)
        })
        .collect();
    let mut rates: Vec<f64> = (0..WINDOWS).map(|_| window(&signed)).collect();
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(WINDOWS / 2).copied().unwrap_or_default()
}

fn window(signed: &[(VerifyingKey, Vec<u8>, Signature)]) -> f64 {
    let begun = Instant::now();
    let mut checks = 0u32;
    while begun.elapsed() < WINDOW {
        for (key, message, signature) in signed {
            let held = std::hint::black_box(key).verify_strict(message, signature).is_ok();
            assert!(held, "a signature that was just made holds");
            checks = checks.saturating_add(1);
        }
    }
    f64::from(checks) / begun.elapsed().as_secs_f64()
}
