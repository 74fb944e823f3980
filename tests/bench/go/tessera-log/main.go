// Tessera's log on a POSIX file system behind one address, to be measured beside ours.
//
//	tessera-log -data FOLDER [-listen ADDRESS] [-answer index|proof]
//
// POST /add takes a leaf, and answers once Tessera's publication awaiter has seen a checkpoint that covers it:
// with the index in decimal, or with a tlog-proof file (index, inclusion proof, checkpoint) made by Tessera's
// proof builder from Tessera's tiles. GET reads the folder. It prints one line of JSON when it listens: url,
// vkey, origin, size. For loopback, and no service.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// origin is the name of every log that this program makes.
const origin = "tessera.example/log"

// leafBytesMax is the longest leaf that an entry bundle has room for.
const leafBytesMax = 1<<16 - 1

type settings struct {
	data, listen, answer     string
	batchSize                uint
	batchAge, interval, poll time.Duration
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("tessera-log: ")
	var s settings
	flag.StringVar(&s.data, "data", "", "folder of a new log")
	flag.StringVar(&s.listen, "listen", "127.0.0.1:0", "address and port; port 0 takes a free one")
	flag.StringVar(&s.answer, "answer", "index", "what a leaf is answered with: index or proof")
	flag.UintVar(&s.batchSize, "batch-size", tessera.DefaultBatchMaxSize, "leaves of a batch at most")
	flag.DurationVar(&s.batchAge, "batch-age", tessera.DefaultBatchMaxAge, "how long a batch waits for more leaves")
	flag.DurationVar(&s.interval, "checkpoint-interval", tessera.DefaultCheckpointInterval, "time between checkpoints at least")
	flag.DurationVar(&s.poll, "poll", 10*time.Millisecond, "how often the publication awaiter looks")
	flag.Parse()
	if s.data == "" || flag.NArg() != 0 || (s.answer != "index" && s.answer != "proof") {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(s); err != nil {
		log.Fatal(err)
	}
}

func run(s settings) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// A new key for a new log: a folder that is there already would be signed by two.
	if err := os.Mkdir(s.data, 0o700); err != nil {
		return err
	}
	secret, public, err := note.GenerateKey(nil, origin)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: s.data})
	if err != nil {
		return err
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(s.interval).
		WithBatching(s.batchSize, s.batchAge))
	if err != nil {
		return err
	}
	answerer := &answerer{
		add:     appender.Add,
		awaiter: tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, s.poll),
		proofs:  newProofs(reader.ReadTile),
		prove:   s.answer == "proof",
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	said, err := json.Marshal(map[string]any{
		"url": "http://" + listener.Addr().String(), "vkey": public, "origin": origin, "size": 0,
	})
	if err != nil {
		return err
	}
	fmt.Println(string(said))

	routes := http.NewServeMux()
	routes.Handle("POST /add", answerer)
	routes.Handle("GET /", http.FileServer(http.Dir(s.data)))
	server := &http.Server{Handler: routes}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ended:
	}
	// Idle connections end at once, busy ones when they are answered.
	if err := server.Shutdown(ctx); err != nil {
		return err
	}
	return shutdown(ctx)
}

// answerer takes leaves.
type answerer struct {
	add     tessera.AddFn
	awaiter *tessera.PublicationAwaiter
	proofs  *proofs
	prove   bool
}

func (a *answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	leaf, err := io.ReadAll(http.MaxBytesReader(w, r.Body, leafBytesMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	index, checkpoint, err := a.awaiter.Await(r.Context(), a.add(r.Context(), tessera.NewEntry(leaf)))
	switch {
	case errors.Is(err, tessera.ErrPushback):
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := strconv.AppendUint(nil, index.Index, 10)
	if a.prove {
		if answer, err = a.proofs.file(r.Context(), index.Index, checkpoint); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if _, err := w.Write(answer); err != nil {
		log.Printf("an answer was not taken: %v", err)
	}
}

// proofs makes tlog-proof files. The leaves of one checkpoint share a builder for each core, which keeps the
// tiles that it has read: a builder for each leaf would read the same tiles again.
type proofs struct {
	tiles    client.TileFetcherFunc
	builders []builder
}

// builder is for one caller at a time.
type builder struct {
	// mu guards the proofs and the size of the tree that they are for.
	mu     sync.Mutex
	size   uint64
	proofs *client.ProofBuilder
}

func newProofs(tiles client.TileFetcherFunc) *proofs {
	return &proofs{tiles: tiles, builders: make([]builder, runtime.GOMAXPROCS(0))}
}

func (p *proofs) file(ctx context.Context, index uint64, checkpoint []byte) ([]byte, error) {
	size, err := sizeOf(checkpoint)
	if err != nil {
		return nil, err
	}
	builder := &p.builders[index%uint64(len(p.builders))]
	hashes, err := builder.inclusion(ctx, p.tiles, index, size)
	if err != nil {
		return nil, err
	}
	file := fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nindex %d\n", index)
	for _, hash := range hashes {
		file = base64.StdEncoding.AppendEncode(file, hash)
		file = append(file, '\n')
	}
	return append(append(file, '\n'), checkpoint...), nil
}

func (b *builder) inclusion(ctx context.Context, tiles client.TileFetcherFunc, index, size uint64) ([][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.proofs == nil || b.size != size {
		proofs, err := client.NewProofBuilder(ctx, size, tiles)
		if err != nil {
			return nil, err
		}
		b.size, b.proofs = size, proofs
	}
	return b.proofs.InclusionProof(ctx, index)
}

// sizeOf reads the second line of a checkpoint that this process signed.
func sizeOf(checkpoint []byte) (uint64, error) {
	lines := bytes.SplitN(checkpoint, []byte("\n"), 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("no checkpoint: %q", checkpoint)
	}
	return strconv.ParseUint(string(lines[1]), 10, 64)
}
