//! `statement`: a sponsor publishes a statement, and its exact text in each language.

use std::path::{Path, PathBuf};

use undersigned_client::PrepareRequest;
use undersigned_registry::event::{
    BlobRef, Body, Event, StatementKind, TITLE_BYTES_MAX, Text, TextStatus, is_language, is_slug,
};
use undersigned_registry::id::{PartyId, StatementId};

use super::CliError;
use super::output::Output;
use super::party::{party_of, thread};
use super::signing::{Session, SigningArgs, UnlockArgs, report};
use crate::admission::check_text;
use crate::keyring::PartyKey;

const EXAMPLE: &str = "Example:
  undersigned statement publish open-source-pledge --kind pledge \\
      --key ~/.ssh/example-org \\
      --text en=pledge.en.txt --courtesy pl=pledge.pl.txt

The first line of each file is the title, the rest is the text. Once published a text cannot be changed: \
publish the same slug again for a new version, which starts with no signatures.";

const GROUP_EXAMPLE: &str = "Examples:
  undersigned statement publish our-pledge --text en=pledge.txt \\
      --key ~/.ssh/example-org";

/// Publish statements
#[derive(Debug, clap::Subcommand)]
#[command(after_help = GROUP_EXAMPLE)]
pub(super) enum Verb {
    /// Publish a statement, or a new version of one
    #[command(after_help = EXAMPLE)]
    Publish(PublishArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct PublishArgs {
    /// Short name of the statement, taken for ever: a-z, 0-9 and hyphens
    slug: String,
    #[command(flatten)]
    signing: SigningArgs,
    /// Private key of the sponsor (role admin)
    #[arg(long, value_name = "FILE", env = "UNDERSIGNED_KEY")]
    key: PathBuf,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// What it is
    #[arg(long, value_parser = ["accord", "declaration", "letter", "manifesto", "pledge", "treaty"], default_value = "manifesto")]
    kind: String,
    /// Binding text in a language: LANGUAGE=FILE; the file's first line is the title
    #[arg(long = "text", value_name = "LANGUAGE=FILE", required = true)]
    texts: Vec<String>,
    /// Courtesy translation: LANGUAGE=FILE
    #[arg(long, value_name = "LANGUAGE=FILE")]
    courtesy: Vec<String>,
}

/// What some editors put before a text: it would stand before the title for ever, and nobody would see it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A language version, read and checked.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) language: String,
    pub(super) status: TextStatus,
    pub(super) title: String,
    pub(super) text: String,
}

pub(super) fn run(verb: &Verb, output: Output) -> Result<(), CliError> {
    match verb {
        Verb::Publish(args) => publish(args, output),
    }
}

fn publish(args: &PublishArgs, output: Output) -> Result<(), CliError> {
    if !is_slug(&args.slug) {
        return Err(CliError::refused(format!(
            "{:?} is no slug\nuse a-z, 0-9 and single hyphens, at most 64 characters",
            args.slug
        )));
    }
    let authentic = args.texts.iter().map(|text| read_text(text, TextStatus::Authentic));
    let courtesy = args.courtesy.iter().map(|text| read_text(text, TextStatus::Courtesy));
    let texts = authentic.chain(courtesy).collect::<Result<Vec<_>, _>>()?;
    let key = args.unlock.read(&args.key)?;
    let session = Session::open(&args.signing)?;
    let prepared = thread(&session, "statement.publish", key.id())?;
    let party = party_of(&prepared)?;
    if !exists(&session, &args.slug)? {
        let kind = StatementKind::from_name(&args.kind).unwrap_or(StatementKind::Manifesto);
        let event = publish_event(&session, party, &key, kind, &args.slug, prepared.log_before)?;
        session.sign_and_submit(&event, &[&key], Vec::new())?;
    }
    let request = PrepareRequest {
        statement: Some(args.slug.clone()),
        ..PrepareRequest::new("statement.version", key.id())
    };
    let prepared = session.prepare(&request, CliError::from)?;
    let (Some(statement), Some(after)) = (prepared.statement, prepared.after) else {
        return Err(CliError::refused(
            "the registry's answer does not name the statement and its head\nnothing was published; check that the address is the registry's",
        ));
    };
    let (event, blobs) =
        version_event(session.registry()?, party, &key, statement, after, &texts, prepared.log_before);
    let (submitted, verified) = session.sign_and_submit(&event, &[&key], blobs)?;
    report(&args.signing, &session, &submitted, &verified, output)?;
    output.line(format!("statement {statement}"));
    output.line(format!("version   {}", verified.event_hash));
    output.line(format!("Now others can sign: undersigned endorse {} --key FILE", args.slug));
    Ok(())
}

/// Whether the slug is taken; by whom is for the law to judge.
fn exists(session: &Session, slug: &str) -> Result<bool, CliError> {
    match session.client.statement(slug) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("not-found") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn publish_event(
    session: &Session,
    party: PartyId,
    key: &PartyKey,
    kind: StatementKind,
    slug: &str,
    log_before: u64,
) -> Result<Event, CliError> {
    Ok(statement_event(session.registry()?, party, key, kind, slug, log_before))
}

/// The event that gives a statement its address.
pub(super) fn statement_event(
    registry: undersigned_registry::id::RegistryId,
    party: PartyId,
    key: &PartyKey,
    kind: StatementKind,
    slug: &str,
    log_before: u64,
) -> Event {
    Event {
        registry: Some(registry),
        party: Some(party),
        signers: vec![key.id()],
        after: None,
        log_before: Some(log_before),
        body: Body::StatementPublish { kind, slug: slug.to_owned() },
    }
}

/// The event that publishes a text, and its blobs.
pub(super) fn version_event(
    registry: undersigned_registry::id::RegistryId,
    party: PartyId,
    key: &PartyKey,
    statement: StatementId,
    after: undersigned_registry::id::EventHash,
    written: &[Written],
    log_before: u64,
) -> (Event, Vec<Vec<u8>>) {
    let texts = written
        .iter()
        .map(|text| Text {
            language: text.language.clone(),
            status: text.status,
            title: BlobRef::of(text.title.as_bytes()),
            text: BlobRef::of(text.text.as_bytes()),
        })
        .collect();
    let event = Event {
        registry: Some(registry),
        party: Some(party),
        signers: vec![key.id()],
        after: Some(after),
        log_before: Some(log_before),
        body: Body::StatementVersion { statement, texts },
    };
    let all: Vec<&str> = written.iter().flat_map(|text| [text.title.as_str(), text.text.as_str()]).collect();
    let blobs = event
        .blobs()
        .iter()
        .filter_map(|blob| all.iter().find(|text| blob.names(text.as_bytes())))
        .map(|text| text.as_bytes().to_vec())
        .collect();
    (event, blobs)
}

fn read_text(text: &str, status: TextStatus) -> Result<Written, CliError> {
    let (language, path) = text.split_once('=').ok_or_else(|| {
        CliError::usage(format!("{text:?} is no text to publish\nwrite LANGUAGE=FILE, such as en=pledge.txt"))
    })?;
    if !is_language(language) {
        return Err(CliError::usage(format!(
            "{language:?} is no language tag\nwrite a short one in lower case, such as en, fr or pt-br"
        )));
    }
    let path = Path::new(path);
    let content = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => CliError::local(format!(
            "{} is no text in UTF-8\nsave it again with the encoding UTF-8 (without a byte order mark)",
            path.display()
        )),
        _ => CliError::file("read", path, &error),
    })?;
    written(language, status, &content)
        .map_err(|reason| CliError::refused(format!("{}: {reason}", path.display())))
}

/// Cuts a file into its title, the first line, and its text.
pub(super) fn written(language: &str, status: TextStatus, content: &str) -> Result<Written, String> {
    if content.starts_with(BYTE_ORDER_MARK) {
        return Err(
            "the file begins with a byte order mark, which no editor shows\nsave it again as UTF-8 without one"
                .to_owned(),
        );
    }
    let content = content.replace("\r\n", "\n");
    let (title, text) = content
        .split_once('\n')
        .ok_or("there is no text below a title\nthe first line is the title, the rest the text")?;
    let (title, text) = (title.trim(), text.trim_start_matches('\n'));
    check_text(title.as_bytes(), true)
        .map_err(|rule| format!("the title: {rule}\nchange the first line of the file"))?;
    check_text(text.as_bytes(), false).map_err(|rule| format!("the text: {rule}\nchange the file"))?;
    if text.trim().is_empty() {
        return Err(
            "there is no text after the title\nthe first line is the title, the rest the text".to_owned()
        );
    }
    if u64::try_from(title.len()).unwrap_or(u64::MAX) > TITLE_BYTES_MAX {
        return Err(format!(
            "the title has more than {TITLE_BYTES_MAX} bytes\nshorten the first line of the file"
        ));
    }
    Ok(Written { language: language.to_owned(), status, title: title.to_owned(), text: text.to_owned() })
}
