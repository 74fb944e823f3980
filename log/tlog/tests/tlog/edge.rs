//! The right edge: the same tiles and roots however the leaves arrive, and proofs without reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use undersigned_tlog::edge::{Extension, Frontier, FrontierError, NotHeld, Recent};
use undersigned_tlog::hash::{Hash, empty_root};
use undersigned_tlog::tile::{Tile, TileCoordinate, Width, tiles_of, width_of};
use undersigned_tlog::tree::{ProveError, TreeSize, verify_consistency, verify_inclusion};

use crate::rfc6962::Oracle;
use crate::tiles::defined_tile;
use crate::tree::{index, size};

type Store = BTreeMap<TileCoordinate, Arc<Tile>>;

/// Appends in batches of these sizes, over and over, and checks each step.
fn grow(oracle: &Oracle, batches: &[usize]) -> (Frontier, Store) {
    let leaves = oracle.leaves();
    let (mut frontier, mut store, mut at) = (Frontier::new(), Store::new(), 0);
    for batch in batches.iter().cycle() {
        let end = leaves.len().min(at + batch);
        let extension = frontier.append(&leaves[at..end]).unwrap();
        let old = frontier.size();
        assert_eq!(old, size(at), "an append leaves the old value alone");
        frontier = extension.frontier;
        assert_eq!((frontier.size(), frontier.root()), (size(end), oracle.root(end)));
        let changed: Vec<_> = tiles_of(frontier.size())
            .filter(|(coordinate, width)| width_of(*coordinate, old) != Some(*width))
            .map(|(coordinate, width)| (coordinate, width.get()))
            .collect();
        let given: Vec<_> = extension.tiles.iter().map(|(at, tile)| (*at, tile.width().get())).collect();
        assert_eq!(given, changed, "exactly what changed, at its newest width");
        store.extend(extension.tiles);
        at = end;
        if at == leaves.len() {
            break;
        }
    }
    (frontier, store)
}

#[test]
fn tiles_and_roots_do_not_depend_on_the_batches() {
    let oracle = Oracle::counting(70_000);
    for batches in [&[70_000][..], &[1, 255, 256, 257, 3, 0, 1000, 511], &[313], &[256], &[4096, 1]] {
        let (frontier, store) = grow(&oracle, batches);
        assert_eq!(store.len(), tiles_of(size(70_000)).count());
        for (coordinate, width) in tiles_of(size(70_000)) {
            let tile = store.get(&coordinate).unwrap();
            assert_eq!(tile.width(), width);
            assert!(tile.bytes() == defined_tile(&oracle, coordinate, width), "{coordinate:?}");
        }
        let read = Frontier::from_tiles(size(70_000), |at, _| store.get(&at).cloned().ok_or("absent"));
        assert_eq!(read, Ok(frontier));
    }
}

#[test]
fn one_by_one_past_the_first_tiles() {
    grow(&Oracle::counting(1030), &[1]);
}

#[test]
fn a_frontier_is_read_from_wider_tiles_and_refuses_narrower() {
    let oracle = Oracle::counting(1000);
    let (_, store) = grow(&oracle, &[1000]);
    for n in [0, 1, 255, 256, 257, 999, 1000] {
        let read = Frontier::from_tiles(size(n), |at, _| store.get(&at).cloned().ok_or("absent")).unwrap();
        assert_eq!((read.size(), read.root()), (size(n), oracle.root(n)));
    }
    let narrow = Frontier::from_tiles(size(1001), |at, _| store.get(&at).cloned().ok_or("absent"));
    let (wanted, found) = (Width::new(233).unwrap(), Width::new(232).unwrap());
    assert_eq!(narrow, Err(FrontierError::TooNarrow { wanted, found }));
    let absent = Frontier::from_tiles(size(1), |_, _| Err("absent"));
    assert_eq!(absent, Err(FrontierError::Fetch("absent")));
    assert_eq!(Frontier::new().root(), empty_root());
}

#[test]
fn a_tree_of_all_leaves_that_can_be_counted_is_full() {
    let tile = Arc::new(Tile::from_bytes(&[7; 255 * 32]).unwrap());
    let full =
        Frontier::from_tiles(TreeSize::new(u64::MAX), |_, _| Ok::<_, String>(Arc::clone(&tile))).unwrap();
    assert!(full.append(&[empty_root()]).is_err());
    assert_eq!(full.append(&[]).unwrap().frontier, full);
    let last = Frontier::from_tiles(TreeSize::new(u64::MAX - 1), |_, _| Ok::<_, String>(Arc::clone(&tile)));
    let extension = last.unwrap().append(&[Hash::from_bytes([7; 32])]).unwrap();
    assert_eq!(extension.frontier.root(), full.root());
}

fn check_all(recent: &Recent, oracle: &Oracle, since: usize, newest: usize) {
    assert_eq!((recent.since(), recent.newest()), (size(since), size(newest)));
    for n in since..=newest {
        for m in since..n {
            let proof = recent.inclusion_proof(index(m), size(n)).unwrap();
            verify_inclusion(&oracle.leaf(m), index(m), size(n), &proof, &oracle.root(n)).unwrap();
        }
        for m in since..=n {
            let proof = recent.consistency_proof(size(m), size(n)).unwrap();
            verify_consistency(size(m), size(n), &oracle.root(m), &oracle.root(n), &proof).unwrap();
        }
    }
}

#[test]
fn recent_tiles_prove_all_that_was_appended() {
    let oracle = Oracle::counting(1100);
    let leaves = oracle.leaves();
    let start = |at: usize| Frontier::new().append(&leaves[..at]).unwrap().frontier;
    for old in [0, 1, 200, 255, 256, 257, 500, 511, 512, 1000, 1023, 1024] {
        for added in [0, 1, 2, 40] {
            let frontier = start(old);
            let recent = Recent::new(&frontier);
            let extension = frontier.append(&leaves[old..old + added]).unwrap();
            check_all(&recent.extended(&extension), &oracle, old, old + added);
        }
    }
}

#[test]
fn recent_tiles_follow_many_appends_and_forget() {
    let oracle = Oracle::counting(70_200);
    let leaves = oracle.leaves();
    let mut frontier = Frontier::new().append(&leaves[..65_400]).unwrap().frontier;
    let mut recent = Recent::new(&frontier);
    let mut sizes = vec![65_400];
    while let Some(at) = sizes.last().copied().filter(|at| *at < 70_000) {
        let end = at + 37 + at % 100;
        let Extension { frontier: next, tiles } = frontier.append(&leaves[at..end]).unwrap();
        recent = recent.extended(&Extension { frontier: next.clone(), tiles });
        frontier = next;
        sizes.push(end);
        if sizes.len() > 5 {
            sizes.remove(0);
            recent = recent.pruned(size(sizes[0]));
        }
        assert!(recent.tile_count() <= 3 + 5 + 2, "{} tiles", recent.tile_count());
        for from in &sizes {
            let proof = recent.consistency_proof(size(*from), size(end)).unwrap();
            assert_eq!(proof, oracle.proof(*from, end));
        }
        for m in sizes[0]..end {
            assert_eq!(recent.inclusion_proof(index(m), size(end)).unwrap(), oracle.path(m, end));
        }
    }
    let old = recent.inclusion_proof(index(7), recent.newest());
    assert!(matches!(old, Err(ProveError::Nodes(NotHeld { .. }))));
    let beyond = recent.inclusion_proof(index(70_199), size(70_200));
    assert!(matches!(beyond, Err(ProveError::Nodes(NotHeld { .. }))));
    let same = recent.pruned(TreeSize::EMPTY);
    assert_eq!((same.since(), same.tile_count()), (recent.since(), recent.tile_count()));
    let least = recent.pruned(TreeSize::new(u64::MAX));
    assert_eq!(least.tile_count(), frontier.tiles().count());
}

#[test]
fn recent_tiles_are_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(value: T) -> T {
        value
    }
    let leaves = Oracle::counting(600).leaves();
    let empty = Frontier::new();
    let recent = shared(Recent::new(&empty).extended(&empty.append(&leaves).unwrap()));
    let workers = (0..4_usize).map(|worker| {
        let recent = recent.clone();
        std::thread::spawn(move || recent.inclusion_proof(index(worker), size(600)).map(|proof| proof.len()))
    });
    let lengths: Vec<_> = workers.map(|worker| worker.join().unwrap()).collect();
    assert_eq!(lengths, [Ok(10); 4]);
}
