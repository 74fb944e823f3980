//! What is in force: flags, then the environment, then the file, then defaults, and where each came from.

use std::ffi::OsString;
use std::fmt;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches as _};

use super::{File, FileError, RELOADED_SECTIONS, Settings, section_of, table};

/// How alike two names must be for one to be proposed for the other.
const LIKENESS_MIN: f64 = 0.8;

/// What the command line and the environment say, before any file is read.
#[derive(Debug, Clone)]
pub struct Given {
    matches: ArgMatches,
}

impl clap::FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { matches: matches.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.matches = matches.clone();
        Ok(())
    }
}

impl clap::Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        Settings::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Settings::augment_args_for_update(command)
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// The environment, under this name.
    Environment(String),
    /// The configuration file, on this line.
    File(usize),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(name) => f.write_str(name),
            Self::File(line) => write!(f, "file, line {line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The section of the file that it belongs to; empty above the first.
    pub section: String,
    /// Its name in the file.
    pub name: String,
    /// Its text; none if it is unset and has no default.
    pub text: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

impl Value {
    /// Its name with its section.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self.section.as_str() {
            "" => self.name.clone(),
            section => format!("{section}.{}", self.name),
        }
    }
}

/// What changes between two readings of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting's name.
    pub name: String,
    /// The text that it had.
    pub old: Option<String>,
    /// The text that it has.
    pub new: Option<String>,
    /// Whether it takes effect without a restart.
    pub is_live: bool,
}

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The settings.
    pub settings: Settings,
    /// Each with where it came from, in the order of the table.
    pub values: Vec<Value>,
}

/// Why no settings can be put in force.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value that passed alone is refused with the others.
    #[error("the settings do not go together: {0}\nsee them all with: undersigned config check")]
    Together(String),
}

impl Given {
    /// What is in force with a file, or without one.
    ///
    /// # Errors
    /// The file names what is no setting, or gives it what is no value of it.
    pub fn with(&self, file: Option<&File>) -> Result<Effective, SettingsError> {
        let table = table();
        if let Some(file) = file {
            known(&table, file)?;
        }
        let mut arguments: Vec<OsString> = Vec::new();
        let mut values = Vec::new();
        for setting in table.get_arguments() {
            let id = setting.get_id().as_str();
            let line = file.and_then(|file| {
                let section = section_of(setting);
                file.lines.iter().find(|line| line.section == section && line.name == id)
            });
            let (said, origin) = match (self.matches.value_source(id), line) {
                (Some(ValueSource::CommandLine), _) => (self.raw(id), Origin::Flag),
                (Some(ValueSource::EnvVariable), _) => (self.raw(id), Origin::Environment(environment(id))),
                (_, Some(line)) => {
                    (line.values.iter().map(OsString::from).collect(), Origin::File(line.number))
                }
                (_, None) => (Vec::new(), Origin::Default),
            };
            let shown = if origin == Origin::Default {
                setting.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>()
            } else {
                said.iter().map(|value| value.to_string_lossy()).collect()
            };
            let text = (!shown.is_empty()).then(|| shown.join(", "));
            values.push(Value { section: section_of(setting), name: id.to_owned(), text, origin });
            arguments.extend(said.into_iter().map(|value| argument(id, value)));
        }
        let settings = table
            .try_get_matches_from(arguments)
            .and_then(|matches| Settings::from_arg_matches(&matches))
            .map_err(|error| SettingsError::Together(reason(&error)))?;
        Ok(Effective { settings, values })
    }

    fn raw(&self, id: &str) -> Vec<OsString> {
        self.matches.get_raw(id).map(|values| values.map(ToOwned::to_owned).collect()).unwrap_or_default()
    }
}

impl Effective {
    /// Each setting with where it came from, as machines read it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let values: Vec<_> = self
            .values
            .iter()
            .map(|value| {
                let from = value.origin.to_string();
                serde_json::json!({"name": value.full_name(), "value": value.text, "from": from})
            })
            .collect();
        serde_json::json!({ "settings": values })
    }

    /// These, but what needs a restart as it was.
    #[must_use]
    pub fn keeping(self, earlier: &Self) -> Self {
        let mut values = self.values;
        for (value, old) in values.iter_mut().zip(&earlier.values) {
            if !RELOADED_SECTIONS.contains(&value.section.as_str()) {
                value.clone_from(old);
            }
        }
        Self { settings: self.settings.keeping(&earlier.settings), values }
    }

    /// What is other than in earlier settings.
    #[must_use]
    pub fn changes(&self, earlier: &Self) -> Vec<Change> {
        self.values
            .iter()
            .zip(&earlier.values)
            .filter(|(new, old)| new.text != old.text)
            .map(|(new, old)| Change {
                name: new.name.clone(),
                old: old.text.clone(),
                new: new.text.clone(),
                is_live: RELOADED_SECTIONS.contains(&new.section.as_str()),
            })
            .collect()
    }
}

/// The name of a setting in the environment.
pub(super) fn environment(id: &str) -> String {
    format!("UNDERSIGNED_{}", id.to_uppercase())
}

/// The flag of a setting.
pub(super) fn flag(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}

/// A setting and its value in one word, so that no value can pass for a flag.
fn argument(id: &str, value: OsString) -> OsString {
    let mut argument = OsString::from(flag(id));
    argument.push("=");
    argument.push(value);
    argument
}

/// Every line of the file names a setting in its section and gives it a value.
fn known(table: &clap::Command, file: &File) -> Result<(), FileError> {
    for line in &file.lines {
        let wrong = |what: String, next: String| FileError::Line {
            path: file.path.clone(),
            line: line.number,
            what,
            next,
        };
        let Some(setting) = table.get_arguments().find(|setting| setting.get_id() == line.name.as_str())
        else {
            let what = format!("there is no setting {:?}", line.name);
            return Err(wrong(what, proposal(table, &line.name)));
        };
        let section = section_of(setting);
        if section != line.section {
            let place = match section.as_str() {
                "" => "above the first [section]".to_owned(),
                name => format!("below [{name}]"),
            };
            return Err(wrong(format!("{} does not belong there", line.name), format!("write it {place}")));
        }
        let takes_list = matches!(setting.get_action(), clap::ArgAction::Append);
        if !takes_list && line.values.len() != 1 {
            return Err(wrong(format!("{} takes one value", line.name), "write it without [ ]".to_owned()));
        }
        let alone = line.values.iter().map(|value| argument(&line.name, value.into()));
        if let Err(error) = table.clone().try_get_matches_from(alone) {
            return Err(wrong(
                format!("{} cannot be {:?}: {}", line.name, line.values.join(", "), reason(&error)),
                "see what it takes with: undersigned config reference".to_owned(),
            ));
        }
    }
    Ok(())
}

fn proposal(table: &clap::Command, name: &str) -> String {
    let alike = table
        .get_arguments()
        .map(|setting| {
            let id = setting.get_id().as_str();
            (strsim::jaro_winkler(name, id), id)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match alike {
        Some((_, id)) => format!("did you mean {id}?"),
        None => "see all settings with: undersigned config reference".to_owned(),
    }
}

/// Why clap refuses a value, without the usage that it would print for a command line.
fn reason(error: &clap::Error) -> String {
    use std::error::Error as _;
    if let Some(source) = error.source() {
        return source.to_string().replace('\n', "; ");
    }
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue)
        && !valid.is_empty()
    {
        return format!("it is one of: {}", valid.join(", "));
    }
    error.kind().to_string()
}
