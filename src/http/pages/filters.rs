//! How templates show what is no plain number or word of ours: strangers' text, times, trust levels.

#![allow(unreachable_pub, reason = "what the attribute of a filter generates is public")]

use std::fmt::Write as _;

use askama::filters::{Escaper as _, Html, Safe};

use crate::admission::is_unseen;

/// A stranger's text: escaped, and what nobody could see in it written out. The door refuses such
/// characters; a log that was made under another door may hold them.
#[askama::filter_fn]
pub(super) fn shown(text: &str, _: &dyn askama::Values) -> askama::Result<Safe<String>> {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter != '\n' && is_unseen(letter) {
            write!(out, "<span class=\"unseen\">U+{:04X}</span>", u32::from(letter))?;
        } else {
            Html.write_escaped_char(&mut out, letter)?;
        }
    }
    Ok(Safe(out))
}

/// The same where no element can stand, as in the title of a window.
#[askama::filter_fn]
pub(super) fn shown_plain(text: &str, _: &dyn askama::Values) -> askama::Result<String> {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unseen(letter) {
            write!(out, "[U+{:04X}]", u32::from(letter))?;
        } else {
            out.push(letter);
        }
    }
    Ok(out)
}

/// The paragraphs of a text: what blank lines part.
#[askama::filter_fn]
pub(super) fn paragraphs(text: &str, _: &dyn askama::Values) -> askama::Result<Vec<String>> {
    Ok(text
        .split("\n\n")
        .map(|part| part.trim_matches('\n').to_owned())
        .filter(|part| !part.is_empty())
        .collect())
}

/// The day of a second in POSIX time.
#[askama::filter_fn]
pub(super) fn day(seconds: &u64, _: &dyn askama::Values) -> askama::Result<String> {
    let day = iso_of(*seconds).and_then(|iso| Some(iso.split_once('T')?.0.to_owned()));
    Ok(day.unwrap_or_else(|| "second".to_owned()))
}

/// Its time of day, always in UTC.
#[askama::filter_fn]
pub(super) fn clock(seconds: &u64, _: &dyn askama::Values) -> askama::Result<String> {
    let clock = iso_of(*seconds).and_then(|iso| Some(iso.split_once('T')?.1.replace('Z', " UTC")));
    Ok(clock.unwrap_or_else(|| seconds.to_string()))
}

/// The same for programs.
#[askama::filter_fn]
pub(super) fn iso(seconds: &u64, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(iso_of(*seconds).unwrap_or_default())
}

fn iso_of(seconds: u64) -> Option<String> {
    crate::listing::rfc3339(seconds)
}

/// A number of seconds in the largest unit that it is whole in.
#[askama::filter_fn]
pub(super) fn duration(seconds: &u64, _: &dyn askama::Values) -> askama::Result<String> {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole = units.into_iter().find(|(length, _)| *seconds > 0 && seconds.is_multiple_of(*length));
    let (length, unit) = whole.unwrap_or((1, "second"));
    let count = seconds / length;
    Ok(if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") })
}

/// A trust level in a word.
#[askama::filter_fn]
pub(super) fn level(level: &u8, _: &dyn askama::Values) -> askama::Result<&'static str> {
    Ok(match level {
        0 => "claimed",
        1 => "mailbox checked",
        2 => "domain checked",
        3 => "legal entity checked",
        4 => "authority checked",
        _ => "unknown",
    })
}

/// A trust level in a sentence: what was checked, and what was not.
#[askama::filter_fn]
pub(super) fn level_meaning(level: &u8, _: &dyn askama::Values) -> askama::Result<&'static str> {
    Ok(match level {
        0 => "Anyone can claim this name. The key is proved, who holds it is not.",
        1 => "Somebody reads mail on the domain. Who they are is not proved.",
        2 => "Whoever holds the key controls the domain.",
        3 => "The domain is controlled, and a legal entity of this name stands behind it.",
        4 => "As before, and the person who signed may sign for it.",
        _ => "This page does not know what the level means.",
    })
}

/// The beginning of a long id, for lines that people read; the whole one stands beside it or behind a link.
#[askama::filter_fn]
pub(super) fn short(id: &str, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(id.chars().take(12).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::super::filters;

    #[derive(Template)]
    #[template(
        ext = "html",
        source = "{{ text|shown }}|{{ seconds|day }} {{ seconds|clock }}|{{ seconds|iso }}"
    )]
    struct Sample<'a> {
        text: &'a str,
        seconds: u64,
    }

    fn check(text: &str, seconds: u64, expected: &str) {
        assert_eq!(Sample { text, seconds }.render().expect("a template without I/O"), expected);
    }

    #[test]
    fn what_strangers_wrote_stays_text() {
        let time = "1970-01-01 00:00:00 UTC|1970-01-01T00:00:00Z";
        check("<script>alert(1)</script>", 0, &format!("&#60;script&#62;alert(1)&#60;/script&#62;|{time}"));
        check("a\" onload='x' & b", 0, &format!("a&#34; onload=&#39;x&#39; &#38; b|{time}"));
        check("a\u{202e}b", 0, &format!("a<span class=\"unseen\">U+202E</span>b|{time}"));
        check("جمعية الجسر", 0, &format!("جمعية الجسر|{time}"));
    }

    #[derive(Template)]
    #[template(ext = "html", source = "{{ seconds|duration }}")]
    struct Lasting {
        seconds: u64,
    }

    #[test]
    fn durations_have_the_largest_whole_unit() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (300, "5 minutes"),
            (3_600, "1 hour"),
            (604_800, "7 days"),
        ] {
            assert_eq!(Lasting { seconds }.render().expect("a template without I/O"), expected);
        }
    }

    #[test]
    fn times_are_in_utc() {
        check("", 951_782_400, "|2000-02-29 00:00:00 UTC|2000-02-29T00:00:00Z");
        check("", u64::MAX, "|second 18446744073709551615|");
    }
}
