//! `/parties/{id or domain}`: who a party says it is and what it did, or who claims a domain.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use undersigned_registry::event::is_domain;
use undersigned_registry::id::PartyId;

use super::filters;
use super::frame::Frame;
use super::page;
use crate::http::problem::Problem;
use crate::http::query::{PageQuery, Parameters, Segment};
use crate::http::views::act::{Deed, first_name};
use crate::http::views::party::{ClaimView, ClaimsView, claims};
use crate::http::views::profile::{Profile, profile};
use crate::node::Handle;

/// How many acts or claims stand on a page.
const ROWS_SHOWN: u64 = 50;

#[derive(Template)]
#[template(path = "party.html", config = "src/http/pages/askama.toml")]
struct Party {
    frame: Frame,
    profile: Profile,
    /// The name to call it by: language and text.
    name: Option<(String, String)>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "domain.html", config = "src/http/pages/askama.toml")]
struct Domain {
    frame: Frame,
    claims: ClaimsView,
    is_first: bool,
}

impl Domain {
    fn name(&self, claim: &ClaimView) -> Option<(String, String)> {
        first_name(&claim.names)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PartyQuery {
    cursor: Option<String>,
}

/// `GET /parties/{id or domain}?cursor=`.
pub(in crate::http) async fn party(
    State(handle): State<Handle>,
    Segment(named): Segment,
    Parameters(query): Parameters<PartyQuery>,
) -> Result<Response, Problem> {
    let is_first = query.cursor.is_none();
    let asked = PageQuery { limit: Some(ROWS_SHOWN), cursor: query.cursor, at: None, version: None };
    match PartyId::from_hex(&named) {
        Ok(id) => {
            let profile = profile(&handle, id, &asked).await?;
            let name = first_name(&profile.party.names);
            page(&Party { frame: Frame::of(&handle), profile, name, is_first })
        }
        Err(_) if is_domain(&named) => {
            let claims = claims(&handle, named, &asked).await?;
            page(&Domain { frame: Frame::of(&handle), claims, is_first })
        }
        Err(_) => Err(Problem::query("a party is named by its id (64 lower-case hex digits) or by a domain")),
    }
}
