//! The table keeps its promises, and files say what they mean or are refused with their line.

use std::path::Path;

use clap::{Args as _, FromArgMatches as _};

use super::effective::{environment, flag};
use super::*;

/// What a command line and a file come to.
fn check(arguments: &[&str], file: &str) -> Result<Effective, String> {
    let command = Given::augment_args(clap::Command::new("x").no_binary_name(true))
        .mut_args(|setting| setting.env(Resettable::Reset));
    let matches = command.try_get_matches_from(arguments).map_err(|error| error.to_string())?;
    let given = Given::from_arg_matches(&matches).expect("given");
    let file = File::parse(Path::new("x.toml"), file).map_err(|error| error.to_string())?;
    given.with(Some(&file)).map_err(|error| error.to_string())
}

fn origin(effective: &Effective, name: &str) -> Origin {
    effective.values.iter().find(|value| value.name == name).expect("a setting").origin.clone()
}

#[test]
fn every_setting_has_one_name_and_says_what_it_is() {
    let mut command = clap::Command::new("x");
    command = Settings::augment_args(command);
    let sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    for setting in command.get_arguments() {
        let id = setting.get_id().as_str();
        assert_eq!(setting.get_long().map(|long| format!("--{long}")), Some(flag(id)), "{id}");
        let named = setting.get_env().map(|name| name.to_string_lossy().into_owned());
        assert_eq!(named, Some(environment(id)), "{id}");
        assert!(setting.get_help().is_some(), "{id} has a comment");
        assert!(sections.contains(&section_of(setting).as_str()), "{id} is in a known section");
        // What takes no value could not stand in a file.
        let action = setting.get_action();
        assert!(matches!(action, clap::ArgAction::Set | clap::ArgAction::Append), "{id}");
        assert!(!setting.is_required_set(), "{id} may come from the file");
    }
    assert!(RELOADED_SECTIONS.iter().all(|section| sections.contains(section)));
}

#[test]
fn nothing_given_is_the_defaults_of_the_code() {
    let effective = check(&[], "").expect("defaults");
    assert!(effective.values.iter().all(|value| value.origin == Origin::Default));
    let limits = effective.settings.connections.accept_limits();
    assert_eq!(format!("{limits:?}"), format!("{:?}", AcceptLimits::default()));
    assert_eq!(effective.settings.limits, Limits::default());
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    let file =
        "listen = \"127.0.0.1:1\"\nlog = \"warn\"\n\n[connections]\nidle_timeout = \"1m\"\nstreams_max = 7\n";
    let effective = check(&["--listen", "127.0.0.1:2"], file).expect("settings");
    assert_eq!(effective.settings.listen.port(), 2);
    assert_eq!(effective.settings.connections.idle_timeout, Duration::from_secs(60));
    assert_eq!(effective.settings.connections.streams_max, 7);
    assert_eq!(origin(&effective, "listen"), Origin::Flag);
    assert_eq!(origin(&effective, "idle_timeout"), Origin::File(5));
    assert_eq!(origin(&effective, "guard"), Origin::Default);
    assert_eq!(effective.settings.guard, None);
}

#[test]
fn what_a_file_says_wrongly_is_refused_with_its_line() {
    for (file, line, words) in [
        ("lisen = \"127.0.0.1:1\"", 1, "did you mean listen?"),
        ("\nguard = \"/g\"\nwhatever = 1", 3, "there is no setting \"whatever\""),
        ("[connection]\nidle_timeout = \"1m\"", 2, "below [connections]"),
        ("idle_timeout = \"1m\"", 1, "below [connections]"),
        ("[connections]\nlisten = \"127.0.0.1:1\"", 2, "above the first [section]"),
        ("# x\nlisten = \"nowhere\"", 2, "listen cannot be \"nowhere\": invalid socket address syntax"),
        ("listen = [\"127.0.0.1:1\"]\nlisten = \"127.0.0.1:2\"", 2, "duplicate key"),
        ("guard = [\"/a\", \"/b\"]", 1, "guard takes one value"),
        ("guard = []", 1, "guard takes one value"),
        ("guard = { path = \"/a\" }", 1, "there is no setting \"path\""),
        ("guard = 1.5", 1, "guard is of a kind that no setting takes"),
        ("guard = [[\"/a\"]]", 1, "guard is a list of something"),
        ("log_format = \"xml\"", 1, "it is one of: text, json"),
        ("log = \"loud\"", 1, "not a filter"),
        ("[connections]\nidle_timeout = 30", 2, "not a time"),
        ("[connections]\nidle_timeout = \"1ms\"", 2, "a time here is from 500ms to 1h"),
        ("[connections]\nidle_timeout = \"2h\"", 2, "a time here is from 500ms to 1h"),
        ("[connections]\nstreams_max = 0", 2, "0 is not in 1..=1024"),
        ("[connections]\nstreams_max = -1", 2, "streams_max cannot be \"-1\""),
        ("[connections]\nstreams_max = 0x10", 2, "of a kind that no setting takes"),
        ("[limits]\naddress_writes_per_second = 1", 2, "did you mean address_writes_per_minute?"),
        ("[limits]\nconnections_max = -1", 2, "connections_max cannot be \"-1\""),
        ("[limits]\ntrusted_proxies = [\"127.0.0.1\", \"proxy.example\"]", 2, "is no address and no network"),
        ("[limits]\nproxy_header = \"via\"", 2, "it is one of: x-forwarded-for, forwarded"),
        ("listen = \"127.0.0.1:1", 1, "quotes"),
        ("config = \"other.toml\"", 1, "there is no setting \"config\""),
        ("log = \"--listen=127.0.0.1:9\"", 1, "not a filter"),
    ] {
        let said = check(&[], file).expect_err(file);
        assert!(said.starts_with(&format!("x.toml, line {line}: ")), "{file:?}: {said}");
        assert!(said.contains(words), "{file:?}: {said}");
        assert!(said.lines().count() >= 2, "{file:?} says what to do: {said}");
    }
}

#[test]
fn the_same_words_rightly_are_taken() {
    for file in [
        "listen = \"[::1]:1\"",
        "guard = \"/a b/c\"",
        "connections.idle_timeout = \"1m 30s\"",
        "log_format = \"json\"",
        "log = \"warn,undersigned::sequencer=debug\"",
        "[connections]\nstreams_max = 1_024",
        "[limits]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\nproxy_header = \"forwarded\"",
        "[limits]\ntrusted_proxies = []\nconnections_max = 0",
    ] {
        check(&[], file).expect(file);
    }
}

#[test]
fn what_differs_between_two_readings_is_named() {
    let old = check(&[], "listen = \"127.0.0.1:1\"").expect("settings");
    let new = check(&[], "log = \"debug\"").expect("settings");
    let changes = new.changes(&old);
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["listen", "log"]);
    assert_eq!(changes[0].old.as_deref(), Some("127.0.0.1:1"));
    assert_eq!(changes[0].new.as_deref(), Some("127.0.0.1:6962"));
    assert!(new.changes(&new).is_empty());
    assert!(changes.iter().all(|change| !change.is_live));
    // Only limits change without a restart, in what is in force and in what is shown.
    let limited = check(&[], "log = \"debug\"\n[limits]\nconnections_max = 7\n").expect("settings");
    let live: Vec<String> =
        limited.changes(&old).into_iter().filter(|change| change.is_live).map(|change| change.name).collect();
    assert_eq!(live, ["connections_max"]);
    let kept = limited.keeping(&old);
    assert_eq!((kept.settings.limits.connections_max, kept.settings.listen.port()), (7, 1));
    let shown = kept.to_json().to_string();
    assert!(shown.contains("\"127.0.0.1:1\"") && !shown.contains("\"debug\""), "{shown}");
}

#[test]
fn the_example_is_a_file_and_its_lines_are_the_defaults() {
    check(&[], &example()).expect("as it is");
    // With every line that has a default made real, and the others left out.
    let table = table();
    let real: String = example()
        .lines()
        .filter_map(|line| {
            let Some(set) = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')) else {
                return Some(format!("{line}\n"));
            };
            let (name, _) = set.split_once(" = ").expect("a setting");
            let setting = table.get_arguments().find(|setting| setting.get_id() == name).expect("a setting");
            (!setting.get_default_values().is_empty()).then(|| format!("{set}\n"))
        })
        .collect();
    assert_eq!(check(&[], &real).expect("settings").settings, check(&[], "").expect("settings").settings);
}

#[test]
fn the_page_of_settings_is_made_from_the_code() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md"))
        .expect("docs/configuration.md");
    assert_eq!(page, reference(), "make it anew with: undersigned config reference > docs/configuration.md");
}
