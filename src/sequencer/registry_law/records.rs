//! How records stand in the pieces of a copy of the state (`docs/spec/storage.md`, SO-36).
//!
//! The three kinds of which there are millions have a short form that is read without parsing; whatever does not
//! fit it, and every other kind, is its canonical JSON. Reading checks no more than it needs in order to end:
//! the root over all records says whether they are the right ones.

use undersigned_registry::event::{BlobRef, Name};
use undersigned_registry::id::{EventHash, KeyId, PartyId};
use undersigned_registry::key::{KeyType, Role};
use undersigned_registry::record::{EndorsementRecord, KeyRecord, PartyRecord, Record, Status};
use undersigned_registry::state_tree::Record as _;
use undersigned_tlog::hash::{HASH_BYTES, Hash};

/// Canonical JSON.
const JSON: u8 = 0;
const PARTY: u8 = 1;
const KEY: u8 = 2;
const ENDORSEMENT: u8 = 3;

/// Appends a record with its key; none if it is too long for any record.
pub(super) fn write(out: &mut Vec<u8>, key: &[u8], record: &Record) -> Option<()> {
    out.push(u8::try_from(key.len()).ok()?);
    out.extend_from_slice(key);
    let begin = out.len();
    if write_short(out, record).is_none() {
        out.truncate(begin);
        let json = record.encode();
        out.push(JSON);
        out.extend_from_slice(&u16::try_from(json.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&json);
    }
    Some(())
}

/// The next record with its key, from the front of `input`; none where there is no whole one.
pub(super) fn read<'a>(input: &mut &'a [u8]) -> Option<(&'a [u8], Record)> {
    let length = byte(input)?;
    let key = bytes(input, usize::from(length))?;
    let record = match byte(input)? {
        JSON => {
            let length = u16::from_be_bytes(array(input)?);
            Record::decode(key, bytes(input, usize::from(length))?).ok()?
        }
        PARTY => Record::Party(Box::new(read_party(input)?)),
        KEY => Record::Key(read_key(input)?),
        ENDORSEMENT => Record::Endorsement(read_endorsement(input)?),
        _ => return None,
    };
    Some((key, record))
}

fn write_short(out: &mut Vec<u8>, record: &Record) -> Option<()> {
    match record {
        Record::Party(record) => write_party(out, record),
        Record::Key(record) => write_key(out, record),
        Record::Endorsement(record) => write_endorsement(out, record),
        Record::Registry(_) | Record::Statement(_) | Record::Version(_) | Record::Slug(_) => None,
    }
}

// Each record is taken apart without `..`, so that a member that comes to it later is not forgotten here.

fn write_party(out: &mut Vec<u8>, record: &PartyRecord) -> Option<()> {
    let PartyRecord { domain, entry, event, first, keys, level, names } = record;
    out.push(PARTY);
    write_text(out, domain.as_deref())?;
    write_integer(out, *entry);
    out.extend_from_slice(event.hash().as_bytes());
    write_integer(out, *first);
    out.push(u8::try_from(keys.len()).ok()?);
    keys.iter().for_each(|key| out.extend_from_slice(key.hash().as_bytes()));
    out.push(*level);
    out.push(u8::try_from(names.len()).ok()?);
    for Name { language, text: BlobRef { sha256, size } } in names {
        write_text(out, Some(language))?;
        out.extend_from_slice(sha256.as_bytes());
        write_integer(out, *size);
    }
    Some(())
}

fn read_party(input: &mut &[u8]) -> Option<PartyRecord> {
    Some(PartyRecord {
        domain: read_text(input)?,
        entry: read_integer(input)?,
        event: EventHash(read_hash(input)?),
        first: read_integer(input)?,
        keys: read_list(input, |input| Some(KeyId(read_hash(input)?)))?,
        level: byte(input)?,
        names: read_list(input, |input| {
            let language = read_text(input)??;
            Some(Name { language, text: BlobRef { sha256: read_hash(input)?, size: read_integer(input)? } })
        })?,
    })
}

fn write_key(out: &mut Vec<u8>, record: &KeyRecord) -> Option<()> {
    let KeyRecord { from, party, revoked, role, to, key_type: KeyType::Ed25519 } = record;
    out.push(KEY);
    write_integer(out, *from);
    out.extend_from_slice(party.hash().as_bytes());
    out.push(u8::from(*revoked));
    out.push(match role {
        Role::Sign => 0,
        Role::Admin => 1,
        Role::Recovery => 2,
    });
    write_integer_if(out, *to);
    Some(())
}

fn read_key(input: &mut &[u8]) -> Option<KeyRecord> {
    Some(KeyRecord {
        from: read_integer(input)?,
        party: PartyId(read_hash(input)?),
        revoked: read_flag(input)?,
        role: match byte(input)? {
            0 => Role::Sign,
            1 => Role::Admin,
            2 => Role::Recovery,
            _ => return None,
        },
        to: read_integer_if(input)?,
        key_type: KeyType::Ed25519,
    })
}

fn write_endorsement(out: &mut Vec<u8>, record: &EndorsementRecord) -> Option<()> {
    let EndorsementRecord { endorsed, entry, event, first, language, level, not_after, status } = record;
    out.push(ENDORSEMENT);
    write_integer_if(out, *endorsed);
    write_integer(out, *entry);
    out.extend_from_slice(event.hash().as_bytes());
    write_integer(out, *first);
    write_text(out, language.as_deref())?;
    out.push(*level);
    write_integer_if(out, *not_after);
    out.push(match status {
        Status::Active => 0,
        Status::Withdrawn => 1,
        Status::Lapsed => 2,
    });
    Some(())
}

fn read_endorsement(input: &mut &[u8]) -> Option<EndorsementRecord> {
    Some(EndorsementRecord {
        endorsed: read_integer_if(input)?,
        entry: read_integer(input)?,
        event: EventHash(read_hash(input)?),
        first: read_integer(input)?,
        language: read_text(input)?,
        level: byte(input)?,
        not_after: read_integer_if(input)?,
        status: match byte(input)? {
            0 => Status::Active,
            1 => Status::Withdrawn,
            2 => Status::Lapsed,
            _ => return None,
        },
    })
}

/// A length of one byte and the text; the length 0 is no text, and an empty one has no short form.
fn write_text(out: &mut Vec<u8>, text: Option<&str>) -> Option<()> {
    let bytes = match text {
        None => &[],
        Some("") => return None,
        Some(text) => text.as_bytes(),
    };
    out.push(u8::try_from(bytes.len()).ok()?);
    out.extend_from_slice(bytes);
    Some(())
}

fn read_text(input: &mut &[u8]) -> Option<Option<String>> {
    let length = byte(input)?;
    let text = bytes(input, usize::from(length))?;
    match text {
        [] => Some(None),
        text => Some(Some(std::str::from_utf8(text).ok()?.to_owned())),
    }
}

fn write_integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn read_integer(input: &mut &[u8]) -> Option<u64> {
    array(input).map(u64::from_be_bytes)
}

fn write_integer_if(out: &mut Vec<u8>, value: Option<u64>) {
    out.push(u8::from(value.is_some()));
    out.extend(value.iter().flat_map(|value| value.to_be_bytes()));
}

fn read_integer_if(input: &mut &[u8]) -> Option<Option<u64>> {
    match read_flag(input)? {
        true => read_integer(input).map(Some),
        false => Some(None),
    }
}

fn read_flag(input: &mut &[u8]) -> Option<bool> {
    match byte(input)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn read_hash(input: &mut &[u8]) -> Option<Hash> {
    array::<HASH_BYTES>(input).map(Hash::from_bytes)
}

/// A count of one byte, and so many items. Room is asked for by the count: a list that is collected has room for
/// four at least, and nearly all of them have one item and stay for as long as the process.
fn read_list<'a, T>(
    input: &mut &'a [u8],
    mut item: impl FnMut(&mut &'a [u8]) -> Option<T>,
) -> Option<Vec<T>> {
    let count = byte(input)?;
    let mut items = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        items.push(item(input)?);
    }
    Some(items)
}

fn byte(input: &mut &[u8]) -> Option<u8> {
    array::<1>(input).map(|[byte]| byte)
}

fn array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

fn bytes<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(head)
}
