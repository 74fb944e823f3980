//! The door: what is checked of a submission before it stands in line.
//!
//! Bytes only: form, signatures, blobs. Nothing here refuses by facts that may be older than the log;
//! only the sequencer knows.

use undersigned_registry::envelope::{CheckError, CheckedEnvelope, Submission, SubmissionError};
use undersigned_registry::event::{BlobRef, Body, Event};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// A checked envelope and the blobs that its event names.
#[derive(Debug)]
pub struct CheckedSubmission {
    /// The envelope, its signatures verified.
    pub envelope: CheckedEnvelope,
    /// The blobs, in the order in which the event names them.
    pub blobs: Vec<Vec<u8>>,
}

/// Why a submission is refused at the door.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Not a submission of the format.
    #[error(transparent)]
    Submission(#[from] SubmissionError),
    /// A key or signature that proves nothing.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A text that is not one.
    #[error("blob {position}: {rule}")]
    Text {
        /// Which blob, from 0.
        position: usize,
        /// The rule it breaks.
        rule: TextRule,
    },
}

/// Which rule for human text a blob breaks (`docs/spec/entry.md`, rules EN-60 to EN-64).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextRule {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Utf8,
    /// Not NFC.
    #[error("it is not in Unicode normalisation form C")]
    Nfc,
    /// A control character, a bidirectional control or an invisible character.
    #[error("it has a control character, a direction control or an invisible character")]
    Control,
    /// A line feed in a name or title.
    #[error("a name or title is one line")]
    OneLine,
    /// White space at an end of a name or title, or nothing but white space.
    #[error("a name or title begins and ends with something visible")]
    Ends,
}

impl TextRule {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Utf8 => "text-not-utf8",
            Self::Nfc => "text-not-nfc",
            Self::Control => "text-control",
            Self::OneLine => "text-one-line",
            Self::Ends => "text-ends",
        }
    }
}

impl Refused {
    /// The stable code of the rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Submission(error) => error.code(),
            Self::Check(error) => error.code(),
            Self::Text { rule, .. } => rule.code(),
        }
    }
}

/// Checks the bytes of a submission.
///
/// # Errors
/// The first rule that they break.
pub fn check(body: &[u8]) -> Result<CheckedSubmission, Refused> {
    admit(Submission::parse(body)?)
}

/// Checks a submission that is already read.
///
/// # Errors
/// The first rule that it breaks.
pub fn admit(submission: Submission) -> Result<CheckedSubmission, Refused> {
    let Submission { envelope, blobs } = submission;
    let named = envelope.event().blobs();
    for (position, (blob, bytes)) in named.iter().zip(&blobs).enumerate() {
        check_text(bytes, is_line(envelope.event(), blob))
            .map_err(|rule| Refused::Text { position, rule })?;
    }
    Ok(CheckedSubmission { envelope: envelope.check()?, blobs })
}

/// Whether a blob is a name or title, and so one line, rather than a whole text.
fn is_line(event: &Event, blob: &BlobRef) -> bool {
    match &event.body {
        Body::StatementVersion { texts, .. } => texts.iter().any(|text| text.title == *blob),
        _ => true,
    }
}

/// Checks human text: NFC UTF-8 with line feeds, nothing invisible.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_text(bytes: &[u8], one_line: bool) -> Result<(), TextRule> {
    let text = std::str::from_utf8(bytes).map_err(|_| TextRule::Utf8)?;
    let is_nfc = match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => text.nfc().eq(text.chars()),
    };
    if !is_nfc {
        return Err(TextRule::Nfc);
    }
    if one_line && text.contains('\n') {
        return Err(TextRule::OneLine);
    }
    if text.chars().any(|letter| letter != '\n' && is_unseen(letter)) {
        return Err(TextRule::Control);
    }
    if one_line && (text.trim().is_empty() || text.trim() != text) {
        return Err(TextRule::Ends);
    }
    Ok(())
}

/// Controls, direction controls (they can turn the text around them), and characters without a shape.
/// The zero-width joiners stay: several scripts cannot be written without them.
#[must_use]
pub fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_script_is_accepted() {
        for text in ["Zażółć gęślą jaźń", "مؤسسة المثال", "示例组织", "p≡p", "apertus°", "می‌خواهم"]
        {
            assert_eq!(check_text(text.as_bytes(), true), Ok(()), "{text}");
        }
        assert_eq!(check_text("one\n\ntwo\n".as_bytes(), false), Ok(()));
    }

    /// The vectors of `docs/spec/entry.md`, rules EN-60 to EN-64, which other languages read too.
    #[test]
    fn the_text_vectors_hold() {
        let table = include_str!("../tests/vectors/registry/texts.json");
        let table: serde_json::Value = serde_json::from_str(table).expect("the table is JSON");
        let bytes = |case: &serde_json::Value| match (case["text"].as_str(), case["hex"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(digits)) => hex::decode(digits).expect("the table has hex"),
            (None, None) => panic!("a case without bytes: {case}"),
        };
        let check = |case: &serde_json::Value| {
            let one_line = case["one_line"].as_bool().expect("a case says whether it is one line");
            check_text(&bytes(case), one_line).map_err(TextRule::code)
        };
        let cases = |list: &str| table[list].as_array().expect("the table has two lists").clone();
        for case in cases("accept") {
            assert_eq!(check(&case), Ok(()), "{case}");
        }
        for case in cases("refuse") {
            assert_eq!(check(&case), Err(case["code"].as_str().expect("a code")), "{case}");
        }
    }

    #[test]
    fn each_text_rule_refuses() {
        for (bytes, one_line, rule) in [
            (&b"\xff"[..], false, TextRule::Utf8),
            ("e\u{301}".as_bytes(), false, TextRule::Nfc),
            (b"a\r\nb", false, TextRule::Control),
            (b"a\tb", false, TextRule::Control),
            ("abc\u{202e}def".as_bytes(), true, TextRule::Control),
            ("\u{200b}".as_bytes(), true, TextRule::Control),
            (b"a\nb", true, TextRule::OneLine),
            (b" a", true, TextRule::Ends),
            (b"a ", true, TextRule::Ends),
            (b"  ", true, TextRule::Ends),
        ] {
            assert_eq!(check_text(bytes, one_line), Err(rule), "{bytes:?}");
        }
    }
}
