//! The table of settings in words (`docs/configuration.md`), and as a file to begin with.

use std::fmt::Write as _;

use super::effective::{environment, flag};
use super::{RELOADED_SECTIONS, SECTIONS, section_of, table};

const HEAD: &str = "# Settings of `undersigned serve`

<!-- Made by `undersigned config reference` from the settings in the code; a test compares. -->

Each setting has one name: as a flag with hyphens, in the environment in capitals after `UNDERSIGNED_`, in the configuration file as it is.
A flag goes before the environment, the environment before the file, the file before the default.

The configuration file is TOML and is named by `--config PATH` or `UNDERSIGNED_CONFIG`; none is read unless it is named.
What is no setting, stands in another section or has no sense is refused with its line, and nothing is started.

```
$ undersigned config example > undersigned.toml    # a file with every setting at its default
$ undersigned config check --config undersigned.toml    # what is in force, and where each value came from
$ undersigned serve --config undersigned.toml
```

";

/// The reference of all settings, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for (section, about) in SECTIONS {
        let title = match *section {
            "" => "Above the first section".to_owned(),
            name => format!("`[{name}]`"),
        };
        // Writing to a text does not fail.
        let _ = write!(page, "## {title}\n\n{about}\n\n");
        for setting in table().get_arguments().filter(|setting| section_of(setting) == *section) {
            setting_in_words(&mut page, setting);
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn setting_in_words(page: &mut String, setting: &clap::Arg) {
    let id = setting.get_id().as_str();
    let _ = write!(page, "### `{id}`\n\n");
    for paragraph in paragraphs(setting) {
        let _ = write!(page, "{paragraph}\n\n");
    }
    let default = match defaults(setting).as_slice() {
        [] => "unset".to_owned(),
        values => format!("`{}`", values.join(", ")),
    };
    let section = section_of(setting);
    let effect = if RELOADED_SECTIONS.contains(&section.as_str()) { "on SIGHUP" } else { "after a restart" };
    let mut flags = format!("`{}`", flag(id));
    for alias in setting.get_visible_aliases().unwrap_or_default() {
        let _ = write!(flags, ", `--{alias}`");
    }
    let _ = write!(
        page,
        "| flag | environment | default | takes effect |\n|---|---|---|---|\n| {flags} | `{}` | {default} | {effect} |\n\n",
        environment(id)
    );
}

/// What is said of a setting, one paragraph each.
fn paragraphs(setting: &clap::Arg) -> Vec<String> {
    let text = setting.get_long_help().or_else(|| setting.get_help()).map(ToString::to_string);
    let text = text.unwrap_or_default();
    let mut paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| {
            let paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if paragraph.ends_with(['.', '?', ':', '"']) { paragraph } else { format!("{paragraph}.") }
        })
        .collect();
    let possible: Vec<String> = setting
        .get_possible_values()
        .iter()
        .map(|value| {
            let help = value.get_help().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("`{}`{help}", value.get_name())
        })
        .collect();
    if !possible.is_empty() {
        paragraphs.push(format!("One of {}.", possible.join(", ")));
    }
    paragraphs
}

fn defaults(setting: &clap::Arg) -> Vec<String> {
    setting.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect()
}

/// A configuration file in which every setting stands at its default, commented out.
#[must_use]
pub fn example() -> String {
    let mut file = "# Settings of undersigned serve. Each line that is commented out shows the default.\n\
                    # Check it with: undersigned config check --config THIS-FILE\n"
        .to_owned();
    for (section, about) in SECTIONS {
        match *section {
            "" => {}
            name => {
                let _ = write!(file, "\n[{name}]\n");
            }
        }
        let _ = writeln!(file, "# {about}");
        for setting in table().get_arguments().filter(|setting| section_of(setting) == *section) {
            file.push('\n');
            for paragraph in paragraphs(setting) {
                let _ = writeln!(file, "# {paragraph}");
            }
            let id = setting.get_id().as_str();
            let takes_list = matches!(setting.get_action(), clap::ArgAction::Append);
            let values = defaults(setting);
            let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
            let value = match (takes_list, quoted.as_slice()) {
                (true, values) => format!("[{}]", values.join(", ")),
                (false, [value, ..]) => value.clone(),
                // No default: what it takes is shown, not a value.
                (false, []) => {
                    let names = setting.get_value_names().unwrap_or_default();
                    quote(names.first().map_or("VALUE", |name| name.as_str()))
                }
            };
            let _ = writeln!(file, "#{id} = {value}");
        }
    }
    file
}

/// A value as TOML has it; defaults hold neither quotes nor control characters.
fn quote(value: &str) -> String {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    }
}
