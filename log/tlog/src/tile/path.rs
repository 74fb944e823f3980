//! The names of tiles and entry bundles under a log's prefix (C2SP tlog-tiles, "Merkle Tree").
//!
//! `tile/<level>/<index>[.p/<width>]` and `tile/entries/<index>[.p/<width>]`. The index stands in
//! groups of three digits, all but the last marked with `x`. Each tile has one name, and a text that
//! is not exactly the name of something is refused.

use core::fmt;

use super::{TILE_LEVEL_MAX, TileCoordinate, Width};
use crate::codec::decimal;

/// The longest path: `tile/entries/`, seven groups of three digits for 2^64-1 with six `x` and six
/// slashes between them, `.p/255`: 13 + 21 + 12 + 6 = 52.
pub const PATH_BYTES_MAX: usize = 52;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TilePath {
    /// A tile of hashes.
    Hashes {
        /// Which tile.
        coordinate: TileCoordinate,
        /// How many hashes.
        width: Width,
    },
    /// A bundle of entries.
    Entries {
        /// Which bundle, counted from zero.
        index: u64,
        /// How many entries.
        width: Width,
    },
}

/// Why a text names no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than any path.
    #[error("longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// Not `tile/`, a level or `entries`, and an index.
    #[error("not tile/<level>/<index> or tile/entries/<index>")]
    Prefix,
    /// Not a decimal 0..=63 without leading zeros.
    #[error("the level is not a decimal from 0 to {TILE_LEVEL_MAX} without leading zeros")]
    Level,
    /// Not the one way to write this index.
    #[error(
        "the index is not in groups of three digits, all but the last with x, without an empty first group"
    )]
    Index,
    /// Past 2^64-1.
    #[error("the index does not fit into 64 bits")]
    IndexTooLarge,
    /// Not a decimal 1..=255 without leading zeros.
    #[error("the partial width is not a decimal from 1 to 255 without leading zeros")]
    Width,
}

impl TilePath {
    /// Reads a path, the strict inverse of its `Display`.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        let rest = path.strip_prefix("tile/").ok_or(PathError::Prefix)?;
        let (kind, rest) = rest.split_once('/').ok_or(PathError::Prefix)?;
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, Width::FULL),
            Some((index, width)) => (index, parse_partial(width)?),
        };
        if kind == "entries" {
            return Ok(Self::Entries { index: parse_index(index)?, width });
        }
        let level = decimal(kind).ok().and_then(|level| u8::try_from(level).ok()).ok_or(PathError::Level)?;
        let coordinate = TileCoordinate::new(level, parse_index(index)?).ok_or(PathError::Level)?;
        Ok(Self::Hashes { coordinate, width })
    }
}

fn parse_partial(width: &str) -> Result<Width, PathError> {
    let width = decimal(width).ok().and_then(Width::new).ok_or(PathError::Width)?;
    if width.is_full() { Err(PathError::Width) } else { Ok(width) }
}

fn parse_index(groups: &str) -> Result<u64, PathError> {
    let (leading, last) = match groups.rsplit_once('/') {
        Some((leading, last)) => (Some(leading), last),
        None => (None, groups),
    };
    let mut index = 0_u64;
    for group in leading.into_iter().flat_map(|leading| leading.split('/')) {
        index = add_group(index, group.strip_prefix('x').ok_or(PathError::Index)?)?;
        if index == 0 {
            // A first group of zeros would be a second name of the same tile.
            return Err(PathError::Index);
        }
    }
    add_group(index, last)
}

fn add_group(index: u64, digits: &str) -> Result<u64, PathError> {
    if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PathError::Index);
    }
    let group = digits.parse::<u64>().map_err(|_| PathError::Index)?;
    index.checked_mul(1000).and_then(|high| high.checked_add(group)).ok_or(PathError::IndexTooLarge)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match self {
            Self::Hashes { coordinate, width } => {
                write!(f, "tile/{}/", coordinate.level())?;
                (coordinate.index(), width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                (*index, width)
            }
        };
        write_index(f, index)?;
        if width.is_full() { Ok(()) } else { write!(f, ".p/{width}") }
    }
}

fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    // 1000^6 is the highest power of 1000 within 64 bits.
    for power in (1..=6).rev() {
        let higher = index / 1000_u64.pow(power);
        if higher > 0 {
            write!(f, "x{:03}/", higher % 1000)?;
        }
    }
    write!(f, "{:03}", index % 1000)
}
