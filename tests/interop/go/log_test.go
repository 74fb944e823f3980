// Package interop reads a running registry with programs that its authors did not write: Go's checksum
// database packages for notes, tiles and proofs, and Go's own Ed25519 for every signature.
//
// UNDERSIGNED_URL names the registry, UNDERSIGNED_POLICY the file with its trust anchor, UNDERSIGNED_RECEIPTS
// a folder with receipts of earlier heads. But for TestTheWatcher the log must not grow while the tests run;
// it must have more entries than one full tile.
//
// Here: checkpoint, bundles and tiles. Proofs and signatures are in the files of those names, and so is what
// Tessera says of the log (tessera, watch) and torchwood and transparency-dev's formats of receipts.
package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// readers is how many requests run at once where there are tens of thousands.
	readers = 8
	// answerBytesMax bounds one answer: a bundle of 256 entries of 32,768 bytes, and their lengths.
	answerBytesMax = tileWidth * (2 + 32768)
)

// A log is everything the tests compare with: the signed checkpoint, and the tree that Go makes of the
// entries alone.
type log struct {
	verifier note.Verifier
	signed   []byte
	size     int64
	root     tlog.Hash
	entries  [][]byte
	stored   storedHashes
	// roots are the tree hashes by size; roots[0] is not used.
	roots []tlog.Hash
}

// storedHashes are the hashes of a tree as the tlog package numbers them.
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, index := range indexes {
		if index < 0 || index >= int64(len(s)) {
			return nil, fmt.Errorf("no hash is stored at %d", index)
		}
		hashes = append(hashes, s[index])
	}
	return hashes, nil
}

var readOnce = sync.OnceValues(readLog)

func readWholeLog(t *testing.T) *log {
	t.Helper()
	read, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	if read.size <= tileWidth {
		t.Fatalf("the log has only %d entries; these tests want more than a full tile", read.size)
	}
	return read
}

func readLog() (*log, error) {
	policy, err := os.ReadFile(os.Getenv("UNDERSIGNED_POLICY"))
	if err != nil {
		return nil, err
	}
	l := &log{roots: []tlog.Hash{{}}}
	if l.verifier, err = verifierOf(string(policy)); err != nil {
		return nil, err
	}
	if l.signed, err = fetch("/checkpoint", ""); err != nil {
		return nil, err
	}
	if l.size, l.root, err = openCheckpoint(l.signed, l.verifier); err != nil {
		return nil, err
	}
	for n := int64(0); n*tileWidth < l.size; n++ {
		width := int(min(tileWidth, l.size-n*tileWidth))
		bundle, err := fetch(tilePath(tlog.Tile{H: tileHeight, L: -1, N: n, W: width}), "")
		if err != nil {
			return nil, err
		}
		entries, err := splitBundle(bundle)
		if err != nil || len(entries) != width {
			return nil, fmt.Errorf("bundle %d has %d entries, not %d: %v", n, len(entries), width, err)
		}
		l.entries = append(l.entries, entries...)
	}
	for index, entry := range l.entries {
		hashes, err := tlog.StoredHashes(int64(index), entry, l.stored)
		if err != nil {
			return nil, err
		}
		l.stored = append(l.stored, hashes...)
		root, err := tlog.TreeHash(int64(index)+1, l.stored)
		if err != nil {
			return nil, err
		}
		l.roots = append(l.roots, root)
	}
	return l, nil
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: readers}}

// fetch reads one path of the registry.
func fetch(path, accept string) ([]byte, error) {
	url := os.Getenv("UNDERSIGNED_URL")
	if url == "" {
		return nil, errors.New("UNDERSIGNED_URL names no registry")
	}
	request, err := http.NewRequest(http.MethodGet, url+path, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax+1))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", path, answer.Status, body)
	}
	if len(body) > answerBytesMax {
		return nil, fmt.Errorf("%s: more than %d bytes", path, answerBytesMax)
	}
	return body, nil
}

// verifierOf is the key of the one log line of a tlog-policy file.
func verifierOf(policy string) (note.Verifier, error) {
	var keys []string
	for line := range strings.Lines(policy) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "log" {
			keys = append(keys, fields[1])
		}
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("the policy has %d log lines, these tests want one", len(keys))
	}
	return note.NewVerifier(keys[0])
}

// openCheckpoint opens a signed checkpoint with Go's note package.
func openCheckpoint(signed []byte, verifier note.Verifier) (int64, tlog.Hash, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return 0, tlog.Hash{}, fmt.Errorf("not a checkpoint without extension lines: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] {
		return 0, tlog.Hash{}, fmt.Errorf("not a tree size: %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	return size, root, err
}

// tilePath is the C2SP path of a tile: Go's without the height, and `entries` where Go says `data`.
func tilePath(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "/tile/", 1)
	return strings.Replace(path, "/tile/data/", "/tile/entries/", 1)
}

// splitBundle parts a bundle into its entries, each behind its length as 16 bits.
func splitBundle(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, errors.New("a length is cut off")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < end {
			return nil, errors.New("an entry is cut off")
		}
		entries, bundle = append(entries, bundle[2:end]), bundle[end:]
	}
	return entries, nil
}

// servedTiles are the hash tiles of the registry, each asked for once.
type servedTiles map[tlog.Tile][]byte

func (servedTiles) Height() int { return tileHeight }

func (servedTiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (s servedTiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		if _, known := s[tile]; !known {
			data, err := fetch(tilePath(tile), "")
			if err != nil {
				return nil, err
			}
			s[tile] = data
		}
		all = append(all, s[tile])
	}
	return all, nil
}

func TestTheCheckpointOpensUnderTheKeyOfThePolicyAlone(t *testing.T) {
	l := readWholeLog(t)
	text, signature, found := bytes.Cut(l.signed, []byte("\n\n"))
	if !found {
		t.Fatal("the checkpoint has no signature")
	}
	forge := func(text, signature []byte) []byte {
		return bytes.Join([][]byte{text, signature}, []byte("\n\n"))
	}
	if !bytes.Equal(forge(text, signature), l.signed) {
		t.Fatal("the forger cannot even copy")
	}
	lines := bytes.Split(text, []byte("\n"))
	otherRoot := tlog.RecordHash([]byte("another root"))
	words := bytes.Split(bytes.TrimSuffix(signature, []byte("\n")), []byte(" "))
	raw, err := base64.StdEncoding.DecodeString(string(words[len(words)-1]))
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	words[len(words)-1] = []byte(base64.StdEncoding.EncodeToString(raw))
	for name, forged := range map[string][]byte{
		"another size":      forge(bytes.Join([][]byte{lines[0], []byte("1"), lines[2]}, []byte("\n")), signature),
		"another root":      forge(bytes.Join([][]byte{lines[0], lines[1], []byte(otherRoot.String())}, []byte("\n")), signature),
		"another origin":    forge(append([]byte("x"), text...), signature),
		"another signature": forge(text, append(bytes.Join(words, []byte(" ")), '\n')),
	} {
		var unverified *note.UnverifiedNoteError
		var invalid *note.InvalidSignatureError
		_, _, err := openCheckpoint(forged, l.verifier)
		if !errors.As(err, &invalid) && !errors.As(err, &unverified) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, other, err := note.GenerateKey(nil, l.verifier.Name())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := note.NewVerifier(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openCheckpoint(l.signed, stranger); err == nil {
		t.Error("another key of the same name opens the checkpoint")
	}
}

func TestTheBundlesGiveTheSignedRoot(t *testing.T) {
	l := readWholeLog(t)
	if l.roots[l.size] != l.root {
		t.Fatalf("the entries give %v, the log signed %v", l.roots[l.size], l.root)
	}
}

func TestEveryTileIsWhatTheEntriesMakeOfIt(t *testing.T) {
	l := readWholeLog(t)
	tiles := tlog.NewTiles(tileHeight, 0, l.size)
	levels := map[int]bool{}
	for _, tile := range tiles {
		levels[tile.L] = true
		want, err := tlog.ReadTileData(tile, l.stored)
		if err != nil {
			t.Fatal(err)
		}
		served, err := fetch(tilePath(tile), "")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(served, want) {
			t.Errorf("%s is not what the entries make of it", tilePath(tile))
		}
	}
	if !levels[0] || !levels[1] {
		t.Errorf("tiles of two levels were expected: %v", tiles)
	}
	// A reader who has seen the signed root alone gets there by tiles, and checks each on the way.
	reader := tlog.TileHashReader(tlog.Tree{N: l.size, Hash: l.root}, servedTiles{})
	for size := int64(1); size <= l.size; size++ {
		root, err := tlog.TreeHash(size, reader)
		if err != nil || root != l.roots[size] {
			t.Fatalf("the tiles give %v for size %d, the entries %v: %v", root, size, l.roots[size], err)
		}
	}
}

func TestNothingIsServedBeyondTheSignedTree(t *testing.T) {
	l := readWholeLog(t)
	next := tlog.Tile{H: tileHeight, N: l.size / tileWidth, W: int(l.size%tileWidth) + 1}
	for _, level := range []int{-1, 0} {
		next.L = level
		if body, err := fetch(tilePath(next), ""); err == nil {
			t.Errorf("%s is served: %d bytes", tilePath(next), len(body))
		}
	}
}
