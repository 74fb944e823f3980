package interop

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"filippo.io/torchwood"
	formatslog "github.com/transparency-dev/formats/log"
	formatsnote "github.com/transparency-dev/formats/note"
	formatsproof "github.com/transparency-dev/formats/proof"
	merkleproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// keyOf is a verifier key text of Go's note package.
func keyOf(t *testing.T, name string, seed byte) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	text, err := note.NewEd25519VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func torchwoodPolicy(t *testing.T, text []byte) torchwood.Policy {
	t.Helper()
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return policy
}

// policies are the trust anchor as `init` writes it and as the server hands it out, read by torchwood.
func policies(t *testing.T) map[string]torchwood.Policy {
	t.Helper()
	file, err := os.ReadFile(os.Getenv("UNDERSIGNED_POLICY"))
	if err != nil {
		t.Fatal(err)
	}
	served, err := fetch("/v1/policy", "")
	if err != nil {
		t.Fatal(err)
	}
	// Comment lines, of which ours says which registry is meant, are passed over.
	if !bytes.HasPrefix(file, []byte("# registry ")) {
		t.Errorf("the policy has no comment that names the registry: %s", file)
	}
	return map[string]torchwood.Policy{"registry.policy": torchwoodPolicy(t, file), "/v1/policy": torchwoodPolicy(t, served)}
}

func TestTorchwoodReadsThePolicyAndOpensTheCheckpoint(t *testing.T) {
	l := readWholeLog(t)
	for name, policy := range policies(t) {
		checkpoint, opened, err := torchwood.VerifyCheckpoint(l.signed, policy)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if checkpoint.Origin != l.verifier.Name() || checkpoint.N != l.size || checkpoint.Hash != l.root ||
			checkpoint.Extension != "" || len(opened.Sigs) != 1 {
			t.Errorf("%s: torchwood reads another checkpoint: %v", name, checkpoint)
		}
		for position := range l.signed {
			changed := bytes.Clone(l.signed)
			changed[position] ^= 1
			// Go's base64 reads a last digit with unused bits set as the same signature.
			if sameSignature(changed, l.signed) {
				continue
			}
			if _, _, err := torchwood.VerifyCheckpoint(changed, policy); err == nil {
				t.Errorf("%s: byte %d may be another", name, position)
			}
		}
	}
	for name, policy := range strangers(t, l.verifier.Name()) {
		var unverified *note.UnverifiedNoteError
		if _, _, err := torchwood.VerifyCheckpoint(l.signed, policy); !errors.As(err, &unverified) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sameSignature says whether two notes differ in nothing but the text of the same signature bytes.
func sameSignature(one, other []byte) bool {
	split := func(signed []byte) (string, []byte) {
		at := bytes.LastIndexByte(signed, ' ')
		signature, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(signed[at+1:]), "\n"))
		if err != nil || !bytes.HasSuffix(signed, []byte("\n")) {
			return string(signed), nil
		}
		return string(signed[:at]), signature
	}
	text, signature := split(one)
	otherText, otherSignature := split(other)
	return text == otherText && signature != nil && bytes.Equal(signature, otherSignature)
}

// strangers are policies under which nothing of this log verifies.
func strangers(t *testing.T, origin string) map[string]torchwood.Policy {
	t.Helper()
	policy := func(lines string) torchwood.Policy { return torchwoodPolicy(t, []byte(lines)) }
	file, err := os.ReadFile(os.Getenv("UNDERSIGNED_POLICY"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]torchwood.Policy{
		"another origin": policy("log " + keyOf(t, "other.example/log", 1) + "\nquorum none\n"),
		"another key":    policy("log " + keyOf(t, origin, 1) + "\nquorum none\n"),
		"a witness that has not signed": policy(strings.Replace(string(file), "quorum none",
			"witness w "+witnessKey(t)+"\nquorum w", 1)),
	}
}

func witnessKey(t *testing.T) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	signer, err := torchwood.NewCosignatureSigner("witness.example/w", key)
	if err != nil {
		t.Fatal(err)
	}
	return signer.Verifier().String()
}

// leafOf is the entry as it stands in the extra line of a receipt, found by torchwood.
func leafOf(receipt []byte) ([]byte, error) {
	extra, err := torchwood.ProofExtraData(receipt)
	if err != nil {
		return nil, err
	}
	var members struct{ Entry json.RawMessage }
	err = json.Unmarshal(extra, &members)
	return members.Entry, err
}

// checkReceipt proves a receipt with torchwood, and with transparency-dev's formats and merkle.
func (l *log) checkReceipt(policy torchwood.Policy, receipt, leaf []byte) error {
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(leaf), receipt); err != nil {
		return fmt.Errorf("torchwood: %w", err)
	}
	if err := l.checkByFormats(receipt, leaf); err != nil {
		return fmt.Errorf("formats: %w", err)
	}
	return nil
}

func (l *log) checkByFormats(receipt, leaf []byte) error {
	var parsed formatsproof.TLogProof
	if err := parsed.Unmarshal(receipt); err != nil {
		return err
	}
	checkpoint, _, _, err := formatslog.ParseCheckpoint(parsed.Checkpoint, l.verifier.Name(), l.verifier)
	if err != nil {
		return err
	}
	var hashes [][]byte
	for _, hash := range parsed.Hashes {
		hashes = append(hashes, hash[:])
	}
	hasher := rfc6962.DefaultHasher
	if err := merkleproof.VerifyInclusion(hasher, parsed.Index, checkpoint.Size, hasher.HashLeaf(leaf), hashes, checkpoint.Hash); err != nil {
		return err
	}
	if !bytes.Equal(parsed.Marshal(), receipt) {
		return errors.New("written again it is another file")
	}
	return nil
}

func TestEveryReceiptVerifiesByTorchwoodAndByFormats(t *testing.T) {
	l := readWholeLog(t)
	policy := policies(t)["registry.policy"]
	others := strangers(t, l.verifier.Name())
	check := func(receipt []byte, index int64) error {
		leaf, err := leafOf(receipt)
		if err != nil {
			return err
		}
		if index >= 0 && !bytes.Equal(leaf, l.entries[index]) {
			return errors.New("the extra line holds another entry")
		}
		if err := l.checkReceipt(policy, receipt, leaf); err != nil {
			return err
		}
		return l.checkTwins(policy, others, receipt, leaf)
	}
	inParallel(t, l.size, func(index int64) error {
		receipt, err := fetch(fmt.Sprintf("/v1/receipts/%d", index), "text/plain")
		if err != nil {
			return err
		}
		if err := check(receipt, index); err != nil {
			return fmt.Errorf("receipt %d: %w", index, err)
		}
		return nil
	})
	for name, receipt := range keptReceipts(t) {
		if err := check(receipt, -1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// checkTwins spoils a receipt; both programs must refuse each of them.
func (l *log) checkTwins(policy torchwood.Policy, others map[string]torchwood.Policy, receipt, leaf []byte) error {
	refused := func(what string, receipt, leaf []byte) error {
		if torchwood.VerifyProof(policy, tlog.RecordHash(leaf), receipt) == nil {
			return fmt.Errorf("torchwood takes %s", what)
		}
		if l.checkByFormats(receipt, leaf) == nil {
			return fmt.Errorf("formats take %s", what)
		}
		return nil
	}
	parsed, err := parseProofFile(receipt)
	if err != nil {
		return err
	}
	indexLine := func(index int64) []byte { return fmt.Appendf(nil, "\nindex %d\n", index) }
	twins := map[string][]byte{
		"another index":  bytes.Replace(receipt, indexLine(parsed.index), indexLine(parsed.index+1), 1),
		"another header": bytes.Replace(receipt, []byte("@v1"), []byte("@v2"), 1),
		"another origin": bytes.Replace(receipt, []byte("\n"+l.verifier.Name()+"\n"), []byte("\nother.example/log\n"), 1),
		"half a receipt": receipt[:len(receipt)/2],
		"no checkpoint":  receipt[:len(receipt)-len(parsed.checkpoint)],
		"no signature":   receipt[:bytes.LastIndex(receipt, []byte("\n\n"))+2],
	}
	if len(parsed.hashes) > 0 {
		first := []byte(parsed.hashes[0].String() + "\n")
		twins["a hash left out"] = bytes.Replace(receipt, first, nil, 1)
		twins["a hash twice"] = bytes.Replace(receipt, first, append(bytes.Clone(first), first...), 1)
	}
	for what, twin := range twins {
		if bytes.Equal(twin, receipt) {
			return fmt.Errorf("%s: nothing was changed", what)
		}
		if err := refused(what, twin, leaf); err != nil {
			return err
		}
	}
	altered := bytes.Clone(leaf)
	altered[len(altered)/2] ^= 1
	if err := refused("another entry", receipt, altered); err != nil {
		return err
	}
	for what, other := range others {
		var unverified *note.UnverifiedNoteError
		if err := torchwood.VerifyProof(other, tlog.RecordHash(leaf), receipt); !errors.As(err, &unverified) {
			return fmt.Errorf("torchwood: %s: %v", what, err)
		}
	}
	return nil
}

func TestAReceiptCutAnywhereIsRefused(t *testing.T) {
	l := readWholeLog(t)
	policy := policies(t)["registry.policy"]
	for name, receipt := range keptReceipts(t) {
		leaf, err := leafOf(receipt)
		if err != nil {
			t.Fatal(err)
		}
		for length := range receipt {
			if torchwood.VerifyProof(policy, tlog.RecordHash(leaf), receipt[:length]) == nil {
				t.Errorf("%s: torchwood is content with %d of %d bytes", name, length, len(receipt))
			}
			if l.checkByFormats(receipt[:length], leaf) == nil {
				t.Errorf("%s: formats are content with %d of %d bytes", name, length, len(receipt))
			}
		}
	}
}

// Where the foreign readers take more than we do. What is asserted here is what they do, not what is right:
// `undersigned verify` refuses each of these files (docs/spec/receipt.md, RC-1).
func TestWhereTheOthersAreLaxer(t *testing.T) {
	l := readWholeLog(t)
	policy := policies(t)["registry.policy"]
	receipt, err := fetch("/v1/receipts/7", "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	leaf := l.entries[7]
	zero := bytes.Replace(receipt, []byte("\nindex 7\n"), []byte("\nindex 007\n"), 1)
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(leaf), zero); err != nil {
		t.Errorf("torchwood refuses zeros before an index now: %v", err)
	}
	if new(formatsproof.TLogProof).Unmarshal(zero) != nil {
		t.Error("formats refuse zeros before an index now")
	}
	// formats puts a missing last line feed there by itself.
	if new(formatsproof.TLogProof).Unmarshal(receipt[:len(receipt)-1]) != nil {
		t.Error("formats refuse a missing line feed now")
	}
	// Neither looks at the extra line: it proves nothing by itself, the leaf in it does.
	extra := base64.StdEncoding.EncodeToString([]byte("anything"))
	_, rest, _ := bytes.Cut(receipt, []byte("\nindex "))
	other := []byte("c2sp.org/tlog-proof@v1\nextra " + extra + "\nindex " + string(rest))
	if err := l.checkReceipt(policy, other, leaf); err != nil {
		t.Errorf("the extra line is looked at now: %v", err)
	}
}

// formats reads lines of at most 64 KiB; our largest receipt stays below by RC-2.
func TestTheLongestLineThatFormatsReads(t *testing.T) {
	const receiptBytesMax = 48_000
	file := func(extra int) []byte {
		return formatsproof.TLogProof{ExtraData: make([]byte, extra), Checkpoint: []byte("c\n")}.Marshal()
	}
	// Base64 makes four bytes of three.
	if err := new(formatsproof.TLogProof).Unmarshal(file(receiptBytesMax / 4 * 3)); err != nil {
		t.Errorf("a receipt of the largest size is not read: %v", err)
	}
	if new(formatsproof.TLogProof).Unmarshal(file(49_152)) == nil {
		t.Error("lines of more than 64 KiB are read now")
	}
}

func TestFormatsReadTheKeyAndTheCheckpoint(t *testing.T) {
	l := readWholeLog(t)
	policy, err := os.ReadFile(os.Getenv("UNDERSIGNED_POLICY"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(policy), "\nlog ")
	key, _, _ := strings.Cut(rest, "\n")
	verifier, err := formatsnote.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, extension, _, err := formatslog.ParseCheckpoint(l.signed, verifier.Name(), verifier)
	if err != nil {
		t.Fatal(err)
	}
	if int64(checkpoint.Size) != l.size || !bytes.Equal(checkpoint.Hash, l.root[:]) || len(extension) != 0 {
		t.Errorf("formats read another checkpoint: %v", checkpoint)
	}
	if _, _, _, err := formatslog.ParseCheckpoint(l.signed, "other.example/log", verifier); err == nil {
		t.Error("another origin opens it")
	}
	stranger, err := formatsnote.NewVerifier(keyOf(t, verifier.Name(), 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := formatslog.ParseCheckpoint(l.signed, verifier.Name(), stranger); err == nil {
		t.Error("another key opens it")
	}
}

// Torchwood's client reads all entries and checks each against the tree.
func TestTorchwoodReadsEveryEntry(t *testing.T) {
	l := readWholeLog(t)
	read := func(transport http.RoundTripper) ([][]byte, error) {
		fetcher, err := torchwood.NewTileFetcher(os.Getenv("UNDERSIGNED_URL"), torchwood.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			return nil, err
		}
		reader, err := torchwood.NewClient(fetcher)
		if err != nil {
			return nil, err
		}
		var entries [][]byte
		for index, entry := range reader.AllEntries(t.Context(), tlog.Tree{N: l.size, Hash: l.root}, 0) {
			if index != int64(len(entries)) {
				return nil, fmt.Errorf("entry %d came as number %d", index, len(entries))
			}
			entries = append(entries, bytes.Clone(entry))
		}
		return entries, reader.Err()
	}
	entries, err := read(http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(entries)) != l.size {
		t.Fatalf("%d entries of %d", len(entries), l.size)
	}
	for index, entry := range entries {
		if !bytes.Equal(entry, l.entries[index]) {
			t.Errorf("entry %d is another", index)
		}
	}
	for _, kind := range []string{"/tile/entries/", "/tile/0/"} {
		if _, err := read(flipping(kind)); err == nil {
			t.Errorf("altered bytes under %s are taken", kind)
		}
	}
}

// flipping alters the last byte of every answer for a path of this kind.
type flipping string

func (f flipping) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || !strings.HasPrefix(request.URL.Path, string(f)) {
		return answer, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		body[len(body)-1] ^= 1
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}
