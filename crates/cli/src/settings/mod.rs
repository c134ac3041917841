//! Settings: what is in force where no flag says otherwise, and who said so.
//!
//! ```text
//!   --flag  over  DFRAME_* of the environment  over  ./dframe.toml  over  the user's dframe.toml
//! ```
//!
//! What a file says becomes the default of the flag, below the environment, so that `clap` does the rest. The
//! flags themselves are in `args`.

mod file;

use std::num::NonZero;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use dframe::Result;

use file::Found;

/// Something that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in files and, after `--`, as a flag.
    pub name: &'static str,
    /// The argument that files and the environment set.
    id: &'static str,
    /// The argument that its flag sets.
    flag_id: &'static str,
    /// What it is if nobody says anything.
    usual: fn() -> String,
}

impl Setting {
    const fn new(name: &'static str, id: &'static str, usual: fn() -> String) -> Self {
        Self { name, id, flag_id: id, usual }
    }

    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("DFRAME_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// All of them, in the order in which they are shown.
pub const SETTINGS: [Setting; 7] = [
    Setting::new("memory-limit", "memory_limit", || "70%".into()),
    Setting::new("threads", "threads", cores),
    Setting::new("temp-dir", "temp_dir", || std::env::temp_dir().display().to_string()),
    Setting::new("temp-limit", "temp_limit", || "none".into()),
    Setting::new("progress", "progress", || "auto".into()),
    Setting {
        flag_id: "format",
        ..Setting::new("format", "usual_format", || "table, csv in a pipe".into())
    },
    Setting::new("error-format", "error_format", || "text".into()),
];

fn cores() -> String {
    std::thread::available_parallelism().map_or(1, NonZero::get).to_string()
}

/// What the files say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    found: Vec<Found>,
}

/// A setting, what it is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The setting's name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// A flag, a variable, a place in a file, or the default.
    pub origin: String,
}

impl Settings {
    /// Reads `dframe.toml` in the working directory and the user's.
    ///
    /// # Errors
    /// One of them cannot be read, or says what it cannot say.
    pub fn read() -> Result<Self> {
        let mut found = Vec::new();
        for path in paths() {
            found.extend(file::read(&path)?);
        }
        Ok(Self { found })
    }

    /// The command line, with what the files say for defaults.
    pub fn apply(&self, command: Command) -> Command {
        let command = command.mut_args(|arg| match self.of(arg.get_id().as_str()) {
            Some(found) => arg.default_value(found.value.clone()).hide_default_value(true),
            None => arg,
        });
        command.mut_subcommands(|subcommand| self.apply(subcommand))
    }

    /// What a file says of a setting.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.found.iter().find(|found| found.setting.name == name);
        found.map(|found| found.value.as_str())
    }

    /// All settings, as they are for a subcommand.
    pub fn in_force(&self, matches: &ArgMatches) -> Vec<InForce> {
        SETTINGS.iter().map(|setting| self.one_in_force(setting, matches)).collect()
    }

    fn one_in_force(&self, setting: &Setting, matches: &ArgMatches) -> InForce {
        let raw = |id| {
            let value = matches.try_get_raw(id).ok().flatten()?.next()?;
            Some(value.to_string_lossy().into_owned())
        };
        let is_flag = matches.value_source(setting.flag_id) == Some(ValueSource::CommandLine);
        let is_variable = matches.value_source(setting.id) == Some(ValueSource::EnvVariable);
        let (value, origin) = match self.of(setting.id) {
            _ if is_flag => (raw(setting.flag_id), format!("--{}", setting.name)),
            _ if is_variable => (raw(setting.id), setting.variable()),
            Some(found) => (Some(found.value.clone()), found.place()),
            None => (None, "default".to_string()),
        };
        let value = value.unwrap_or_else(|| (setting.usual)());
        InForce { name: setting.name, value, origin }
    }

    /// The first that says something: the files are in the order of their rank.
    fn of(&self, id: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.setting.id == id)
    }
}

/// The variable of the environment whose value is no value for its setting, if that is what the error is about.
pub fn variable_at_fault(error: &clap::Error, words: &[String]) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg)?;
    let flag = argument.split(' ').next()?;
    let given = words.iter().any(|word| word.split('=').next() == Some(flag));
    // The flag that the environment stands for is hidden.
    let name = flag.strip_prefix("--").map(|name| name.trim_start_matches("usual-"))?;
    let setting = SETTINGS.iter().find(|setting| setting.name == name).filter(|_| !given)?;
    let variable = setting.variable();
    let value = std::env::var(&variable).ok()?;
    (context(ContextKind::InvalidValue) == Some(&value)).then_some(variable)
}

/// The files that are there, those that go first before others.
fn paths() -> Vec<PathBuf> {
    const NAME: &str = "dframe.toml";
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let users = config.map(|config| config.join("dframe").join(NAME));
    std::iter::once(PathBuf::from(NAME)).chain(users).filter(|path| path.exists()).collect()
}
