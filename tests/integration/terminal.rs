//! A person at a terminal: what is typed, what is read, and words in the place of what differs from run to
//! run.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binary;
use crate::support::{Server, init};

/// A person at a terminal, in a folder of their own, beside a running registry.
pub(crate) struct Terminal {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
}

/// What one command came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, _) = init(binary(), folder.path());
        let server = Server::start(binary(), &data);
        std::fs::write(folder.path().join("pledge.txt"), "A pledge\n\nWe sign what we mean.\n").unwrap();
        std::fs::copy(data.join("registry.policy"), folder.path().join("registry.policy")).unwrap();
        Self { folder, server }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn run(&self, line: &str) -> Said {
        run_in(self.folder.path(), &self.server.url, line)
    }

    /// The command succeeds and prints this, after masking.
    pub(crate) fn says(&self, line: &str, expected: &str) {
        let said = self.run(line);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{line}: {said:?}");
        assert_eq!(masked(&said.out), expected.trim_start_matches('\n'), "{line}");
    }

    /// As [`Terminal::says`], with the columns of tables two spaces apart.
    pub(crate) fn tabulates(&self, line: &str, expected: &str) {
        let said = self.run(line);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{line}: {said:?}");
        let narrow = |line: &str| {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.collect::<Vec<_>>().join("  ")
        };
        let lines: Vec<String> = masked(&said.out).lines().map(narrow).collect();
        assert_eq!(lines.join("\n"), expected.trim_matches('\n'), "{line}");
    }

    /// The command fails with this code and exactly these words, and prints no result.
    pub(crate) fn fails(&self, line: &str, code: i32, expected: &str) {
        let said = self.run(line);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{line}: {said:?}");
        assert_eq!(masked(&said.error), expected, "{line}");
    }

    /// The command runs at a terminal of its own, where this is typed. What it shows there comes back.
    pub(crate) fn at_a_terminal(&self, line: &str, typed: &str) -> Said {
        let shell = format!("{} {line}", binary().display());
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--echo", "never", "--command", &shell, "/dev/null"])
            .current_dir(self.folder.path())
            .env("UNDERSIGNED_REGISTRY", &self.server.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        let out = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
        Said { code: output.status.code().unwrap_or(-1), out, error: String::new() }
    }

    pub(crate) fn succeeds(&self, line: &str) -> String {
        let said = self.run(line);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{line}: {said:?}");
        said.out
    }

    /// The one object that the verb prints for machines.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        let out = self.succeeds(&format!("--json {line}"));
        assert_eq!(out.lines().count(), 1, "{line}: one object on one line: {out}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
    }

    /// An organisation that has entered, and its statement.
    pub(crate) fn with_pledge() -> Self {
        let terminal = Self::new();
        terminal.succeeds("key new org");
        terminal.succeeds("party create --name Org --domain org.example --key org --out party.tlog-proof");
        terminal.succeeds(
            "statement publish pledge --kind pledge --key org --text en=pledge.txt --out v.tlog-proof",
        );
        terminal
    }
}

/// Runs a line, split at spaces, with no settings but the registry's address.
pub(crate) fn run_in(folder: &Path, url: &str, line: &str) -> Said {
    let mut command = Command::new(binary());
    command.args(line.split(' ')).current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("UNDERSIGNED_")) {
        command.env_remove(name);
    }
    let output = command.env("UNDERSIGNED_REGISTRY", url).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), error: text(&output.stderr) }
}

/// Puts words in the place of what differs from run to run.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = String::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(start) = rest.find(|letter: char| letter.is_ascii_alphanumeric()) {
            let (before, from) = rest.split_at(start);
            masked.push_str(before);
            let end = from.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
            masked.push_str(match word.len() {
                64 if is_hex => "HASH",
                16 if is_hex => "SHORT",
                _ => word,
            });
            rest = after;
        }
        masked.push_str(rest);
    }
    // A time is the only thing of this form: 2026-01-02T03:04:05Z.
    while let Some(at) = find_time(&masked) {
        masked.replace_range(at..at + 20, "TIME");
    }
    masked
}

fn find_time(text: &str) -> Option<usize> {
    let form = b"0000-00-00T00:00:00Z";
    text.as_bytes().windows(form.len()).position(|window| {
        window.iter().zip(form).all(|(found, expected)| match expected {
            b'0' => found.is_ascii_digit(),
            _ => found == expected,
        })
    })
}
