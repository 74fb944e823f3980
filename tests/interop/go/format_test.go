package interop

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"testing"
)

// What gofmt would say; not every Go comes with gofmt.
func TestTheseFilesAreFormatted(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		written, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		formatted, err := format.Source(written)
		if err != nil || !bytes.Equal(formatted, written) {
			t.Errorf("%s is not as gofmt writes it: %v", file, err)
		}
	}
}
