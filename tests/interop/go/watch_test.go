package interop

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	tessera "github.com/transparency-dev/tessera/client"
)

// TestTheWatcher follows a growing log with Tessera's state tracker, as somebody would who does not trust it.
//
// It is not among the tests of a log at rest: tests/interop/run starts it by name while others write.
// Each line of its standard input says that something was logged; at the end of the input it looks once
// more. UNDERSIGNED_STATE is the file where it keeps the newest head that it has seen proved.
// What it has seen, it prints: the log must grow by as many entries as there were lines.
func TestTheWatcher(t *testing.T) {
	policy, err := os.ReadFile(os.Getenv("UNDERSIGNED_POLICY"))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := verifierOf(string(policy))
	if err != nil {
		t.Fatal(err)
	}
	state := os.Getenv("UNDERSIGNED_STATE")
	kept, err := os.ReadFile(state)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	fetcher := tesseraReader(t)
	newest := tessera.UnilateralConsensus(fetcher.ReadCheckpoint)
	tracker, err := tessera.NewLogStateTracker(t.Context(), fetcher.ReadTile, kept, verifier, verifier.Name(), newest)
	if err != nil {
		t.Fatal(err)
	}
	start := tracker.Latest().Size
	grown := 0
	look := func() {
		from := tracker.Latest().Size
		_, proof, raw, err := tracker.Update(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		to := tracker.Latest().Size
		if to == from {
			return
		}
		grown++
		if err := sameProof(fmt.Sprintf("/v1/proof/consistency?from=%d&to=%d", from, to), proof); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(state, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var logged uint64
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); logged++ {
		look()
	}
	look()
	if end := tracker.Latest().Size; grown == 0 || end != start+logged {
		t.Fatalf("%d entries were logged, and the tree grew from %d to %d", logged, start, end)
	}
	t.Logf("from %d to %d entries in %d proved steps", start, tracker.Latest().Size, grown)
}
