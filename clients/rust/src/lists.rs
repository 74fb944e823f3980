//! Statements, signatories, parties and keys, as the server tells them. Unverified: receipts and state
//! proofs prove what a list says.

use serde::{Deserialize, Serialize};
use undersigned_registry::id::{EventHash, KeyId, PartyId, StatementId, VersionId};
use undersigned_tlog::hash::Hash;

use crate::address::encoded;
use crate::members::{write, written};
use crate::transport::{ANSWER_BYTES_MAX, LIST_BYTES_MAX};
use crate::{Client, ClientError, Listing, Page};

/// A text beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Blob {
    /// Its hash, which names it.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
    /// Where it is served, under the registry's address.
    pub url: String,
}

/// A name in a language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Name {
    /// The language tag.
    pub language: String,
    /// The name; none if it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The blob that holds it.
    pub blob: Blob,
}

/// The text of a version in a language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Text {
    /// The language tag.
    pub language: String,
    /// Whether it is authentic or a translation.
    pub status: String,
    /// The title; none if it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The blob that holds the title.
    pub title_blob: Blob,
    /// The blob that holds the text.
    pub text_blob: Blob,
}

/// How many endorse a version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Count {
    /// Endorsements that stand.
    pub active: u64,
    /// The same by trust level, from 0.
    pub active_by_level: Vec<u64>,
    /// Endorsements that were withdrawn.
    pub withdrawn: u64,
    /// Endorsements that ended by time.
    #[serde(default)]
    pub lapsed: u64,
}

/// A statement in the list of statements.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct StatementItem {
    /// Its id.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub statement: StatementId,
    /// Its slug.
    pub slug: String,
    /// What kind of statement.
    pub kind: String,
    /// Who published it.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub sponsor: PartyId,
    /// The entry that published it.
    pub entry: u64,
    /// When that was logged (POSIX seconds).
    pub received: u64,
}

/// A page of statements, in the order of their publication.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Statements {
    /// The tree size that the list is true for.
    pub tree_size: u64,
    /// The statements.
    pub statements: Vec<StatementItem>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A version of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Version {
    /// Its id.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub version: VersionId,
    /// Its number, from 1.
    pub number: u64,
    /// The entry that made it.
    pub entry: u64,
    /// Its texts.
    pub texts: Vec<Text>,
    /// How many endorse it.
    pub count: Count,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Statement {
    /// The tree size that this is true for.
    pub tree_size: u64,
    /// Its id.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub statement: StatementId,
    /// Its slug.
    pub slug: String,
    /// What kind of statement.
    pub kind: String,
    /// Who published it.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub sponsor: PartyId,
    /// The event at the head of its record.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub head: EventHash,
    /// The entry that published it.
    pub entry: u64,
    /// How many versions it has.
    pub versions: u64,
    /// The newest version; none while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// Who signed a version, or left.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Signatory {
    /// The party.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub party: PartyId,
    /// Its names.
    pub names: Vec<Name>,
    /// The domain that it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its trust level.
    pub level: u8,
    /// Where its endorsement stands.
    pub status: String,
    /// The entry that says so.
    pub entry: u64,
    /// When that was logged (POSIX seconds).
    pub received: u64,
    /// The entry of the endorsement that was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endorsed: Option<u64>,
    /// The last second in which the endorsement stands (POSIX), where it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<u64>,
}

/// A page of signatories, in the order in which the parties entered the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Signatories {
    /// The tree size that the list is true for.
    pub tree_size: u64,
    /// The statement.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub statement: StatementId,
    /// The version.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub version: VersionId,
    /// Who signed, and who left.
    pub signatories: Vec<Signatory>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct KeyInfo {
    /// Its id.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub key: KeyId,
    /// The party that it belongs to, for ever.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub party: PartyId,
    /// What it may do.
    pub role: String,
    /// What kind of key, for example `ed25519`.
    #[serde(rename = "type")]
    pub key_type: String,
    /// The entry from which on it is live.
    pub from: u64,
    /// The entry that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// The raw public key in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// A party.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Party {
    /// The tree size that this is true for.
    pub tree_size: u64,
    /// Its id.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub party: PartyId,
    /// Its names.
    pub names: Vec<Name>,
    /// The domain that it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its trust level.
    pub level: u8,
    /// The event at the head of its record.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub head: EventHash,
    /// The entry that created it.
    pub entry: u64,
    /// Its keys.
    pub keys: Vec<KeyInfo>,
    /// The indexes of its entries; at most a page of them.
    pub entries: Vec<u64>,
}

/// A party that claims a domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Claim {
    /// The party.
    #[serde(deserialize_with = "written", serialize_with = "write")]
    pub party: PartyId,
    /// Its names.
    pub names: Vec<Name>,
    /// The entry that created it.
    pub entry: u64,
}

/// Who claims a domain. Anybody can; nothing here says that they may.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Claims {
    /// The tree size that this is true for.
    pub tree_size: u64,
    /// The domain.
    pub domain: String,
    /// The parties, at most a page of them.
    pub claimed_by: Vec<Claim>,
}

impl Client {
    /// A page of statements; [`crate::all_pages`] walks all.
    ///
    /// # Errors
    /// The page is wrong, or no answer came.
    pub fn statements(&self, page: &Page) -> Result<Statements, ClientError> {
        self.get_json(&format!("v1/statements{}", page.query()), LIST_BYTES_MAX)
    }

    /// A statement by its slug or id, with its newest version.
    ///
    /// # Errors
    /// There is none, or no answer came.
    pub fn statement(&self, slug_or_id: &str) -> Result<Statement, ClientError> {
        self.get_json(&format!("v1/statements/{}", encoded(slug_or_id)), ANSWER_BYTES_MAX)
    }

    /// A page of those who signed a version of a statement, or left; [`crate::all_pages`] walks all.
    ///
    /// # Errors
    /// There is no such statement or version, the page is wrong, or no answer came.
    pub fn signatories(&self, slug_or_id: &str, page: &Page) -> Result<Signatories, ClientError> {
        let path = format!("v1/statements/{}/signatories{}", encoded(slug_or_id), page.query());
        self.get_json(&path, LIST_BYTES_MAX)
    }

    /// A party, with its first 1,000 entries.
    ///
    /// # Errors
    /// There is none, or no answer came.
    pub fn party(&self, id: &PartyId) -> Result<Party, ClientError> {
        self.party_page(id, &Page::largest())
    }

    /// A party, with the page of its entries that is asked for.
    ///
    /// # Errors
    /// There is none, the page is wrong, or no answer came.
    pub fn party_page(&self, id: &PartyId, page: &Page) -> Result<Party, ClientError> {
        self.get_json(&format!("v1/parties/{id}{}", page.query()), ANSWER_BYTES_MAX)
    }

    /// The parties that claim a domain, the first 1,000 of them.
    ///
    /// # Errors
    /// It is no domain, or no answer came.
    pub fn parties_by_domain(&self, domain: &str) -> Result<Claims, ClientError> {
        let path = format!("v1/parties/{}{}", encoded(domain), Page::largest().query());
        self.get_json(&path, LIST_BYTES_MAX)
    }

    /// A key by its id.
    ///
    /// # Errors
    /// No party ever had it, or no answer came.
    pub fn key(&self, key_id: &KeyId) -> Result<KeyInfo, ClientError> {
        self.get_json(&format!("v1/keys/{key_id}"), ANSWER_BYTES_MAX)
    }
}

impl Listing for Statements {
    type Item = StatementItem;

    fn tree_size(&self) -> u64 {
        self.tree_size
    }

    fn into_parts(self) -> (Vec<StatementItem>, Option<String>) {
        (self.statements, self.next)
    }
}

impl Listing for Signatories {
    type Item = Signatory;

    fn tree_size(&self) -> u64 {
        self.tree_size
    }

    fn into_parts(self) -> (Vec<Signatory>, Option<String>) {
        (self.signatories, self.next)
    }
}
