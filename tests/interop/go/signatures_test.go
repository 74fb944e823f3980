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
	"errors"
	"fmt"
	"slices"
	"testing"
)

// An entry, as far as its signatures need it.
type entry struct {
	Event  json.RawMessage
	Proofs []proof
}

type proof struct{ Hash, Key, Method, Signature string }

func TestEverySignatureOfEveryEntryVerifies(t *testing.T) {
	l := readWholeLog(t)
	methods := map[string]int{}
	for index, text := range l.entries {
		var parsed entry
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatal(err)
		}
		var event struct{ Signers []string }
		if err := json.Unmarshal(parsed.Event, &event); err != nil {
			t.Fatal(err)
		}
		if len(event.Signers) == 0 || len(event.Signers) != len(parsed.Proofs) {
			t.Fatalf("entry %d: %d signers, %d proofs", index, len(event.Signers), len(parsed.Proofs))
		}
		signable := slices.Concat([]byte("undersigned event v1\n"), parsed.Event, []byte("\n"))
		for position, proof := range parsed.Proofs {
			if err := proof.check(event.Signers[position], signable); err != nil {
				t.Errorf("entry %d, proof %d: %v", index, position, err)
			}
			methods[proof.Method+" "+proof.Hash]++
		}
	}
	for _, method := range []string{"ed25519 ", "sshsig sha512", "sshsig sha256"} {
		if methods[method] == 0 {
			t.Errorf("no entry was signed by the method %s", method)
		}
	}
	t.Logf("%d entries, signatures by method: %v", l.size, methods)
}

func (p proof) check(signer string, signable []byte) error {
	key, err := base64.StdEncoding.Strict().DecodeString(p.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("not a key: %q", p.Key)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(p.Signature)
	if err != nil {
		return err
	}
	id := sha256.Sum256(append([]byte("ed25519\n"), key...))
	if hex.EncodeToString(id[:]) != signer {
		return errors.New("the key has another id")
	}
	right, wrong := p.messages(signable)
	if !ed25519.Verify(key, right, signature) {
		return errors.New("the signature does not verify")
	}
	for _, message := range wrong {
		if ed25519.Verify(key, message, signature) {
			return fmt.Errorf("the signature verifies over other bytes: %q", message)
		}
	}
	return nil
}

// messages are the bytes that this proof signs, and some that it must not sign.
func (p proof) messages(signable []byte) (right []byte, wrong [][]byte) {
	altered := append(slices.Clone(signable), '\n')
	switch p.Method {
	case "ed25519":
		return signable, [][]byte{altered, sshSigned("undersigned", "sha512", signable)}
	case "sshsig":
		return sshSigned("undersigned", p.Hash, signable), [][]byte{
			signable, sshSigned("undersigned", p.Hash, altered), sshSigned("file", p.Hash, signable),
		}
	}
	return nil, nil
}

// sshSigned is what OpenSSH signs (PROTOCOL.sshsig): magic, namespace, reserved, hash name, hash.
func sshSigned(namespace, hashName string, message []byte) []byte {
	short, long := sha256.Sum256(message), sha512.Sum512(message)
	hash := long[:]
	if hashName == "sha256" {
		hash = short[:]
	}
	signed := []byte("SSHSIG")
	for _, part := range [][]byte{[]byte(namespace), nil, []byte(hashName), hash} {
		signed = binary.BigEndian.AppendUint32(signed, uint32(len(part)))
		signed = append(signed, part...)
	}
	return signed
}

// Canonical JSON of this log is sorted and without blanks: it is what Go writes of the same values.
func TestEveryEntryIsCanonicalJSON(t *testing.T) {
	l := readWholeLog(t)
	for index, text := range l.entries {
		var value any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			t.Fatalf("entry %d: %v", index, err)
		}
		var canonical bytes.Buffer
		encoder := json.NewEncoder(&canonical)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(value); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytes.TrimSuffix(canonical.Bytes(), []byte("\n")), text) {
			t.Errorf("entry %d is not canonical JSON", index)
		}
	}
}
