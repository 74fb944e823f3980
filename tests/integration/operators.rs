//! What an operator sets and sees: configuration, and what `serve` makes of it.

use std::path::Path;
use std::process::Command;

use crate::binary;
use crate::support::{Server, init};

/// A verb with nothing of this machine's environment but what is given.
fn say(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("UNDERSIGNED_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).envs(environment.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("registry.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_configuration_is_checked_with_where_each_value_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        "data_folder = \"/srv/registry\"\nlog = \"warn\"\n\n[connections]\nidle_timeout = \"1m\"\n",
    );
    let environment = [("UNDERSIGNED_LOG", "debug"), ("UNDERSIGNED_CONFIG", file.as_str())];
    let (code, out, error) = say(&["config", "check", "--listen", "127.0.0.1:7000"], &environment);
    assert_eq!((code, error.as_str()), (0, ""));
    let row = |name: &str| -> Vec<String> {
        let line = out.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        line.split("  ").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(row("data_folder"), ["data_folder", "/srv/registry", "file, line 1"]);
    assert_eq!(row("listen"), ["listen", "127.0.0.1:7000", "flag"]);
    assert_eq!(row("log"), ["log", "debug", "UNDERSIGNED_LOG"]);
    assert_eq!(row("connections.idle_timeout"), ["connections.idle_timeout", "1m", "file, line 5"]);
    assert_eq!(row("guard"), ["guard", "-", "default"]);
    let (code, out, _) = say(&["config", "check", "--json"], &environment);
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert!(said["settings"].as_array().unwrap().contains(
        &serde_json::json!({"name": "data_folder", "value": "/srv/registry", "from": "file, line 1"})
    ));
}

#[test]
fn a_wrong_configuration_is_refused_by_check_and_by_serve_in_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = init(binary(), folder.path());
    let file = write(folder.path(), "log_format = \"json\"\nlisen = \"127.0.0.1:0\"\n");
    let expected = format!("error: {file}, line 2: there is no setting \"lisen\"\ndid you mean listen?\n");
    let serve = ["serve", "--data", data.to_str().unwrap(), "--config", &file];
    for arguments in [&["config", "check", "--config", &file][..], &serve] {
        assert_eq!(say(arguments, &[]), (4, String::new(), expected.clone()), "{arguments:?}");
    }
    let (code, _, error) = say(&["config", "check", "--config", "absent.toml"], &[]);
    assert_eq!(code, 4);
    assert!(error.starts_with("error: cannot read the configuration file absent.toml: "), "{error}");
    let (code, _, error) = say(&["serve"], &[]);
    assert_eq!(code, 4);
    assert!(error.contains("--data-folder, UNDERSIGNED_DATA_FOLDER, or data_folder"), "{error}");
}

#[test]
fn a_registry_is_served_by_its_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = init(binary(), folder.path());
    let file = write(
        folder.path(),
        &format!("data_folder = {:?}\nlisten = \"127.0.0.1:0\"\n", data.to_str().unwrap()),
    );
    let server = Server::spawn(binary(), &["serve", "--json", "--config", &file]).unwrap();
    assert!(server.client().registry().is_ok());
    assert_eq!(server.stop().0, Some(0));
}
