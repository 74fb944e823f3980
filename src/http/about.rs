//! What the registry says of itself: trust anchor, identity, health.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::health::{Health, look};
use super::problem::Problem;
use super::query::{NoParameters, Parameters};
use super::views;
use super::views::registry::RegistryView;
use crate::node::Handle;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// `GET /`: where to go from here, for whoever opens the address.
pub(super) async fn start(State(handle): State<Handle>) -> Response {
    let size = handle.published.borrow().head.size;
    let text = format!(
        "This is an undersigned registry: a public log of who signed which statement.\n\
         \n\
         registry    {registry}\n\
         entries     {size}\n\
         \n\
         /v1/registry                            what this registry is, as JSON\n\
         /v1/policy                              its trust anchor (a tlog-policy file)\n\
         /v1/statements                          the statements\n\
         /v1/statements/SLUG/signatories         who signed, and who left\n\
         /v1/parties/DOMAIN                      who claims a domain\n\
         /v1/receipts/INDEX                      the receipt of an entry; check it with: undersigned verify\n\
         /v1/proof/inclusion?index=INDEX         proof that an entry is in the log\n\
         /v1/proof/consistency?from=SIZE         proof that nothing before was changed or removed\n\
         /checkpoint, /tile/...                  the log itself (C2SP tlog-tiles)\n",
        registry = handle.registry,
    );
    ([(header::CONTENT_TYPE, TEXT)], text).into_response()
}

/// `GET /v1/policy`.
#[utoipa::path(
    get,
    path = "/v1/policy",
    operation_id = "policy",
    tag = "everybody",
    responses((status = 200, content_type = "text/plain", body = String, description = "the trust anchor, a C2SP tlog-policy file"))
)]
pub(super) async fn policy(
    State(handle): State<Handle>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], handle.policy.to_string()).into_response()
}

/// `GET /v1/registry`.
#[utoipa::path(
    get,
    path = "/v1/registry",
    operation_id = "registry",
    tag = "everybody",
    responses((status = 200, body = RegistryView, description = "what the registry says of itself"))
)]
pub(super) async fn registry(
    State(handle): State<Handle>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    Ok(Json(views::registry::registry(&handle).await?).into_response())
}

/// `GET /healthz`: whether readers can be sent here.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "operators",
    responses((status = 200, body = Health, description = "reads are right"))
)]
pub(super) async fn health(
    State(handle): State<Handle>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let health = Json(look(&handle).await?);
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], health).into_response())
}
