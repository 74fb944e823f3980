//! Reads fixed pieces from the front of a byte slice. Nothing is read past its end; nothing is interpreted.

/// The next `length` bytes, or nothing if fewer are left.
pub(super) fn bytes<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(head)
}

/// The next `N` bytes, or nothing if fewer are left.
pub(super) fn array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}
