//! Tallies: what a state tree adds up from its leaves to its root (docs/spec/state-tree.md, ST-4 to ST-9).
//!
//! A tally is a sparse list of counts by column, and the smallest second at which anything below falls due.
//! It has one encoding. What a column means, and which tally a record has, is said in docs/spec/events.md and
//! decided by the caller.
//!
//! ```text
//! +-------+ count times:  +--------+--------------+  +-----------------+
//! | count |               | column | value u64 BE |  | next_due u64 BE |
//! +-------+               +--------+--------------+  +-----------------+
//!   1                       1        8                 8
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::reader;

/// The most columns a tally can have: what its one-byte count can say.
pub const COLUMNS_MAX: usize = 255;

/// The `next_due` of a tally under which nothing falls due: 2^64-1.
pub const NEVER: u64 = u64::MAX;

/// A sum does not fit: past 2^64-1 in a column, or more than [`COLUMNS_MAX`] columns (ST-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tally overflow")]
pub struct TallyOverflow;

/// Why bytes are not the encoding of a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTally {
    /// The bytes end inside the tally (ST-4).
    #[error("tally ends early")]
    Truncated,
    /// A column is not greater than the one before it (ST-5).
    #[error("tally column {column} is out of order")]
    ColumnOrder {
        /// The column that came too late or twice.
        column: u8,
    },
    /// A zero count is written out (ST-6).
    #[error("tally column {column} is written though it is zero")]
    ZeroCount {
        /// The column with the zero.
        column: u8,
    },
}

impl MalformedTally {
    /// The rule of docs/spec/state-tree.md that was broken.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Truncated => "ST-4",
            Self::ColumnOrder { .. } => "ST-5",
            Self::ZeroCount { .. } => "ST-6",
        }
    }
}

/// Counts by column, and the next due second.
///
/// Equal meaning is equal value and equal encoding: columns increase, none is zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    counts: Counts,
    next_due: u64,
}

/// The counts. They are small wherever they fit, which makes the form follow from the meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Counts {
    Small(Small),
    Large(Box<[(u8, u64)]>),
}

/// At most [`SMALL_COLUMNS_MAX`] columns of 32 bits, kept in place: nearly every tally of a tree, so that summing
/// neither allocates nor follows a pointer. What lies past `length` is zero. The values are bytes, which may stand
/// anywhere: as `u32` they would put eight bytes of nothing into every tally.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Small {
    length: u8,
    columns: [u8; SMALL_COLUMNS_MAX],
    values: [[u8; 4]; SMALL_COLUMNS_MAX],
}

/// As many as there are trust levels, and withdrawn: 1 + 6 + 6 * 4 bytes and the tag of the enum make 32.
const SMALL_COLUMNS_MAX: usize = 6;

impl Default for Tally {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Tally {
    /// Nothing counted, nothing due: what a sum starts from.
    pub const ZERO: Self = Self { counts: Counts::Small(Small::EMPTY), next_due: NEVER };

    /// One column, nothing due.
    #[must_use]
    pub fn column(column: u8, value: u64) -> Self {
        let counts: &[(u8, u64)] = if value == 0 { &[] } else { &[(column, value)] };
        Self { counts: Counts::from_sorted(counts), next_due: NEVER }
    }

    /// The same counts with another due second; [`NEVER`] for none.
    #[must_use]
    pub fn with_next_due(mut self, next_due: u64) -> Self {
        self.next_due = next_due;
        self
    }

    /// The smallest second at which anything counted here falls due, or [`NEVER`].
    #[must_use]
    pub const fn next_due(&self) -> u64 {
        self.next_due
    }

    /// The count in a column; zero where nothing is written.
    #[must_use]
    pub fn count(&self, column: u8) -> u64 {
        self.columns().find(|(found, _)| *found == column).map_or(0, |(_, value)| value)
    }

    /// The columns that are not zero, in increasing order, with their counts.
    pub fn columns(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        let (small, large) = match &self.counts {
            Counts::Small(small) => (*small, [].as_slice()),
            Counts::Large(large) => (Small::EMPTY, &**large),
        };
        small.into_columns().chain(large.iter().copied())
    }

    /// The sum by column and the earlier due second.
    ///
    /// # Errors
    /// A column passes 2^64-1, or the sum has more than [`COLUMNS_MAX`] columns.
    pub fn checked_add(&self, other: &Self) -> Result<Self, TallyOverflow> {
        Ok(Self {
            counts: match (&self.counts, &other.counts) {
                (Counts::Small(left), Counts::Small(right)) => left.checked_add(right).map(Counts::Small),
                _ => None,
            }
            .map_or_else(|| self.add_any(other), Ok)?,
            next_due: self.next_due.min(other.next_due),
        })
    }

    /// The sum of counts that need not be small.
    fn add_any(&self, other: &Self) -> Result<Counts, TallyOverflow> {
        let mut sum = Vec::new();
        let put = |column, value| (sum.len() < COLUMNS_MAX).then(|| sum.push((column, value)));
        merge(self.columns(), other.columns(), put).ok_or(TallyOverflow)?;
        Ok(Counts::from_sorted(&sum))
    }

    /// Appends the one encoding of this tally.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.counts {
            Counts::Small(small) => {
                out.push(small.length);
                small.into_columns().for_each(|count| encode_count(count, out));
            }
            Counts::Large(large) => {
                // Every constructor keeps at most `COLUMNS_MAX` columns, so the count fits.
                out.push(u8::try_from(large.len()).unwrap_or(u8::MAX));
                large.iter().for_each(|count| encode_count(*count, out));
            }
        }
        out.extend_from_slice(&self.next_due.to_be_bytes());
    }

    /// Reads a tally from the front of `input` and moves `input` past it.
    ///
    /// # Errors
    /// The bytes end early, or are not the one encoding of a tally. `input` is then left somewhere inside.
    pub fn decode(input: &mut &[u8]) -> Result<Self, MalformedTally> {
        let [length] = reader::array(input).ok_or(MalformedTally::Truncated)?;
        let mut counts: Vec<(u8, u64)> = Vec::with_capacity(usize::from(length));
        for _ in 0..length {
            let [column] = reader::array(input).ok_or(MalformedTally::Truncated)?;
            let value = u64::from_be_bytes(reader::array(input).ok_or(MalformedTally::Truncated)?);
            if counts.last().is_some_and(|(last, _)| *last >= column) {
                return Err(MalformedTally::ColumnOrder { column });
            }
            if value == 0 {
                return Err(MalformedTally::ZeroCount { column });
            }
            counts.push((column, value));
        }
        let next_due = u64::from_be_bytes(reader::array(input).ok_or(MalformedTally::Truncated)?);
        Ok(Self { counts: Counts::from_sorted(&counts), next_due })
    }
}

impl Counts {
    /// From a list with increasing columns and no zeros.
    fn from_sorted(counts: &[(u8, u64)]) -> Self {
        let mut small = Small::EMPTY;
        let fits = counts.iter().all(|(column, value)| small.push(*column, *value).is_some());
        if fits { Self::Small(small) } else { Self::Large(counts.into()) }
    }
}

impl Small {
    const EMPTY: Self =
        Self { length: 0, columns: [0; SMALL_COLUMNS_MAX], values: [[0; 4]; SMALL_COLUMNS_MAX] };

    fn into_columns(self) -> impl Iterator<Item = (u8, u64)> {
        let counts =
            self.columns.into_iter().zip(self.values.map(|value| u64::from(u32::from_ne_bytes(value))));
        counts.take(usize::from(self.length))
    }

    /// Appends a column greater than the last, if there is room for it.
    fn push(&mut self, column: u8, value: u64) -> Option<()> {
        let index = usize::from(self.length);
        let value = u32::try_from(value).ok()?;
        *self.columns.get_mut(index)? = column;
        *self.values.get_mut(index)? = value.to_ne_bytes();
        self.length = self.length.checked_add(1)?;
        Some(())
    }

    /// The sum, if it is small again.
    fn checked_add(&self, other: &Self) -> Option<Self> {
        if self.length == other.length && self.columns == other.columns {
            let mut sum = *self;
            for (value, more) in sum.values.iter_mut().zip(other.values) {
                *value = u32::from_ne_bytes(*value).checked_add(u32::from_ne_bytes(more))?.to_ne_bytes();
            }
            return Some(sum);
        }
        let mut sum = Self::EMPTY;
        merge(self.into_columns(), other.into_columns(), |column, value| sum.push(column, value))?;
        Some(sum)
    }
}

fn encode_count((column, value): (u8, u64), out: &mut Vec<u8>) {
    out.push(column);
    out.extend_from_slice(&value.to_be_bytes());
}

/// Adds two lists with increasing columns into one. Stops with nothing where a value passes 64 bits or `put` has
/// no room.
fn merge(
    left: impl Iterator<Item = (u8, u64)>,
    right: impl Iterator<Item = (u8, u64)>,
    mut put: impl FnMut(u8, u64) -> Option<()>,
) -> Option<()> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    loop {
        let ((a, more), (b, other)) = match (left.peek(), right.peek()) {
            (None, _) => return right.try_for_each(|(column, value)| put(column, value)),
            (_, None) => return left.try_for_each(|(column, value)| put(column, value)),
            (Some(a), Some(b)) => (*a, *b),
        };
        if a <= b {
            left.next();
        }
        if b <= a {
            right.next();
        }
        match a.cmp(&b) {
            Ordering::Less => put(a, more)?,
            Ordering::Greater => put(b, other)?,
            Ordering::Equal => put(a, more.checked_add(other)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn encoded(tally: &Tally) -> Vec<u8> {
        let mut out = vec![];
        tally.encode(&mut out);
        out
    }

    fn check(bytes: &[u8], expected: Result<(), MalformedTally>) {
        let mut input = bytes;
        let read = Tally::decode(&mut input);
        assert_eq!(read.as_ref().map(|_| ()).map_err(|error| *error), expected);
        if let Ok(tally) = read {
            assert!(input.is_empty());
            assert_eq!(encoded(&tally), bytes);
        }
    }

    #[test]
    fn zero_is_a_count_of_nothing_and_never() {
        assert_eq!(encoded(&Tally::ZERO), [0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(Tally::column(3, 0), Tally::ZERO);
        check(&encoded(&Tally::ZERO), Ok(()));
    }

    #[test]
    fn sums_by_column_with_the_earlier_due_second() {
        let a = Tally::column(1, 2).with_next_due(50);
        let b = Tally::column(0, 7).with_next_due(40);
        let sum = a.checked_add(&b).and_then(|sum| sum.checked_add(&a)).expect("it fits");
        assert_eq!(sum.columns().collect::<Vec<_>>(), [(0, 7), (1, 4)]);
        assert_eq!((sum.count(0), sum.count(1), sum.count(2), sum.next_due()), (7, 4, 0, 40));
        check(&encoded(&sum), Ok(()));
    }

    #[test]
    fn a_tally_has_no_room_for_nothing() {
        // There are two for every record of a state.
        assert_eq!((size_of::<Counts>(), size_of::<Tally>()), (32, 40));
    }

    #[test]
    fn sums_past_64_bits_are_refused() {
        let most = Tally::column(4, u64::MAX);
        assert_eq!(most.checked_add(&Tally::column(4, 1)), Err(TallyOverflow));
        assert!(most.checked_add(&Tally::column(5, 1)).is_ok());
    }

    #[test]
    fn the_form_in_memory_follows_from_the_meaning() {
        let past_small = u64::from(u32::MAX) + 1;
        let large = Tally::column(1, past_small - 1).checked_add(&Tally::column(1, 1)).expect("it fits");
        assert_eq!(large, Tally::column(1, past_small));
        assert_eq!(large.count(1), past_small);
        let mut bytes = &*encoded(&large);
        assert_eq!(Tally::decode(&mut bytes), Ok(large));
        let seven = (0..7).try_fold(Tally::ZERO, |sum, column| sum.checked_add(&Tally::column(column, 1)));
        let backwards = (0..7).rev().try_fold(Tally::ZERO, |sum, c| sum.checked_add(&Tally::column(c, 1)));
        assert_eq!(seven, backwards);
        let mut bytes = &*encoded(&backwards.clone().expect("it fits"));
        assert_eq!(Tally::decode(&mut bytes), backwards.map_err(|_| MalformedTally::Truncated));
    }

    #[test]
    fn more_columns_than_the_count_can_say_are_refused() {
        let full = (0..255).try_fold(Tally::ZERO, |sum, column| sum.checked_add(&Tally::column(column, 1)));
        let full = full.expect("255 columns");
        check(&encoded(&full), Ok(()));
        assert!(full.checked_add(&Tally::column(7, 1)).is_ok());
        assert_eq!(full.checked_add(&Tally::column(255, 1)), Err(TallyOverflow));
    }

    #[test]
    fn each_tally_has_one_encoding() {
        let one = encoded(&Tally::column(2, 1));
        for end in 0..one.len() {
            check(&one[..end], Err(MalformedTally::Truncated));
        }
        let mut zero = one.clone();
        zero[9] = 0;
        check(&zero, Err(MalformedTally::ZeroCount { column: 2 }));
        let two = |first: u8, second: u8| {
            let mut bytes = vec![2, first, 0, 0, 0, 0, 0, 0, 0, 1, second, 0, 0, 0, 0, 0, 0, 0, 1];
            bytes.extend([0xFF; 8]);
            bytes
        };
        check(&two(1, 2), Ok(()));
        check(&two(2, 1), Err(MalformedTally::ColumnOrder { column: 1 }));
        check(&two(2, 2), Err(MalformedTally::ColumnOrder { column: 2 }));
    }
}
