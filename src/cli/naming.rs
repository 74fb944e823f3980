//! What people name by hand: ids, domains, statements, entries. Where a name leads nowhere, the error says
//! which command prints the right one.

use undersigned_client::{Client, ClientError, Page};
use undersigned_registry::event::is_domain;
use undersigned_registry::id::{EventHash, KeyId, PartyId, VersionId};

use super::CliError;
use super::output::shown;

/// From this likeness on (0 to 1) a slug is proposed for one that is not there.
const LIKENESS_MIN: f64 = 0.8;

const FIND_STATEMENT: &str = "undersigned list statements";
const FIND_PARTY: &str = "undersigned list signatories SLUG prints the ids of those who signed, undersigned show party DOMAIN of those who claim a domain";
const FIND_ENTRY: &str = "name an entry by its index, from 0, or by the hash of its event; receipts and undersigned show party ID print them";

/// The id of a key.
pub(super) fn key_id(text: &str) -> Result<KeyId, CliError> {
    EventHash::from_hex(text).map(|hash| KeyId(hash.0)).map_err(|_| {
        CliError::refused(format!(
            "{text:?} is no key id, which has 64 lower-case hex digits\n\
             undersigned key show FILE prints that of a key file, undersigned show party ID those of a party"
        ))
    })
}

/// The id of a version of a statement.
pub(super) fn version_id(statement: &str, text: &str) -> Result<VersionId, CliError> {
    EventHash::from_hex(text).map(|hash| VersionId(hash.0)).map_err(|_| {
        CliError::refused(format!(
            "{text:?} is no version id, which has 64 lower-case hex digits\n{}",
            find_version(statement)
        ))
    })
}

/// The domain of an organisation, as the log takes it. Addresses are pasted with what stands around it.
pub(super) fn check_domain(text: &str) -> Result<(), CliError> {
    if is_domain(text) {
        return Ok(());
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let bare = bare.rsplit_once('@').map_or(bare, |(_, domain)| domain);
    let bare = bare.trim_end_matches('.').to_ascii_lowercase();
    let next = if is_domain(&bare) {
        format!("write the bare domain in lower case: {bare}")
    } else {
        "use lower case and A-labels (xn--...), such as example.org".to_owned()
    };
    Err(CliError::refused(format!("{text:?} is no domain of the log\n{next}")))
}

/// A party's id, or a domain that parties claim.
pub(super) fn party_or_domain(text: &str) -> Result<Option<PartyId>, CliError> {
    match PartyId::from_hex(text) {
        Ok(id) => Ok(Some(id)),
        Err(_) if is_domain(text) => Ok(None),
        Err(_) if text.contains(' ') || !text.contains('.') => Err(CliError::refused(format!(
            "{text:?} is neither the id of a party nor a domain, and names are not looked up\n{FIND_PARTY}"
        ))),
        Err(_) => check_domain(text).map(|()| None),
    }
}

/// What a question about a party came to.
pub(super) fn about_party(error: ClientError) -> CliError {
    replaced(error, FIND_PARTY)
}

/// What a question about a key came to.
pub(super) fn about_key(error: ClientError) -> CliError {
    replaced(
        error,
        "undersigned show party ID prints the keys of a party, undersigned key show FILE the id of a key file",
    )
}

/// What a question about an entry or its receipt came to.
pub(super) fn about_entry(error: ClientError) -> CliError {
    replaced(error, FIND_ENTRY)
}

/// What a question about a statement came to. Where there is none of this name, one that is like it is
/// proposed; where only the version is not there, the command that prints it.
pub(super) fn about_statement(client: &Client, named: &str, error: ClientError) -> CliError {
    if !is_missing(&error) {
        return error.into();
    }
    let error = CliError::from(error);
    if client.statement(named).is_ok() {
        return error.with_next(find_version(named));
    }
    match alike(client, named) {
        Some(slug) => error.with_next(format!("did you mean {slug}? all of them: {FIND_STATEMENT}")),
        None => error.with_next(format!("see which there are: {FIND_STATEMENT}")),
    }
}

/// What prints the version of a statement, and its languages.
pub(super) fn find_version(statement: &str) -> String {
    format!("undersigned show statement {statement} prints its newest version and the languages of that")
}

/// The statement on the first page whose slug is most like this.
fn alike(client: &Client, named: &str) -> Option<String> {
    let named = named.to_lowercase();
    let page = client.statements(&Page::largest()).ok()?;
    let likeness = |slug: &str| strsim::jaro_winkler(&named, slug);
    page.statements
        .iter()
        .map(|statement| (likeness(&statement.slug), statement))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, statement)| shown(&statement.slug))
}

/// The same error with the step that fits a command line, where nothing is there or it was named wrongly.
fn replaced(error: ClientError, next: &str) -> CliError {
    if is_missing(&error) || error.code() == Some("bad-query") {
        CliError::from(error).with_next(next)
    } else {
        error.into()
    }
}

pub(super) fn is_missing(error: &ClientError) -> bool {
    error.code() == Some("not-found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_taken_bare_and_proposed_so() {
        assert!(check_domain("example.org").is_ok());
        for pasted in [
            "https://example.org",
            "https://example.org/about?x#y",
            "Example.ORG",
            "example.org.",
            "office@example.org",
            "http://example.org:8080",
        ] {
            let told = check_domain(pasted).unwrap_err();
            assert!(
                told.message().ends_with("\nwrite the bare domain in lower case: example.org"),
                "{told:?}"
            );
        }
        let told = check_domain("źródło.example").unwrap_err();
        assert!(told.message().ends_with("(xn--...), such as example.org"), "{told:?}");
    }

    #[test]
    fn a_name_is_no_party() {
        assert!(party_or_domain(&"0a".repeat(32)).unwrap().is_some());
        assert!(party_or_domain("example.org").unwrap().is_none());
        for name in ["Example Organisation", "Example", "St. Example"] {
            let told = party_or_domain(name).unwrap_err();
            assert!(told.message().contains("undersigned list signatories"), "{told:?}");
        }
    }
}
