//! Tiles: widths, names, inner nodes, bundles, and proofs cut from tiles alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use undersigned_tlog::hash::Hash;
use undersigned_tlog::tile::{
    Bundle, BundleError, BundleReader, ENTRY_BYTES_MAX, EntryTooLarge, TILES_HELD_MAX, Tile, TileCoordinate,
    TileError, TileNodes, TileNodesError, TilePath, Width, bundle_append, edge_tiles, entries_width,
    tiles_of, width_of,
};
use undersigned_tlog::tree::{Nodes, TreeSize, consistency_proof, inclusion_proof, root};

use crate::rfc6962::Oracle;
use crate::tree::{index, size};

/// The tile as the specification defines it, from the oracle: MTH after MTH.
pub(crate) fn defined_tile(oracle: &Oracle, coordinate: TileCoordinate, width: Width) -> Vec<u8> {
    let span = 256_usize.pow(u32::from(coordinate.level()));
    let first = usize::try_from(coordinate.index()).unwrap() * 256;
    let count = usize::try_from(width.get()).unwrap();
    (first..first + count).flat_map(|i| oracle.mth(i * span, (i + 1) * span)).collect()
}

fn coordinate(level: u8, index: u64) -> TileCoordinate {
    TileCoordinate::new(level, index).unwrap()
}

fn width(width: u64) -> Width {
    Width::new(width).unwrap()
}

#[test]
fn widths_are_those_of_the_specification() {
    let of = |level, index, size| width_of(coordinate(level, index), TreeSize::new(size)).map(Width::get);
    assert_eq!(of(0, 0, 0), None);
    assert_eq!(of(0, 0, 256), Some(256));
    assert_eq!(of(0, 1, 256), None);
    assert_eq!(of(1, 0, 256), Some(1));
    assert_eq!(of(1, 0, 255), None);
    // The example of tlog-tiles.
    assert_eq!(of(0, 272, 70_000), Some(256));
    assert_eq!(of(0, 273, 70_000), Some(112));
    assert_eq!(of(1, 0, 70_000), Some(256));
    assert_eq!(of(1, 1, 70_000), Some(17));
    assert_eq!(of(2, 0, 70_000), Some(1));
    assert_eq!(of(3, 0, 70_000), None);
    assert_eq!(entries_width(273, TreeSize::new(70_000)).map(Width::get), Some(112));
    assert_eq!(of(63, u64::MAX, u64::MAX), None);
    assert_eq!(of(7, 0, u64::MAX), Some(255));
    let all: Vec<_> = tiles_of(TreeSize::new(70_000)).collect();
    assert_eq!(all.len(), 274 + 2 + 1);
    let edge: Vec<_> = edge_tiles(TreeSize::new(70_000)).map(|(at, wide)| (at.level(), wide.get())).collect();
    assert_eq!(edge, [(0, 112), (1, 17), (2, 1)]);
    assert_eq!(tiles_of(TreeSize::EMPTY).count(), 0);
    assert_eq!(edge_tiles(TreeSize::new(u64::MAX)).count(), 8);
    assert_eq!(TileCoordinate::new(64, 0), None);
    assert_eq!(Width::new(0), None);
    assert_eq!(Width::new(257), None);
}

#[test]
fn the_names_of_tiles() {
    let hashes =
        |level, index, wide| TilePath::Hashes { coordinate: coordinate(level, index), width: width(wide) };
    let entries = |index, wide| TilePath::Entries { index, width: width(wide) };
    for (path, text) in [
        (hashes(0, 0, 256), "tile/0/000"),
        (hashes(0, 999, 255), "tile/0/999.p/255"),
        (hashes(63, 1000, 1), "tile/63/x001/000.p/1"),
        (hashes(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (entries(0, 256), "tile/entries/000"),
        (entries(1_000_000_000, 7), "tile/entries/x001/x000/x000/000.p/7"),
        (entries(u64::MAX, 255), "tile/entries/x018/x446/x744/x073/x709/x551/615.p/255"),
    ] {
        assert_eq!(path.to_string(), text);
        assert_eq!(TilePath::parse(text), Ok(path));
    }
}

#[test]
fn a_tile_holds_every_perfect_subtree_however_it_grew() {
    let oracle = Oracle::counting(256);
    let leaves = oracle.leaves();
    let mut grown = Tile::from_hashes(&leaves[..1]).unwrap();
    for wide in 1..=256 {
        let tile = Tile::from_hashes(&leaves[..wide]).unwrap();
        if wide > 1 {
            grown = grown.extended(&leaves[wide - 1..wide]).unwrap();
        }
        assert!(tile == grown && Tile::from_bytes(tile.bytes()).as_ref() == Ok(&tile), "width {wide}");
        for level in 0..=9_u8 {
            for position in 0..=256_usize {
                let span = 1 << level;
                let inside = level <= 8 && (position + 1) * span <= wide;
                let hash =
                    inside.then(|| Hash::from_bytes(oracle.mth(position * span, (position + 1) * span)));
                assert_eq!(tile.hash(level, u64::try_from(position).unwrap()), hash);
            }
        }
        assert_eq!(tile.root().is_some(), wide == 256);
        assert_eq!(tile.truncated(width(1)), Tile::from_hashes(&leaves[..1]).ok());
        assert_eq!(tile.truncated(Width::FULL).is_some(), wide == 256);
    }
    assert_eq!(grown.extended(&leaves[..1]), Err(TileError::Width { hashes: 257 }));
}

#[test]
fn bytes_that_are_no_tile_are_refused() {
    assert_eq!(Tile::from_bytes(&[]), Err(TileError::Width { hashes: 0 }));
    assert_eq!(Tile::from_bytes(&[0; 31]), Err(TileError::NotWholeHashes { bytes: 31 }));
    assert_eq!(Tile::from_bytes(&[0; 33]), Err(TileError::NotWholeHashes { bytes: 33 }));
    assert_eq!(Tile::from_bytes(&[0; 257 * 32]), Err(TileError::Width { hashes: 257 }));
    assert!(Tile::from_bytes(&[0; 256 * 32]).is_ok());
}

/// A store that holds exactly the tiles of one tree, or only wider ones of a larger tree.
fn store(oracle: &Oracle, n: usize) -> BTreeMap<TileCoordinate, Arc<Tile>> {
    tiles_of(size(n))
        .map(|(at, wide)| (at, Arc::new(Tile::from_bytes(&defined_tile(oracle, at, wide)).unwrap())))
        .collect()
}

#[test]
fn proofs_cut_from_tiles_alone_are_those_of_the_definition() {
    let oracle = Oracle::counting(70_000);
    let wider = store(&oracle, 70_000);
    for n in [1, 2, 255, 256, 257, 300, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000] {
        let exact = store(&oracle, n);
        let mut asked = 0;
        let mut from_exact = TileNodes::new(size(n), |at: TileCoordinate, wide: Width| {
            asked += 1;
            let tile = exact.get(&at).ok_or("absent")?;
            if tile.width() == wide { Ok(Arc::clone(tile)) } else { Err("another width") }
        });
        let mut from_wider =
            TileNodes::new(size(n), |at: TileCoordinate, _| wider.get(&at).cloned().ok_or("absent"));
        assert_eq!(root(size(n), &mut from_exact), Ok(oracle.root(n)));
        assert_eq!(root(size(n), &mut from_wider), Ok(oracle.root(n)));
        for m in (0..n).step_by(n.div_ceil(97)).chain([n - 1]) {
            let path = oracle.path(m, n);
            assert_eq!(inclusion_proof(index(m), size(n), &mut from_exact).unwrap(), path, "{m} of {n}");
            assert_eq!(inclusion_proof(index(m), size(n), &mut from_wider).unwrap(), path, "{m} of {n}");
            if m > 0 {
                let growth = oracle.proof(m, n);
                assert_eq!(
                    consistency_proof(size(m), size(n), &mut from_exact).unwrap(),
                    growth,
                    "{m} to {n}"
                );
            }
        }
        drop(from_exact);
        assert!(asked <= 3 * 99 * 4, "{asked} tiles for {n} leaves");
    }
}

#[test]
fn tile_nodes_refuse_what_is_outside_or_too_narrow() {
    let oracle = Oracle::counting(300);
    let tiles = store(&oracle, 300);
    let mut nodes = TileNodes::new(size(300), |at, _| tiles.get(&at).cloned().ok_or("absent"));
    assert_eq!(nodes.node(0, 299), Ok(oracle.leaf(299)));
    assert_eq!(nodes.node(8, 0), Ok(oracle.root(256)));
    for (level, position) in [(0, 300), (2, 75), (8, 1), (9, 0), (63, 0), (64, 0), (255, u64::MAX)] {
        let outside = TileNodesError::OutsideTree { level, index: position };
        assert_eq!(nodes.node(level, position), Err(outside));
    }
    let mut nodes = TileNodes::new(size(301), |at, _| tiles.get(&at).cloned().ok_or("absent"));
    assert_eq!(nodes.node(0, 256), Err(TileNodesError::TooNarrow { wanted: width(45), found: width(44) }));
    let mut nodes = TileNodes::new(size(600), |at, _| tiles.get(&at).cloned().ok_or("absent"));
    assert_eq!(nodes.node(0, 599), Err(TileNodesError::Fetch("absent")));
}

#[test]
fn tile_nodes_hold_a_bounded_number_of_tiles() {
    let tile = Arc::new(Tile::from_bytes(&[7; 256 * 32]).unwrap());
    let mut fetched = 0;
    let mut nodes = TileNodes::new(TreeSize::new(1 << 40), |_, _| {
        fetched += 1;
        Ok::<_, String>(Arc::clone(&tile))
    });
    let count = u64::try_from(TILES_HELD_MAX).unwrap() + 1;
    for _ in 0..2 {
        for position in 0..count {
            nodes.node(0, position * 256).unwrap();
        }
    }
    drop(nodes);
    assert!(fetched > TILES_HELD_MAX + 1, "the first tile was forgotten and fetched again");
}

#[test]
fn bundles_and_longer_runs() {
    let mut bytes = Vec::new();
    let entries: Vec<Vec<u8>> = (0..300_usize).map(|length| vec![1; length]).collect();
    for (count, entry) in (1..).zip(&entries) {
        bundle_append(&mut bytes, entry).unwrap();
        let parsed = Bundle::parse(&bytes);
        if count <= 256 {
            assert_eq!(parsed.unwrap(), entries[..count]);
        } else {
            assert_eq!(parsed, Err(BundleError::TooMany));
        }
    }
    let run: Vec<_> = BundleReader::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(run, entries);
    assert_eq!(Bundle::parse(&[]), Err(BundleError::Empty));
    assert_eq!(Bundle::parse(&[0]), Err(BundleError::Truncated { entry: 0 }));
    assert_eq!(Bundle::parse(&[0, 0]), Ok(vec![&[][..]]));
    assert_eq!(Bundle::parse(&[0, 1, 9, 0, 2, 9]), Err(BundleError::Truncated { entry: 1 }));
    assert_eq!(Bundle::parse(&[0, 1, 9, 0]), Err(BundleError::Truncated { entry: 1 }));
    let mut after_error = BundleReader::new(&[0, 9, 9]);
    assert_eq!(after_error.next(), Some(Err(BundleError::Truncated { entry: 0 })));
    assert_eq!(after_error.next(), None);

    let mut bytes = Vec::new();
    bundle_append(&mut bytes, &vec![0; ENTRY_BYTES_MAX]).unwrap();
    let before = bytes.clone();
    let too_large = bundle_append(&mut bytes, &vec![0; ENTRY_BYTES_MAX + 1]);
    assert_eq!((too_large, bytes), (Err(EntryTooLarge { bytes: ENTRY_BYTES_MAX + 1 }), before));
}
