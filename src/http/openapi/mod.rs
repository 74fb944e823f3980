//! `GET /openapi.json`: what this interface takes and answers, as OpenAPI 3.1.
//!
//! Paths, parameters and answers come from the handlers themselves (utoipa), so that no route is left out.
//! What is the same for many of them is added here: the static files, the problems with their codes
//! (`codes`), the headers. `docs/openapi.json` is the same document, kept as a golden file: a change of the
//! interface shows in the change that makes it.

mod codes;
mod files;
mod headers;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

use super::problem::Problem;
use super::query::{NoParameters, Parameters};

const DESCRIPTION: &str = "A verifiable registry of signatories. HEAD is answered wherever GET is, OPTIONS \
everywhere (the same for every origin: GET, HEAD and POST are allowed, without credentials). Parameters \
that are not listed, or stand twice, are refused. What lists say is unverified; receipts prove it.";

/// The head of the document, before any path.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new().title("undersigned").version("1").description(Some(DESCRIPTION));
    OpenApiBuilder::new().info(info).build()
}

/// The document, as it is served.
static SERVED: LazyLock<Result<Bytes, String>> =
    LazyLock::new(|| text().map(Bytes::from).map_err(|error| error.to_string()));

/// `GET /openapi.json`.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "everybody",
    responses((status = 200, body = Object, description = "this document"))
)]
pub(super) async fn served(
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let bytes = SERVED.as_ref().map_err(|error| Problem::internal(error))?;
    let media = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([media, super::STEADY_CACHE], bytes.clone()).into_response())
}

fn text() -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_vec_pretty(&document()?)?;
    text.push(b'\n');
    Ok(text)
}

/// The whole document.
fn document() -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(super::routes().into_openapi())?;
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        for (name, schema) in schemas.iter_mut() {
            // What is not known is left out of an answer; in a request null means the same.
            if name != "PrepareRequest" {
                without_null(schema);
            }
        }
        schemas.insert("Problem".to_owned(), codes::problem_schema());
        schemas.insert("Submission".to_owned(), submission_schema());
    }
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        paths.extend(files::paths());
        for (method, operation) in paths
            .values_mut()
            .filter_map(Value::as_object_mut)
            .flat_map(|path| path.iter_mut())
            .filter_map(|(method, operation)| Some((method.as_str(), operation.as_object_mut()?)))
        {
            complete(method, operation);
        }
    }
    Ok(document)
}

/// Adds to an operation what it shares with others.
fn complete(method: &str, operation: &mut Map<String, Value>) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    if id == "submit" {
        let body = json!({
            "description": "canonical JSON (docs/spec/entry.md)",
            "required": true,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Submission"}}},
        });
        operation.insert("requestBody".to_owned(), body);
    }
    if method == "get" {
        headers::add_condition(operation);
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        headers::add(method, &id, responses);
        responses.extend(codes::responses(&id));
    }
}

/// What a submission looks like from afar; its members are those of the specification.
fn submission_schema() -> Value {
    let bytes = json!({"type": "string", "contentEncoding": "base64"});
    let proof = json!({
        "type": "object",
        "required": ["key", "method", "signature"],
        "properties": {"key": bytes, "method": {"type": "string"}, "signature": bytes},
    });
    json!({
        "type": "object",
        "description": "a signed event with the texts that it names",
        "required": ["event", "proofs"],
        "additionalProperties": false,
        "properties": {
            "event": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}},
            "proofs": {"type": "array", "minItems": 1, "items": proof},
            "blobs": {"type": "array", "items": bytes},
        },
    })
}

/// Takes null out of a schema.
fn without_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    members.insert("type".to_owned(), kind);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("oneOf") {
                choices.retain(|choice| !is_null(choice));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    members.remove("oneOf");
                    members.extend(only);
                }
            }
            members.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
