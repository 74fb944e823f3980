//! Bit strings as the state tree counts them (docs/spec/state-tree.md, ST-3).
//!
//! Bit 0 is the highest bit of the first byte. A bit prefix is written in whole bytes, unused bits zero.
//! Nothing here hashes or decides.

use alloc::vec::Vec;

/// The longest key in bytes: one namespace byte and two ids of 32 bytes.
pub const KEY_BYTES_MAX: usize = 65;

/// The longest key in bits: 65 * 8.
pub(super) const KEY_BITS_MAX: u16 = 520;

/// The length of `bytes` in bits; what is too long to count counts as longest.
pub(super) fn bit_length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).saturating_mul(8)
}

/// The number of whole bytes that hold `bits` bits.
pub(super) fn byte_length(bits: u16) -> usize {
    usize::from(bits.div_ceil(8))
}

/// The bit at `position`; zero past the end.
pub(super) fn bit(bytes: &[u8], position: u16) -> bool {
    let byte = bytes.get(usize::from(position / 8)).copied().unwrap_or(0);
    (byte >> (7 - position % 8)) & 1 == 1
}

/// How many leading bits `left` and `right` have in common.
pub(super) fn common_bits(left: &[u8], right: &[u8]) -> u16 {
    let mut common: u16 = 0;
    for (a, b) in left.iter().zip(right) {
        let differing = a ^ b;
        if differing != 0 {
            return common.saturating_add(u16::try_from(differing.leading_zeros()).unwrap_or(8));
        }
        common = common.saturating_add(8);
    }
    common
}

/// Appends the first `bits` bits of `bytes` in whole bytes, unused bits zero.
pub(super) fn push_prefix(out: &mut Vec<u8>, bytes: &[u8], bits: u16) {
    let whole = usize::from(bits / 8);
    out.extend_from_slice(bytes.get(..whole).unwrap_or(bytes));
    let rest = bits % 8;
    if rest != 0 {
        let byte = bytes.get(whole).copied().unwrap_or(0);
        out.push(byte & !(0xFF_u8 >> rest));
    }
}

/// Whether `prefix` is `bits` bits in whole bytes with unused bits zero.
pub(super) fn is_canonical_prefix(prefix: &[u8], bits: u16) -> bool {
    let rest = bits % 8;
    let unused = if rest == 0 { 0 } else { 0xFF_u8 >> rest };
    prefix.len() == byte_length(bits) && prefix.last().is_none_or(|byte| byte & unused == 0)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn bit_zero_is_the_highest() {
        assert!(bit(&[0x80], 0));
        assert!(!bit(&[0x80], 1));
        assert!(bit(&[0, 0x01], 15));
        assert!(!bit(&[0xFF], 8), "past the end");
    }

    #[test]
    fn common_bits_stop_at_the_shorter() {
        assert_eq!(common_bits(&[0xF0, 1], &[0xF0]), 8);
        assert_eq!(common_bits(&[0xF0], &[0xF1]), 7);
        assert_eq!(common_bits(&[], &[1]), 0);
    }

    #[test]
    fn prefixes_have_zero_unused_bits() {
        for bits in 0..=24 {
            let mut prefix = vec![];
            push_prefix(&mut prefix, &[0xFF, 0xFF, 0xFF], bits);
            assert!(is_canonical_prefix(&prefix, bits), "{bits}");
            if bits % 8 != 0 {
                assert!(!is_canonical_prefix(&prefix, bits - 1), "{bits}");
            }
        }
    }
}
