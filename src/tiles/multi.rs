//! Multi-proofs from stored tiles: which hashes belong into one is the layout of `rs_merkle`.
//!
//! Follows `docs/spec/multi-proof.md`, MP-10 to MP-12. Nothing is checked here, and nothing of `rs_merkle` checks
//! anything anywhere outside tests: that is `undersigned_tlog::tree::verify_multi_inclusion`.

use rs_merkle::utils::indices::proof_indices_by_layers;
use undersigned_tlog::hash::Hash;
use undersigned_tlog::tree::{TreeSize, subtree_root};

use super::{LogReader, ReadError};

impl LogReader {
    /// The hashes that prove these entries at once in a tree of `size`. The indexes strictly increase.
    ///
    /// # Errors
    /// An index lies outside the tree or this machine's reach, or a tile is missing or damaged.
    pub fn multi_proof(&self, indexes: &[u64], size: TreeSize) -> Result<Vec<Hash>, ReadError> {
        let outside = || ReadError::Proof { size };
        let places: Vec<usize> = indexes
            .iter()
            .map(|index| usize::try_from(*index))
            .collect::<Result<_, _>>()
            .map_err(|_| outside())?;
        let count = usize::try_from(size.get()).map_err(|_| outside())?;
        if places.is_empty() || places.last().is_some_and(|last| *last >= count) {
            return Err(outside());
        }
        let mut nodes = self.nodes(size);
        let layers = (0_u8..).zip(proof_indices_by_layers(&places, count));
        layers
            .flat_map(|(level, layer)| layer.into_iter().map(move |node| (level, node)))
            .map(|(level, node)| {
                let node = u64::try_from(node).map_err(|_| outside())?;
                subtree_root(level, node, size, &mut nodes).map_err(|_| outside())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use undersigned_tlog::edge::Frontier;
    use undersigned_tlog::hash::leaf_hash;
    use undersigned_tlog::tile::{TILE_WIDTH, Tile, TileCoordinate, TilePath, Width};
    use undersigned_tlog::tree::{LeafIndex, verify_multi_inclusion};

    use super::*;
    use crate::store::{MemoryStore, Name, Store as _};

    /// A tree of less than two tiles, and its root.
    fn log(count: u64) -> (LogReader, Vec<Hash>, Hash) {
        let leaves: Vec<Hash> = (0..count).map(|index| leaf_hash(index.to_string().as_bytes())).collect();
        let store = MemoryStore::default();
        let put = |level: u8, index: u64, hashes: &[Hash]| {
            let width = Width::new(u64::try_from(hashes.len()).expect("a tile")).expect("a tile");
            let coordinate = TileCoordinate::new(level, index).expect("a tile");
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            assert!(Tile::from_bytes(&bytes).is_ok());
            let created = store
                .create_pending(&Name::tile(&TilePath::Hashes { coordinate, width }), &bytes)
                .expect("it is new");
            assert_eq!(created, crate::disk::Created::New);
        };
        let wide = usize::try_from(TILE_WIDTH).expect("256");
        for (index, hashes) in (0..).zip(leaves.chunks(wide)) {
            put(0, index, hashes);
        }
        if count >= TILE_WIDTH {
            put(1, 0, &[Frontier::new().append(&leaves[..wide]).expect("small").frontier.root()]);
        }
        let root = Frontier::new().append(&leaves).expect("small").frontier.root();
        (LogReader::new(Arc::new(store)), leaves, root)
    }

    #[test]
    fn proofs_from_tiles_verify() {
        for count in [1, 2, 7, 255, 256, 257, 300] {
            let (reader, leaves, root) = log(count);
            let size = TreeSize::new(count);
            for step in [1, 2, 3, 100, 299] {
                let indexes: Vec<u64> = (0..count).step_by(step).collect();
                let proof = reader.multi_proof(&indexes, size).expect("its tiles are there");
                let known: Vec<_> = indexes
                    .iter()
                    .map(|index| (LeafIndex::new(*index), leaves[usize::try_from(*index).expect("small")]))
                    .collect();
                assert_eq!(verify_multi_inclusion(&known, size, &proof, &root), Ok(()), "{count} by {step}");
            }
            assert!(reader.multi_proof(&[count], size).is_err());
            assert!(reader.multi_proof(&[], size).is_err());
        }
    }
}
