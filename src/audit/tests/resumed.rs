//! Audits in steps find what one audit finds, and a log that is not the one of before is told so.

use super::super::{Follower, Kept, KeptError, audit_from};
use super::*;

type Ended = Result<(Report, Kept), AuditError>;

fn go_on(folder: &TempDir, trust: &Trust, kept: Option<Kept>) -> Ended {
    audit_from(&FolderSource::open(folder.path()).unwrap(), trust, kept, &|_, _| {}, &mut |_| {})
}

/// Through the bytes of the file, as another run of the program would.
fn reread(kept: &Kept, trust: &Trust) -> Kept {
    let bytes = kept.encode();
    let again = Kept::decode(&bytes, trust).unwrap();
    assert_eq!(again.encode(), bytes, "one encoding");
    again
}

/// What was kept, without the counts of what was done on the way.
fn proved(kept: &Kept) -> Vec<String> {
    let text = String::from_utf8(kept.encode()).unwrap();
    let counted = |line: &&str| line.starts_with("tiles ") || line.starts_with("sha256 ");
    text.lines().filter(|line| !counted(line)).map(str::to_owned).collect()
}

#[test]
fn steps_of_any_size_find_what_one_audit_finds() {
    let log = Honest::new();
    let (size, trust) = (log.entries.len(), log.trust());
    let (whole, at_once) = go_on(&publish(&log.entries), &trust, None).unwrap();
    // Around the end of a tile, inside of one, and none at all.
    for steps in
        [&[1, 2, 3, size][..], &[100, 255, size], &[256, size], &[255, 256, 257, size], &[size, size]]
    {
        let mut kept: Option<Kept> = None;
        let mut last = None;
        for step in steps {
            let folder = publish(&log.entries[..*step]);
            let from = kept.as_ref().map_or(0, Kept::tree_size);
            let (report, end) = go_on(&folder, &trust, kept.take()).unwrap();
            assert_eq!((report.from, report.tree_size), (from, u64::try_from(*step).unwrap()));
            kept = Some(reread(&end, &trust));
            last = Some(report);
        }
        let report = last.unwrap();
        assert_eq!(
            (report.root, report.signatures, &report.versions),
            (whole.root, whole.signatures, &whole.versions)
        );
        assert_eq!((report.parties, report.first_received), (whole.parties, whole.first_received));
        assert_eq!(proved(&kept.unwrap()), proved(&at_once), "{steps:?}");
    }
}

#[test]
fn what_is_wrong_after_the_audited_part_is_named() {
    for kept_at in [255, 256, 257, 270] {
        let mut log = Honest::new();
        let trust = log.trust();
        let (_, kept) = go_on(&publish(&log.entries[..kept_at]), &trust, None).unwrap();
        edit(&mut log.entries, 270, &received(270), &received(150));
        let wrong = go_on(&publish(&log.entries), &trust, Some(reread(&kept, &trust)));
        let Err(AuditError::Lied { entry, rule, in_signed_tree }) = wrong else { panic!("{wrong:?}") };
        assert_eq!((entry, rule.code(), in_signed_tree), (270, "received-back", true), "{kept_at}");
    }
}

#[test]
fn an_audited_entry_that_was_edited_in_the_copy_is_named() {
    let log = Honest::new();
    let trust = log.trust();
    let (_, kept) = go_on(&publish(&log.entries[..270]), &trust, None).unwrap();
    let folder = publish(&log.entries);
    let bundle = format!("tile/entries/001.p/{}", log.entries.len() - 256);
    // Before the part that is new, in the bundle that is read again.
    change(&folder, &bundle, |bytes| {
        let at = bytes.windows(21).position(|part| part == received(260).as_bytes()).unwrap();
        bytes[at + 20] ^= 1;
    });
    let found = go_on(&folder, &trust, Some(reread(&kept, &trust)));
    let Err(AuditError::Lied { entry, rule, in_signed_tree }) = found else { panic!("{found:?}") };
    assert_eq!((entry, rule.code(), in_signed_tree), (260, "tile", false));
}

#[test]
fn a_batch_is_handed_over_only_as_a_beginning_of_the_signed_tree() {
    let log = Honest::new();
    let trust = log.trust();
    let handed_over = |folder: &TempDir| {
        let source = FolderSource::open(folder.path()).unwrap();
        let mut follower = Follower::new(trust.clone());
        let mut first = Vec::new();
        follower.look(&source).unwrap();
        let ended = follower.advance(&source, &|_, _| {}, &mut |batch| {
            first.push(batch.first);
            Ok::<(), AuditError>(())
        });
        (first, ended.is_ok(), follower.is_whole())
    };
    let folder = publish(&log.entries);
    assert_eq!(handed_over(&folder), (vec![0, 256], true, true));
    // Every entry is lawful and has its tile, but the key signed another tree.
    let size = undersigned_tlog::tree::TreeSize::new(u64::try_from(log.entries.len()).unwrap());
    write(folder.path(), "checkpoint", &sign(size, Hash::from_bytes([5; 32])));
    assert_eq!(handed_over(&folder), (Vec::new(), false, false));
}

#[test]
fn a_log_that_begins_otherwise_has_forked_whatever_its_size() {
    let log = Honest::new();
    let trust = log.trust();
    let (_, kept) = go_on(&publish(&log.entries[..257]), &trust, None).unwrap();
    let mut other = log.entries.clone();
    edit(&mut other, 100, &received(100), &received(99));
    for size in [257, 258, other.len()] {
        let folder = publish(&other[..size]);
        let found = go_on(&folder, &trust, Some(reread(&kept, &trust)));
        let Err(AuditError::Forked { audited, audited_root, shown, beginning, served }) = found else {
            panic!("{size}: {found:?}")
        };
        assert_eq!((audited, shown), (257, u64::try_from(size).unwrap()));
        let leaves: Vec<Hash> = other[..257].iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(beginning, Frontier::new().append(&leaves).unwrap().frontier.root());
        assert_ne!(beginning, audited_root);
        assert_eq!(served, std::fs::read(folder.path().join("public/checkpoint")).unwrap());
    }
    let shrunk = go_on(&publish(&log.entries[..256]), &trust, Some(reread(&kept, &trust)));
    assert!(matches!(shrunk, Err(AuditError::Shrunk { audited: 257, shown: 256, .. })), "{shrunk:?}");
}

#[test]
fn damaged_tiles_convict_nobody_of_a_fork() {
    let log = Honest::new();
    let trust = log.trust();
    let (_, kept) = go_on(&publish(&log.entries[..257]), &trust, None).unwrap();
    let folder = publish(&log.entries);
    change(&folder, "tile/0/000", |bytes| bytes[40] ^= 1);
    change(&folder, "tile/1/000.p/1", |bytes| bytes[3] ^= 1);
    let found = go_on(&folder, &trust, Some(reread(&kept, &trust)));
    let Err(AuditError::Lied { entry, rule, .. }) = found else { panic!("{found:?}") };
    assert_eq!((entry, rule.code()), (0, "tile"));
    std::fs::remove_file(folder.path().join("public/tile/1/000.p/1")).unwrap();
    let found = go_on(&folder, &trust, Some(reread(&kept, &trust)));
    assert!(matches!(found, Err(AuditError::Source(SourceError::Missing { .. }))), "{found:?}");
}

#[test]
fn every_byte_of_what_was_kept_is_guarded() {
    let log = Honest::new();
    let trust = log.trust();
    let (_, kept) = go_on(&publish(&log.entries[..20]), &trust, None).unwrap();
    let good = kept.encode();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(Kept::decode(&bad, &trust).is_err(), "byte {at}");
    }
    for length in (0..good.len()).step_by(13) {
        assert!(Kept::decode(&good[..length], &trust).is_err(), "{length} bytes");
    }
    let other = self::trust(&RegistryId::new(ORIGIN, EventHash(Hash::from_bytes([1; 32]))).unwrap());
    assert!(matches!(Kept::decode(&good, &other), Err(KeptError::OtherRegistry { .. })));
}
