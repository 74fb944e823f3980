package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	tessera "github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
)

// tesseraReader is Tessera's own reader of this log.
func tesseraReader(t *testing.T) *tessera.HTTPFetcher {
	t.Helper()
	base, err := url.Parse(os.Getenv("UNDERSIGNED_URL"))
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := tessera.NewHTTPFetcher(base, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetcher
}

// narrowed reads tiles of trees that the log never published: such a tile has no file of its own width, and
// Tessera's reader falls back to the full one alone. So the widest that there is, cut to what was asked for.
func (l *log) narrowed(fetcher *tessera.HTTPFetcher) tessera.TileFetcherFunc {
	return func(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
		tile, err := fetcher.ReadTile(ctx, level, index, partial)
		if errors.Is(err, os.ErrNotExist) {
			widest := layout.PartialTileSize(level, index, uint64(l.size))
			tile, err = fetcher.ReadTile(ctx, level, index, widest)
		}
		if width := int(partial) * rfc6962.DefaultHasher.Size(); err == nil && partial != 0 {
			if len(tile) < width {
				return nil, fmt.Errorf("tile %d/%d has only %d bytes", level, index, len(tile))
			}
			tile = tile[:width]
		}
		return tile, err
	}
}

// The sizes that Tessera proves: every edge of a tile, and every 16th.
func (l *log) someSizes() []int64 {
	var sizes []int64
	for size := int64(1); size <= l.size; size++ {
		atEdge := size%tileWidth <= 2 || size%tileWidth >= tileWidth-2
		if atEdge || size%16 == 0 || size >= l.size-2 {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// proofHashes are the hashes of a proof of our API, as texts.
func proofHashes(path string) ([]string, error) {
	body, err := fetch(path, "application/json")
	if err != nil {
		return nil, err
	}
	var answer struct{ Hashes []string }
	return answer.Hashes, json.Unmarshal(body, &answer)
}

func sameProof(path string, proof [][]byte) error {
	hashes, err := proofHashes(path)
	if err != nil {
		return err
	}
	if len(hashes) != len(proof) {
		return fmt.Errorf("%s has %d hashes, Tessera's proof %d", path, len(hashes), len(proof))
	}
	for position, hash := range proof {
		if base64.StdEncoding.EncodeToString(hash) != hashes[position] {
			return fmt.Errorf("%s: hash %d is %s, Tessera's %x", path, position, hashes[position], hash)
		}
	}
	return nil
}

func TestTesseraProvesByTheSameHashes(t *testing.T) {
	l := readWholeLog(t)
	tiles := l.narrowed(tesseraReader(t))
	sizes := l.someSizes()
	inParallel(t, int64(len(sizes)), func(number int64) error {
		size := uint64(sizes[number])
		builder, err := tessera.NewProofBuilder(t.Context(), size, tiles)
		if err != nil {
			return err
		}
		for index := range size {
			proof, err := builder.InclusionProof(t.Context(), index)
			if err != nil {
				return fmt.Errorf("inclusion of %d in %d: %w", index, size, err)
			}
			path := fmt.Sprintf("/v1/proof/inclusion?index=%d&size=%d", index, size)
			if err := sameProof(path, proof); err != nil {
				return err
			}
		}
		for from := uint64(1); from <= size; from++ {
			proof, err := builder.ConsistencyProof(t.Context(), from, size)
			if err != nil {
				return fmt.Errorf("consistency of %d with %d: %w", from, size, err)
			}
			path := fmt.Sprintf("/v1/proof/consistency?from=%d&to=%d", from, size)
			if err := sameProof(path, proof); err != nil {
				return err
			}
		}
		return nil
	})
	// The comparison itself can fail: the proof of a neighbour is another one.
	builder, err := tessera.NewProofBuilder(t.Context(), uint64(l.size), tiles)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := builder.InclusionProof(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if sameProof(fmt.Sprintf("/v1/proof/inclusion?index=0&size=%d", l.size), proof) == nil {
		t.Error("the proof of entry 1 is taken for that of entry 0")
	}
}

// oldCheckpoints are the signed checkpoints in the receipts that the command line has kept: heads of their time.
func oldCheckpoints(t *testing.T) map[string][]byte {
	t.Helper()
	old := map[string][]byte{}
	for name, file := range keptReceipts(t) {
		parsed, err := parseProofFile(file)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = parsed.checkpoint
	}
	return old
}

// keptReceipts are the receipt files that the command line has written, by name.
func keptReceipts(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(os.Getenv("UNDERSIGNED_RECEIPTS"), "*.tlog-proof"))
	if err != nil || len(names) < 5 {
		t.Fatalf("UNDERSIGNED_RECEIPTS names a folder with %d receipts: %v", len(names), err)
	}
	receipts := map[string][]byte{}
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		receipts[filepath.Base(name)] = file
	}
	return receipts
}

func TestTesserasTrackerGoesFromEveryOldHeadToTheNewest(t *testing.T) {
	l := readWholeLog(t)
	fetcher := tesseraReader(t)
	newest := tessera.UnilateralConsensus(fetcher.ReadCheckpoint)
	for name, old := range oldCheckpoints(t) {
		follow := func(tiles tessera.TileFetcherFunc, newest tessera.ConsensusCheckpointFunc) error {
			tracker, err := tessera.NewLogStateTracker(t.Context(), tiles, old, l.verifier, l.verifier.Name(), newest)
			if err != nil {
				return err
			}
			_, _, raw, err := tracker.Update(t.Context())
			if err == nil && (!bytes.Equal(raw, l.signed) || int64(tracker.Latest().Size) != l.size) {
				return fmt.Errorf("the tracker is at %d, the log at %d", tracker.Latest().Size, l.size)
			}
			return err
		}
		if err := follow(fetcher.ReadTile, newest); err != nil {
			t.Errorf("from %s: %v", name, err)
		}
		// A server that shows it another past.
		other := func(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
			tile, err := fetcher.ReadTile(ctx, level, index, partial)
			if err == nil {
				tile[0] ^= 1
			}
			return tile, err
		}
		var inconsistent tessera.ErrInconsistency
		if err := follow(other, newest); !errors.As(err, &inconsistent) {
			t.Errorf("from %s: another past is taken: %v", name, err)
		}
		// A head that the log has not signed.
		unsigned := func(context.Context) ([]byte, error) {
			return bytes.Replace(l.signed, fmt.Appendf(nil, "\n%d\n", l.size), fmt.Appendf(nil, "\n%d\n", l.size-1), 1), nil
		}
		if err := follow(fetcher.ReadTile, tessera.UnilateralConsensus(unsigned)); err == nil {
			t.Errorf("from %s: an unsigned head is taken", name)
		}
	}
}

// leafHashes is what Tessera's fsck does with a bundle when it is told nothing else.
func leafHashes(bundle []byte) ([][]byte, error) {
	parsed := &api.EntryBundle{}
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range parsed.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// spoiling is the log with one of its files spoiled.
type spoiling struct {
	fsck.Fetcher
	path  string
	spoil func([]byte) ([]byte, error)
	found *bool
}

func (s spoiling) serve(path string, file []byte, err error) ([]byte, error) {
	if err != nil || path != s.path {
		return file, err
	}
	*s.found = true
	return s.spoil(bytes.Clone(file))
}

func (s spoiling) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	file, err := s.Fetcher.ReadCheckpoint(ctx)
	return s.serve(layout.CheckpointPath, file, err)
}

func (s spoiling) ReadTile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
	file, err := s.Fetcher.ReadTile(ctx, level, index, partial)
	return s.serve(layout.TilePath(level, index, partial), file, err)
}

func (s spoiling) ReadEntryBundle(ctx context.Context, index uint64, partial uint8) ([]byte, error) {
	file, err := s.Fetcher.ReadEntryBundle(ctx, index, partial)
	return s.serve(layout.EntriesPath(index, partial), file, err)
}

func TestTesserasFsckIsContentWithTheLogAndWithNoSpoiledFile(t *testing.T) {
	l := readWholeLog(t)
	check := func(fetcher fsck.Fetcher) error {
		// More workers than there are files: each ends at the first bad one.
		return fsck.New(l.verifier.Name(), l.verifier, fetcher, leafHashes, fsck.Opts{N: 16}).Check(t.Context())
	}
	if err := check(tesseraReader(t)); err != nil {
		t.Fatal(err)
	}
	last := uint64(l.size) / tileWidth
	partial := layout.PartialTileSize(0, last, uint64(l.size))
	spoils := map[string]func([]byte) ([]byte, error){
		// The first two bytes of a bundle are a length; the byte after them is an entry's first.
		"its third byte":    func(file []byte) ([]byte, error) { file[2] ^= 1; return file, nil },
		"its last byte":     func(file []byte) ([]byte, error) { file[len(file)-2] ^= 1; return file, nil },
		"cut short":         func(file []byte) ([]byte, error) { return file[:len(file)-1], nil },
		"one byte too long": func(file []byte) ([]byte, error) { return append(file, 'A'), nil },
		"missing":           func([]byte) ([]byte, error) { return nil, os.ErrNotExist },
	}
	for _, path := range []string{
		layout.CheckpointPath,
		layout.EntriesPath(0, 0), layout.EntriesPath(last, partial),
		layout.TilePath(0, 0, 0), layout.TilePath(0, last, partial), layout.TilePath(1, 0, uint8(last)),
	} {
		for name, spoil := range spoils {
			found := false
			err := check(spoiling{tesseraReader(t), path, spoil, &found})
			if !found {
				t.Errorf("%s was never read", path)
			}
			// Tessera cuts a partial tile that is too long to the width that it asked for.
			cut := name == "one byte too long" && (path == layout.TilePath(0, last, partial) || path == layout.TilePath(1, 0, uint8(last)))
			if (err == nil) != cut {
				t.Errorf("%s, %s: %v", path, name, err)
			}
		}
	}
}
