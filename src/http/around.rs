//! What happens to every request before and after its route.
//!
//! One step for all of it: each layer of its own is a copy of everything below it, made for every request.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::{conditional, head, pages};
use crate::node::Handle;

/// Refuses what can be read in two ways, tells problems to people as pages, and adds a validator to what was
/// read, in this order from the inside.
pub(super) async fn around(State(handle): State<Handle>, mut request: Request, next: Next) -> Response {
    let asked = conditional::Asked::take(&mut request);
    let response = match head::refusal(&request) {
        Some(refusal) => refusal,
        None => {
            let is_person = pages::is_person(&request);
            pages::for_people(&handle, is_person, next.run(request).await)
        }
    };
    conditional::validated(asked, response).await
}
