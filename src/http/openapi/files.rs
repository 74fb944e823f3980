//! The static files in the OpenAPI document: their router knows patterns that OpenAPI cannot write.
//!
//! An index of 1,000 and more is written in groups of three digits, each but the last after an `x`
//! (C2SP tlog-tiles); a path of OpenAPI has a fixed number of parts, so only the last group is described.

use serde_json::{Map, Value, json};

const INDEX: &str = "index of the tile, three digits; from 1,000 on it has more parts (x001/234)";

/// The paths of the static files.
pub(super) fn paths() -> Map<String, Value> {
    let level =
        || parameter("level", "level of the tile", json!({"type": "integer", "minimum": 0, "maximum": 63}));
    let index = || parameter("index", INDEX, json!({"type": "string", "pattern": "^[0-9]{3}$"}));
    let width = || {
        parameter(
            "width",
            "entries or hashes in it",
            json!({"type": "integer", "minimum": 1, "maximum": 255}),
        )
    };
    let hex = |name, digits: u32| {
        parameter(
            name,
            "SHA-256 in hex",
            json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")}),
        )
    };
    let bytes = "application/octet-stream";
    let blob = vec![hex("first", 2), hex("second", 2), hex("sha256", 64)];
    [
        ("/checkpoint", "checkpoint", "the signed tree head", "text/plain", vec![]),
        ("/tile/{level}/{index}", "tile", "256 hashes", bytes, vec![level(), index()]),
        (
            "/tile/{level}/{index}.p/{width}",
            "partialTile",
            "the first hashes of a tile",
            bytes,
            vec![level(), index(), width()],
        ),
        ("/tile/entries/{index}", "bundle", "256 entries", bytes, vec![index()]),
        (
            "/tile/entries/{index}.p/{width}",
            "partialBundle",
            "the first entries of a bundle",
            bytes,
            vec![index(), width()],
        ),
        ("/blobs/{first}/{second}/{sha256}", "blob", "a text beside the log", bytes, blob),
    ]
    .into_iter()
    .map(|(path, id, what, media, parameters)| {
        let schema = if media == bytes { json!({}) } else { json!({"type": "string"}) };
        let operation = json!({
            "tags": ["the log itself"],
            "operationId": id,
            "parameters": parameters,
            "responses": {"200": {"description": what, "content": {media: {"schema": schema}}}},
        });
        (path.to_owned(), json!({"get": operation}))
    })
    .collect()
}

fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
}
