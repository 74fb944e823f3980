//! The headers of the answers, and what a request may say of what it has.

use serde_json::{Map, Value, json};

/// Where one answer always leads to the next operation: of whom, to whom, which parameter, found where.
/// A list may be empty, so its items are no links.
const LINKS: &[(&str, &str, &str, &str)] = &[
    ("statement", "party", "party", "$response.body#/sponsor"),
    ("party", "key", "key", "$response.body#/keys/0/key"),
    ("key", "party", "party", "$response.body#/party"),
    ("submit", "receipt", "reference", "$response.header.Undersigned-Index"),
    ("receipt", "entry", "reference", "$response.header.Undersigned-Index"),
];

/// Lets an operation that reads be asked with what the client has.
pub(super) fn add_condition(operation: &mut Map<String, Value>) {
    let condition = json!({
        "name": "If-None-Match",
        "in": "header",
        "required": false,
        "description": "the ETag of what the client has",
        "schema": {"type": "string"},
    });
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(condition);
    }
}

/// Adds the headers to the answers that are no problems.
pub(super) fn add(method: &str, id: &str, responses: &mut Map<String, Value>) {
    for (status, response) in responses.iter_mut() {
        let links: Map<String, Value> = LINKS
            .iter()
            .filter(|(from, ..)| *from == id)
            .map(|(_, to, parameter, place)| {
                ((*to).to_owned(), json!({"operationId": to, "parameters": {*parameter: place}}))
            })
            .collect();
        if let Some(response) = response.as_object_mut() {
            response.insert("headers".to_owned(), of_answer(method, id, status));
            if !links.is_empty() {
                response.insert("links".to_owned(), Value::Object(links));
            }
        }
    }
    if method == "get" {
        let unchanged = json!({
            "description": "the client has it already",
            "headers": {"ETag": etag(), "Cache-Control": cache()},
        });
        responses.insert("304".to_owned(), unchanged);
    }
}

fn of_answer(method: &str, id: &str, status: &str) -> Value {
    let mut headers = Map::new();
    let mut add = |name: &str, header: Value| drop(headers.insert(name.to_owned(), header));
    if method == "get" {
        add("ETag", etag());
    }
    add("Cache-Control", cache());
    if matches!(id, "submit" | "receipt") {
        add("Undersigned-Index", number("index of the entry", true));
        add("Content-Disposition", text("a name for the file", true));
    }
    if id == "submit" && status == "201" {
        add("Location", text("where the receipt can be had again", true));
    }
    if id == "signatories" {
        add("Undersigned-Tree-Size", number("the tree size that the list is true for", true));
        add("Content-Disposition", text("a name for the file, of CSV and JSON lines", false));
        add("Link", text("the next page, with rel=\"next\"", false));
    }
    Value::Object(headers)
}

fn etag() -> Value {
    let schema = json!({"type": "string", "pattern": "^W/\"[0-9a-f]{32}\"$"});
    json!({"description": "validator; a list on its way has none", "schema": schema})
}

fn cache() -> Value {
    text("how long it may be kept", true)
}

fn text(description: &str, required: bool) -> Value {
    json!({"description": description, "required": required, "schema": {"type": "string", "minLength": 1}})
}

pub(super) fn number(description: &str, required: bool) -> Value {
    json!({"description": description, "required": required, "schema": {"type": "integer", "minimum": 0}})
}

/// The headers of a problem with a status.
pub(super) fn of_problem(status: u16) -> Value {
    let no_store = json!({"required": true, "schema": {"type": "string", "enum": ["no-store"]}});
    match status {
        405 => json!({"Cache-Control": no_store, "Allow": text("the methods of this address", true)}),
        429 | 503 => {
            let after = number("seconds after which to try again", true);
            json!({"Cache-Control": no_store, "Retry-After": after})
        }
        _ => json!({"Cache-Control": no_store}),
    }
}
