package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// inParallel runs a check for every number from 0 to below count, several at once, and reports the first failure.
func inParallel(t *testing.T, count int64, check func(number int64) error) {
	t.Helper()
	numbers := make(chan int64)
	failures := make(chan error, readers)
	var group sync.WaitGroup
	for range readers {
		group.Go(func() {
			var failure error
			for number := range numbers {
				if failure == nil {
					failure = check(number)
				}
			}
			failures <- failure
		})
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	group.Wait()
	close(failures)
	for failure := range failures {
		if failure != nil {
			t.Fatal(failure)
		}
	}
}

func parseHashes(texts []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func TestEveryInclusionProofOfTheServerVerifies(t *testing.T) {
	l := readWholeLog(t)
	inParallel(t, l.size, func(number int64) error {
		size := number + 1
		for index := range size {
			if err := l.checkInclusion(index, size); err != nil {
				return fmt.Errorf("inclusion of %d in %d: %w", index, size, err)
			}
		}
		return nil
	})
}

func (l *log) checkInclusion(index, size int64) error {
	body, err := fetch(fmt.Sprintf("/v1/proof/inclusion?index=%d&size=%d", index, size), "")
	if err != nil {
		return err
	}
	var answer struct {
		Index, Size int64
		Root        string
		Hashes      []string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	hashes, err := parseHashes(answer.Hashes)
	if err != nil {
		return err
	}
	if answer.Index != index || answer.Size != size || answer.Root != l.roots[size].String() {
		return fmt.Errorf("the answer is about something else: %s", body)
	}
	leaf := tlog.RecordHash(l.entries[index])
	if err := tlog.CheckRecord(hashes, size, l.roots[size], index, leaf); err != nil {
		return err
	}
	ours, err := tlog.ProveRecord(size, index, l.stored)
	if err != nil || !slices.Equal(ours, tlog.RecordProof(hashes)) {
		return fmt.Errorf("Go proves it by %v: %w", ours, err)
	}
	// Its negative twins: another leaf, another place.
	leaf[0] ^= 1
	if tlog.CheckRecord(hashes, size, l.roots[size], index, leaf) == nil {
		return errors.New("the proof holds for another leaf")
	}
	leaf[0] ^= 1
	if size > 1 && tlog.CheckRecord(hashes, size, l.roots[size], (index+1)%size, leaf) == nil {
		return errors.New("the proof holds for another index")
	}
	return nil
}

// Every pair whose larger size is the published one, at a tile's edge, or a multiple of 16.
func TestTheConsistencyProofsOfTheServerVerify(t *testing.T) {
	l := readWholeLog(t)
	inParallel(t, l.size, func(number int64) error {
		to := number + 1
		if to != l.size && to%16 != 0 && to != tileWidth-1 && to != tileWidth+1 {
			return nil
		}
		for from := int64(1); from <= to; from++ {
			if err := l.checkConsistency(from, to); err != nil {
				return fmt.Errorf("consistency of %d with %d: %w", from, to, err)
			}
		}
		return nil
	})
}

func (l *log) checkConsistency(from, to int64) error {
	body, err := fetch(fmt.Sprintf("/v1/proof/consistency?from=%d&to=%d", from, to), "")
	if err != nil {
		return err
	}
	var answer struct {
		From, To int64
		Hashes   []string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	hashes, err := parseHashes(answer.Hashes)
	if err != nil {
		return err
	}
	if answer.From != from || answer.To != to {
		return fmt.Errorf("the answer is about something else: %s", body)
	}
	if err := tlog.CheckTree(hashes, to, l.roots[to], from, l.roots[from]); err != nil {
		return err
	}
	ours, err := tlog.ProveTree(to, from, l.stored)
	if err != nil || !slices.Equal(ours, tlog.TreeProof(hashes)) {
		return fmt.Errorf("Go proves it by %v: %w", ours, err)
	}
	old := l.roots[from]
	old[0] ^= 1
	if tlog.CheckTree(hashes, to, l.roots[to], from, old) == nil {
		return errors.New("the proof holds for another old root")
	}
	return nil
}

// A proofFile is a C2SP tlog-proof v1 file, read here from its specification.
type proofFile struct {
	hasExtra   bool
	extra      []byte
	index      int64
	hashes     tlog.RecordProof
	checkpoint []byte
}

func parseProofFile(file []byte) (*proofFile, error) {
	head, checkpoint, found := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return nil, fmt.Errorf("not a proof file: %q", lines[0])
	}
	lines = lines[1:]
	parsed := &proofFile{checkpoint: checkpoint}
	var extra string
	if extra, parsed.hasExtra = strings.CutPrefix(lines[0], "extra "); parsed.hasExtra {
		var err error
		if parsed.extra, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil {
			return nil, err
		}
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return nil, errors.New("no index line")
	}
	text, isIndex := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !isIndex || strconv.FormatInt(index, 10) != text {
		return nil, fmt.Errorf("not an index line: %q", lines[0])
	}
	parsed.index = index
	parsed.hashes, err = parseHashes(lines[1:])
	return parsed, err
}

// check proves that the file's leaf is an entry of the tree of the file's own checkpoint.
func (p *proofFile) check(l *log, index int64, leaf []byte) error {
	size, root, err := openCheckpoint(p.checkpoint, l.verifier)
	if err != nil {
		return err
	}
	if p.index != index || size < 1 || size > l.size || root != l.roots[size] {
		return fmt.Errorf("index %d in a tree of %d entries and root %v", p.index, size, root)
	}
	return tlog.CheckRecord(p.hashes, size, root, p.index, tlog.RecordHash(leaf))
}

func TestEveryReceiptIsAProofFile(t *testing.T) {
	l := readWholeLog(t)
	inParallel(t, l.size, func(index int64) error {
		for _, path := range []string{"/v1/receipts/%d", "/v1/proof/inclusion?index=%d"} {
			if err := l.checkProofFile(fmt.Sprintf(path, index), index); err != nil {
				return fmt.Errorf(path+": %w", index, err)
			}
		}
		return nil
	})
}

func (l *log) checkProofFile(path string, index int64) error {
	file, err := fetch(path, "text/plain")
	if err != nil {
		return err
	}
	parsed, err := parseProofFile(file)
	if err != nil {
		return err
	}
	if parsed.hasExtra != strings.HasPrefix(path, "/v1/receipts/") {
		return errors.New("receipts have an extra line, bare proofs have none")
	}
	leaf := l.entries[index]
	if parsed.hasExtra {
		// The leaf is the entry's text as it stands in the extra line, byte for byte.
		var extra struct {
			Entry json.RawMessage
			V     int
		}
		if err := json.Unmarshal(parsed.extra, &extra); err != nil {
			return err
		}
		if !bytes.Equal(extra.Entry, leaf) || extra.V != 1 {
			return errors.New("the extra line holds another entry")
		}
	}
	if err := parsed.check(l, index, leaf); err != nil {
		return err
	}
	if parsed.check(l, index, append(slices.Clone(leaf), ' ')) == nil {
		return errors.New("the proof holds for another leaf")
	}
	return nil
}
