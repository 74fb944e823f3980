#!/usr/bin/env python3
"""Makes a party's first event and sends events, by the text of docs/spec alone: no code of ours.

    by_hand.py create URL PUBLIC.pem NAME EVENT     write the signable file of a party.create
    by_hand.py key-id PUBLIC.pem                    print the id of a key
    by_hand.py send URL PUBLIC.pem EVENT SIGNATURE RECEIPT [NAME] [--spaced]

`send` posts the event of a signable file with a raw Ed25519 signature, and the name as its blob if there
is one. It prints the problem and ends with 1 if the registry refuses. `--spaced` sends the same JSON with
blanks in it, which is not canonical.
"""

import base64
import hashlib
import json
import sys
import time
import urllib.error
import urllib.request

HEADER = b"undersigned event v1\n"
SIGN_WITHIN_SECONDS = 600
ANSWER_TIMEOUT_SECONDS = 30


def canonical(value):
    """Canonical JSON of ASCII strings and small integers is what Python writes when asked for no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def raw_key(path):
    """The last 32 bytes of a SubjectPublicKeyInfo of Ed25519 are the key (RFC 8410)."""
    with open(path, encoding="ascii") as file:
        body = file.read().split("-----")[2]
    return base64.b64decode("".join(body.split()), validate=True)[-32:]


def key_id(raw):
    return hashlib.sha256(b"ed25519\n" + raw).hexdigest()


def create(url, public, name, event_path):
    with urllib.request.urlopen(url + "/v1/registry", timeout=ANSWER_TIMEOUT_SECONDS) as answer:
        registry = json.load(answer)["registry"]
    key, text = key_id(raw_key(public)), name.encode()
    event = canonical({
        "keys": [{"id": key, "role": "admin", "type": "ed25519"}],
        "log_before": int(time.time()) + SIGN_WITHIN_SECONDS,
        "names": [{"language": "pl", "text": {"sha256": hashlib.sha256(text).hexdigest(), "size": len(text)}}],
        "registry": registry,
        "signers": [key],
        "type": "party.create",
    })
    with open(event_path, "wb") as file:
        file.write(HEADER + event + b"\n")


def send(url, public, event_path, signature_path, receipt_path, name=None, spaced=False):
    with open(event_path, "rb") as file:
        event = json.loads(file.read().removeprefix(HEADER))
    with open(signature_path, "rb") as file:
        signature = file.read()
    base64_of = lambda data: base64.b64encode(data).decode()
    proof = {"key": base64_of(raw_key(public)), "method": "ed25519", "signature": base64_of(signature)}
    submission = {"event": event, "proofs": [proof]}
    if name is not None:
        submission["blobs"] = [base64_of(name.encode())]
    body = json.dumps(submission, sort_keys=True).encode() if spaced else canonical(submission)
    request = urllib.request.Request(url + "/v1/entries", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_SECONDS) as answer:
            receipt = answer.read()
    except urllib.error.HTTPError as problem:
        sys.exit(f"{problem.code}: {problem.read().decode()}")
    with open(receipt_path, "wb") as file:
        file.write(receipt)


def main(arguments):
    spaced = "--spaced" in arguments
    verb, *rest = [argument for argument in arguments if argument != "--spaced"]
    if verb == "create":
        create(*rest)
    elif verb == "key-id":
        print(key_id(raw_key(*rest)))
    elif verb == "send":
        send(*rest, spaced=spaced)
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
