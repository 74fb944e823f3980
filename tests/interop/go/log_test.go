// Package interop reads a running registry with programs that its authors did not write: Go's checksum
// database packages for notes, tiles and proofs, and Go's own Ed25519 for every signature.
//
// UNDERSIGNED_URL names the registry, UNDERSIGNED_POLICY the file with its trust anchor.
package interop

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func base(t *testing.T) string {
	url := os.Getenv("UNDERSIGNED_URL")
	if url == "" {
		t.Fatal("UNDERSIGNED_URL names no registry")
	}
	return url
}

func fetch(t *testing.T, path string, accept string) []byte {
	t.Helper()
	body, err := tryFetch(base(t)+path, accept)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func tryFetch(url string, accept string) ([]byte, error) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("%s: %s: %s", url, answer.Status, body)
	}
	return body, err
}

// logKey is the one log line of the policy.
func logKey(t *testing.T) string {
	policy, err := os.ReadFile(os.Getenv("UNDERSIGNED_POLICY"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(policy), "\n") {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "log" {
			return fields[1]
		}
	}
	t.Fatal("the policy has no log line")
	return ""
}

// openCheckpoint opens a signed checkpoint with Go's note package.
func openCheckpoint(t *testing.T, signed []byte) (int64, tlog.Hash) {
	t.Helper()
	verifier, err := note.NewVerifier(logKey(t))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		t.Fatalf("not a checkpoint without extension lines: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		t.Fatal(err)
	}
	return size, root
}

// tiles reads hash tiles as the C2SP layout names them: Go's path without its height.
type tiles struct{ t *testing.T }

func (tiles) Height() int { return tileHeight }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := tryFetch(base(r.t)+"/"+path, "")
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// entries reads every bundle of a tree.
func entries(t *testing.T, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := int(min(256, size-n*256))
		tile := tlog.Tile{H: tileHeight, L: -1, N: n, W: width}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		data := fetch(t, "/"+path, "")
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
	}
	if int64(len(all)) != size {
		t.Fatalf("the bundles hold %d entries, the checkpoint says %d", len(all), size)
	}
	return all
}

func TestCheckpointOpensUnderTheKeyOfThePolicyAlone(t *testing.T) {
	signed := fetch(t, "/checkpoint", "")
	size, _ := openCheckpoint(t, signed)
	if size < 257 {
		t.Fatalf("the log has only %d entries; these tests want more than a full tile", size)
	}
	verifier, _ := note.NewVerifier(logKey(t))
	for name, altered := range map[string][]byte{
		"another size":      bytes.Replace(signed, []byte("\n"+strconv.FormatInt(size, 10)+"\n"), []byte("\n1\n"), 1),
		"another signature": append(bytes.TrimRight(signed, "=\n"), []byte("A==\n")...),
	} {
		if _, err := note.Open(altered, note.VerifierList(verifier)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	_, other, err := note.GenerateKey(nil, verifier.Name())
	if err != nil {
		t.Fatal(err)
	}
	stranger, _ := note.NewVerifier(other)
	if _, err := note.Open(signed, note.VerifierList(stranger)); err == nil {
		t.Error("another key of the same name is accepted")
	}
}

func TestTilesAndBundlesGiveTheSignedRoot(t *testing.T) {
	size, root := openCheckpoint(t, fetch(t, "/checkpoint", ""))
	tree := tlog.Tree{N: size, Hash: root}
	// TileHashReader checks every tile it reads against the signed root.
	reader := tlog.TileHashReader(tree, tiles{t})
	computed, err := tlog.TreeHash(size, reader)
	if err != nil || computed != root {
		t.Fatalf("tree hash %v, %v", computed, err)
	}
	for index, entry := range entries(t, size) {
		hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
		if err != nil {
			t.Fatal(err)
		}
		if hashes[0] != tlog.RecordHash(entry) {
			t.Fatalf("entry %d is not the leaf of its tile", index)
		}
	}
}

func parseHashes(t *testing.T, texts []string) []tlog.Hash {
	var hashes []tlog.Hash
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash)
	}
	return hashes
}

func TestProofsOfTheServerVerify(t *testing.T) {
	size, root := openCheckpoint(t, fetch(t, "/checkpoint", ""))
	all := entries(t, size)
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{t})
	for index := int64(0); index < size; index += 7 {
		for _, tree := range []int64{size, index + 1, (index + 1 + size) / 2} {
			var answer struct {
				Root   string
				Hashes []string
			}
			body := fetch(t, fmt.Sprintf("/v1/proof/inclusion?index=%d&size=%d", index, tree), "")
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			at, err := tlog.TreeHash(tree, reader)
			if err != nil {
				t.Fatal(err)
			}
			proof := tlog.RecordProof(parseHashes(t, answer.Hashes))
			leaf := tlog.RecordHash(all[index])
			if err := tlog.CheckRecord(proof, tree, at, index, leaf); err != nil {
				t.Fatalf("inclusion %d in %d: %v", index, tree, err)
			}
			if answer.Root != at.String() {
				t.Fatalf("root of %d: %s, want %v", tree, answer.Root, at)
			}
			leaf[0] ^= 1
			if tlog.CheckRecord(proof, tree, at, index, leaf) == nil {
				t.Fatal("a proof for another leaf is accepted")
			}
		}
	}
	for from := int64(1); from <= size; from += 11 {
		var answer struct{ Hashes []string }
		body := fetch(t, fmt.Sprintf("/v1/proof/consistency?from=%d&to=%d", from, size), "")
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		old, err := tlog.TreeHash(from, reader)
		if err != nil {
			t.Fatal(err)
		}
		proof := tlog.TreeProof(parseHashes(t, answer.Hashes))
		if err := tlog.CheckTree(proof, size, root, from, old); err != nil {
			t.Fatalf("consistency %d to %d: %v", from, size, err)
		}
		old[0] ^= 1
		if from < size && tlog.CheckTree(proof, size, root, from, old) == nil {
			t.Fatal("a proof for another old root is accepted")
		}
	}
}

// proofFile is a C2SP tlog-proof v1 file, read here from its specification.
func proofFile(t *testing.T, file []byte) (extra []byte, index int64, proof tlog.RecordProof, checkpoint []byte) {
	t.Helper()
	head, checkpoint, found := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		t.Fatalf("not a proof file: %q", lines[0])
	}
	lines = lines[1:]
	if text, isExtra := strings.CutPrefix(lines[0], "extra "); isExtra {
		var err error
		if extra, err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
			t.Fatal(err)
		}
		lines = lines[1:]
	}
	text, isIndex := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseInt(text, 10, 64)
	if !isIndex || err != nil {
		t.Fatalf("no index line: %q", lines[0])
	}
	return extra, index, parseHashes(t, lines[1:]), checkpoint
}

func TestReceiptsAreProofFiles(t *testing.T) {
	size, _ := openCheckpoint(t, fetch(t, "/checkpoint", ""))
	for index := int64(0); index < size; index += 13 {
		file := fetch(t, fmt.Sprintf("/v1/receipts/%d", index), "")
		extra, claimed, proof, checkpoint := proofFile(t, file)
		tree, root := openCheckpoint(t, checkpoint)
		// The canonical text of the entry inside the extra line is the leaf.
		var parts struct{ Entry json.RawMessage }
		if err := json.Unmarshal(extra, &parts); err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, tree, root, claimed, tlog.RecordHash(parts.Entry)); err != nil || claimed != index {
			t.Fatalf("receipt %d: index %d, %v", index, claimed, err)
		}
		bare := fetch(t, fmt.Sprintf("/v1/proof/inclusion?index=%d", index), "text/plain")
		none, claimed, proof, checkpoint := proofFile(t, bare)
		tree, root = openCheckpoint(t, checkpoint)
		if none != nil {
			t.Fatal("a bare proof has an extra line")
		}
		if err := tlog.CheckRecord(proof, tree, root, claimed, tlog.RecordHash(parts.Entry)); err != nil {
			t.Fatalf("bare proof %d: %v", index, err)
		}
	}
}

type proofMember struct{ Hash, Key, Method, Signature string }

// sshSigned is what OpenSSH signs (PROTOCOL.sshsig): magic, namespace, reserved, hash name, hash.
func sshSigned(hashName string, message []byte) []byte {
	var hash []byte
	switch hashName {
	case "sha256":
		sum := sha256.Sum256(message)
		hash = sum[:]
	case "sha512":
		sum := sha512.Sum512(message)
		hash = sum[:]
	}
	signed := []byte("SSHSIG")
	for _, part := range [][]byte{[]byte("undersigned"), nil, []byte(hashName), hash} {
		signed = binary.BigEndian.AppendUint32(signed, uint32(len(part)))
		signed = append(signed, part...)
	}
	return signed
}

func TestEverySignatureOfEveryEntryVerifies(t *testing.T) {
	size, _ := openCheckpoint(t, fetch(t, "/checkpoint", ""))
	methods := map[string]int{}
	for index, bytesOfEntry := range entries(t, size) {
		var entry struct {
			Event  json.RawMessage
			Proofs []proofMember
		}
		if err := json.Unmarshal(bytesOfEntry, &entry); err != nil {
			t.Fatal(err)
		}
		// Canonical: sorted and without blanks, it is what Go writes of the same values.
		var value any
		decoder := json.NewDecoder(bytes.NewReader(bytesOfEntry))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		var canonical bytes.Buffer
		encoder := json.NewEncoder(&canonical)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(value); err != nil || !bytes.Equal(bytes.TrimSpace(canonical.Bytes()), bytesOfEntry) {
			t.Fatalf("entry %d is not canonical JSON: %v", index, err)
		}
		var event struct{ Signers []string }
		if err := json.Unmarshal(entry.Event, &event); err != nil {
			t.Fatal(err)
		}
		signable := append(append([]byte("undersigned event v1\n"), entry.Event...), '\n')
		if len(event.Signers) != len(entry.Proofs) || len(entry.Proofs) == 0 {
			t.Fatalf("entry %d: %d signers, %d proofs", index, len(event.Signers), len(entry.Proofs))
		}
		for position, proof := range entry.Proofs {
			key, _ := base64.StdEncoding.DecodeString(proof.Key)
			signature, _ := base64.StdEncoding.DecodeString(proof.Signature)
			id := sha256.Sum256(append([]byte("ed25519\n"), key...))
			if hex.EncodeToString(id[:]) != event.Signers[position] {
				t.Fatalf("entry %d: the key of proof %d has another id", index, position)
			}
			message := signable
			if proof.Method == "sshsig" {
				message = sshSigned(proof.Hash, signable)
			}
			if !ed25519.Verify(key, message, signature) {
				t.Fatalf("entry %d: proof %d does not verify", index, position)
			}
			if ed25519.Verify(key, append(message, '\n'), signature) {
				t.Fatalf("entry %d: proof %d verifies over other bytes", index, position)
			}
			methods[proof.Method]++
		}
	}
	for _, method := range []string{"ed25519", "sshsig"} {
		if methods[method] == 0 {
			t.Errorf("no entry was signed by the method %s", method)
		}
	}
	t.Logf("%d entries, signatures by method: %v", size, methods)
}
