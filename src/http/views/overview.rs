//! The statements as somebody sees them who opens the registry: title, sponsor, and how many signed.

use std::collections::HashMap;
use std::sync::Arc;

use undersigned_registry::event::Text;
use undersigned_registry::id::{PartyId, StatementId};
use undersigned_registry::record::{Record, StateKey};
use undersigned_registry::rules::Facts as _;
use undersigned_registry::state_tree::Tally;

use super::act::{Lookup, Who};
use super::statement::{CountView, StatementItem, statements};
use crate::http::answer::{ask, blocking, text_blob};
use crate::http::problem::Problem;
use crate::http::query::PageQuery;
use crate::node::Handle;

/// A statement in the list.
pub(in crate::http) struct OverviewItem {
    pub(in crate::http) statement: StatementItem,
    pub(in crate::http) sponsor: Who,
    /// The titles of the newest version that can be read: language and text. None while there is no version.
    pub(in crate::http) titles: Vec<(String, String)>,
    /// The count of the newest version.
    pub(in crate::http) count: Option<CountView>,
}

/// A page of the statements, oldest first.
pub(in crate::http) struct Overview {
    /// The tree that the counts are true for.
    pub(in crate::http) tree_size: u64,
    pub(in crate::http) items: Vec<OverviewItem>,
    pub(in crate::http) next: Option<String>,
}

/// Lists the statements with what the state counts for each.
///
/// The list is of a tree that may be one batch older than the counts: what was published in between is
/// missing, nothing that is shown is of the older tree.
pub(in crate::http) async fn overview(handle: &Handle, query: &PageQuery) -> Result<Overview, Problem> {
    let list = statements(handle, query).await?;
    let ids: Vec<StatementId> =
        list.statements.iter().filter_map(|item| StatementId::from_hex(&item.statement).ok()).collect();
    let (size, mut found) = ask(handle, move |law| {
        let state = law.ledger().state();
        let mut found: HashMap<String, (Vec<Text>, Tally)> = HashMap::new();
        for id in ids {
            let Some(Record::Statement(statement)) = state.record(&StateKey::statement(&id)) else {
                continue;
            };
            let Some(version) = statement.version else { continue };
            let Some(Record::Version(texts)) = state.record(&StateKey::version(&version)) else { continue };
            let Ok(tally) = state.tally(&StateKey::endorsements_of(&version)) else { continue };
            found.insert(id.to_string(), (texts.texts.clone(), tally));
        }
        found
    })
    .await?;
    handle.index.wait_for(size).await?;
    let (index, reader) = (Arc::clone(&handle.index), Arc::clone(&handle.reader));
    blocking(move || {
        let lookup = Lookup { index: &index, reader: &reader, size };
        let items = list
            .statements
            .into_iter()
            .map(|statement| {
                let sponsor = PartyId::from_hex(&statement.sponsor)
                    .map_err(|_| Problem::internal(&"a sponsor that is no party"))?;
                let newest = found.remove(&statement.statement);
                let titles = newest
                    .iter()
                    .flat_map(|(texts, _)| texts)
                    .filter_map(|text| Some((text.language.clone(), text_blob(&reader, &text.title)?)))
                    .collect();
                Ok(OverviewItem {
                    sponsor: lookup.who(sponsor)?,
                    titles,
                    count: newest.map(|(_, tally)| CountView::of(&tally)),
                    statement,
                })
            })
            .collect::<Result<_, Problem>>()?;
        Ok(Overview { tree_size: size.get(), items, next: list.next })
    })
    .await
}
