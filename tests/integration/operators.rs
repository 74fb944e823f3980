//! What an operator sets and sees: configuration, and what `serve` makes of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use tokio::sync::watch;
use tower::ServiceExt as _;
use undersigned::clock::{ClockJumped, GivenClock};
use undersigned::node::{Node, Place};
use undersigned::telemetry::meters;
use undersigned::{admission, http};
use undersigned_tlog::hash::sha256;

use crate::binary;
use crate::support::{Server, init, now, party, publish};

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

/// A plain GET; returns the status and the body.
fn get(url: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The value of one series.
fn reading(metrics: &str, series: &str) -> f64 {
    let line =
        metrics.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {series} in:\n{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_admin_listener_reads_out_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let server = Server::try_start(binary(), &data, &["--admin-listen", "127.0.0.1:0"]).unwrap();
    let admin = server.admin_url.clone().unwrap();
    let client = server.client();
    publish(&client, &registry, 1, "pledge");
    client.submit(&party(&registry, 2).0).unwrap();
    // Refused by the law: the domain's party is there, and by the door: no JSON.
    let (mut refused, _) = party(&registry, 3);
    refused.envelope = party(&registry, 4).0.envelope;
    assert!(client.submit(&refused).is_err());
    assert_eq!(get(&server.url, "/v1/statements").0, 200);
    assert_eq!(get(&server.url, "/v1/no-such-address").0, 404);
    // The index is behind the log; a list waits for it, so it is there by now. What a loop measures of
    // itself it writes down a moment after.
    let measured = |metrics: &str| {
        ["index", "settle"].iter().all(|phase| metrics.contains(&format!("_count{{phase=\"{phase}\"}}")))
    };
    let metrics = loop {
        let (status, metrics) = get(&admin, "/metrics");
        assert_eq!(status, 200);
        if measured(&metrics) {
            break metrics;
        }
    };
    assert_eq!(reading(&metrics, "undersigned_tree_size"), 5.0);
    assert_eq!(reading(&metrics, "undersigned_guard_size"), 5.0);
    assert_eq!(reading(&metrics, "undersigned_indexed_entries"), 5.0);
    assert_eq!(reading(&metrics, "undersigned_entries_total"), 4.0);
    assert_eq!(reading(&metrics, "undersigned_problems_total{code=\"blob-mismatch\"}"), 1.0);
    assert_eq!(reading(&metrics, "undersigned_problems_total{code=\"not-found\"}"), 1.0);
    let created = "undersigned_requests_total{route=\"/v1/entries\",method=\"POST\",status=\"201\"}";
    assert_eq!(reading(&metrics, created), 4.0);
    assert_eq!(reading(&metrics, "undersigned_intake_closed{reason=\"storage\"}"), 0.0);
    for phase in ["decide", "blobs", "create", "sign", "apply", "publish", "index"] {
        let count = format!("undersigned_commit_phase_seconds_count{{phase=\"{phase}\"}}");
        assert!(reading(&metrics, &count) >= 1.0, "{phase}");
    }
    for queue in ["intake", "questions", "publish", "settle"] {
        assert!(reading(&metrics, &format!("undersigned_queue_limit{{queue=\"{queue}\"}}")) > 0.0);
    }
    // Every series is one of the table, and every row of it that is not a matter of chance has one.
    for line in metrics.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(meters::METERS.iter().any(|meter| meter.name == name), "{name} is not in the table");
    }
    for meter in meters::METERS.iter().filter(|meter| meter.name != "undersigned_config_reloads_total") {
        assert!(metrics.contains(&format!("# TYPE {} {}", meter.name, meter.kind)), "{}", meter.name);
    }
    assert_eq!(get(&admin, "/healthz").0, 200);
    let (_, settings) = get(&admin, "/settings");
    assert!(settings.contains("\"admin_listen\""), "{settings}");
    // Nothing of the operator's on the public side, and nothing of the public side here.
    assert_eq!(get(&server.url, "/metrics").0, 404);
    assert_eq!(get(&server.url, "/settings").0, 404);
    assert_eq!(get(&admin, "/checkpoint").0, 404);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn health_is_seen_through_the_checkpoint_that_readers_get() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let server = Server::try_start(binary(), &data, &["--admin-listen", "127.0.0.1:0"]).unwrap();
    let admin = server.admin_url.clone().unwrap();
    let checkpoint = data.join("public/checkpoint");
    let old = std::fs::read(&checkpoint).unwrap();
    server.client().submit(&party(&registry, 1).0).unwrap();
    let whole = std::fs::read(&checkpoint).unwrap();
    let (status, body) = get(&server.url, "/healthz");
    assert_eq!(status, 200);
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((said["tree_size"].as_u64(), said["intake"].as_str()), (Some(2), Some("open")));
    for wrong in [&old[..], b"torn", b""] {
        std::fs::write(&checkpoint, wrong).unwrap();
        assert_eq!(get(&server.url, "/healthz").0, 500, "{}", String::from_utf8_lossy(wrong));
        assert_eq!(get(&admin, "/healthz").0, 500);
    }
    std::fs::remove_file(&checkpoint).unwrap();
    assert_eq!(get(&server.url, "/healthz").0, 500);
    std::fs::write(&checkpoint, whole).unwrap();
    assert_eq!((get(&server.url, "/healthz").0, get(&admin, "/healthz").0), (200, 200));
}

#[test]
fn what_stops_new_entries_brings_the_operator_and_leaves_the_readers() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let clock = Arc::new(GivenClock::at(now()));
    let node = Node::open(&Place { data, guard: None }, clock.clone()).unwrap();
    let handle = node.handle();
    let public = http::app(node.handle(), Arc::default());
    let (_shown, settings) = watch::channel(serde_json::Value::Null);
    // The one test of this program that counts in its own process.
    let admin = http::admin(node.handle(), meters::start().unwrap(), settings);
    assert!(meters::start().is_err(), "counting begins once");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |app: &Router, path: &str| {
        let request = Request::get(path).header("host", "registry").body(Body::empty()).unwrap();
        runtime.block_on(async {
            let response = app.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        })
    };
    let submit = || {
        let submission = admission::check(&party(&registry, 1).0.encode()).unwrap();
        handle.intake.submit(submission, 1_000).unwrap().blocking_recv().unwrap().is_ok()
    };
    let health = || (ask(&public, "/healthz"), ask(&admin, "/healthz"));
    let is_closed = || reading(&ask(&admin, "/metrics").1, "undersigned_intake_closed{reason=\"clock\"}");
    assert_eq!((health().0.0, health().1.0, is_closed()), (200, 200, 0.0));
    clock.report_jump(Some(ClockJumped { seconds: 86_400 }));
    assert!(!submit());
    while handle.intake.closed_for().is_none() {
        std::thread::yield_now();
    }
    let (readers, operator) = health();
    assert_eq!((readers.0, operator.0, is_closed()), (200, 503, 1.0));
    assert!(readers.1.contains("\"intake\":\"clock\""), "{}", readers.1);
    assert!(operator.1.contains("\"code\":\"clock\""), "{}", operator.1);
    clock.report_jump(None);
    assert!(submit());
    while handle.intake.closed_for().is_some() {
        std::thread::yield_now();
    }
    assert_eq!((health().0.0, health().1.0, is_closed()), (200, 200, 0.0));
    // A log whose loops have ended is not one to send readers to.
    drop((public, admin));
    let public = http::app(node.handle(), Arc::default());
    let stopped = node.stopped();
    drop(handle.intake.ask(|_| -> () { panic!("a question of this test") }).unwrap());
    while !*stopped.borrow() {
        std::thread::yield_now();
    }
    let (status, said) = ask(&public, "/healthz");
    assert!(status == 503 && said.contains("\"code\":\"stopping\""), "{said}");
}

#[test]
fn no_body_text_or_key_is_ever_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let log = folder.path().join("log");
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--log", "trace", "--log-format", "json"]);
    command.arg("--data").arg(&data).stderr(std::fs::File::create(&log).unwrap());
    let server = Server::from_command(&mut command).unwrap();
    let client = server.client();
    publish(&client, &registry, 1, "pledge-in-the-log");
    let (entered, _) = party(&registry, 2);
    assert!(client.submit(&entered).is_ok() && client.submit(&entered).is_ok(), "a repeat is no entry");
    let (mut refused, _) = party(&registry, 3);
    refused.blobs = vec![b"Another name".to_vec()];
    assert!(client.submit(&refused).is_err());
    assert_eq!(get(&server.url, "/v1/no-such-address").0, 404);
    assert_eq!(server.stop().0, Some(0));
    let log = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let said = |message: &str| -> Vec<&serde_json::Value> {
        lines.iter().filter(|line| line["fields"]["message"] == message).collect()
    };
    // Four entries in four batches, each once, and each refusal with its code.
    assert_eq!(said("committed").len(), 4);
    assert!(said("committed").iter().all(|line| line["level"] == "INFO" && line["fields"]["size"].is_u64()));
    assert!(said("published").len() >= 4);
    let codes: Vec<_> = said("refused").iter().map(|line| line["fields"]["code"].clone()).collect();
    assert_eq!(codes, ["blob-mismatch", "not-found"]);
    assert_eq!(said("refused")[1]["level"], "DEBUG", "what is below info was written too");
    let seed = sha256(&[b"test key", &1_u64.to_be_bytes()]);
    let log_key = std::fs::read_to_string(data.join("private/log.key")).unwrap();
    // PRIVATE+KEY+name+id+seed, where the seed's base64 may hold a plus too.
    let log_seed = log_key.trim().splitn(5, '+').nth(4).unwrap();
    assert!(log_seed.len() >= 40, "a seed");
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    for secret in [
        "Organisation 1",
        "Another name",
        "We sign what we mean",
        "pledge-in-the-log",
        &base64(b"Organisation 1"),
        &base64(b"We sign what we mean.\n"),
        &seed.to_hex(),
        &base64(seed.as_bytes()),
        log_seed,
        "\"proofs\"",
        "\\\"proofs\\\"",
        "test.registry.example/log+",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Waits until a file has so many lines with these words.
fn wait_for(path: &Path, words: &str, count: usize) -> Vec<String> {
    loop {
        let log = std::fs::read_to_string(path).unwrap();
        let found: Vec<String> = log.lines().filter(|line| line.contains(words)).map(str::to_owned).collect();
        if found.len() >= count {
            return found;
        }
        std::thread::yield_now();
    }
}

fn hang_up(server: &Server) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}

#[test]
fn a_reload_changes_limits_and_nothing_else_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trust) = init(binary(), folder.path());
    let registry = trust.registry().unwrap().clone();
    let log = folder.path().join("log");
    let file = |more: &str| {
        write(
            folder.path(),
            &format!(
                "data_folder = {:?}\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n{more}",
                data.to_str().unwrap()
            ),
        )
    };
    let path = file("[limits]\naddress_writes_per_minute = 1\n");
    let mut command = Command::new(binary());
    command.args(["serve", "--json", "--config", &path]).stderr(std::fs::File::create(&log).unwrap());
    let server = Server::from_command(&mut command).unwrap();
    let admin = server.admin_url.clone().unwrap();
    let post = || client_post(&server.url);
    assert_eq!(post(), 400);
    assert_eq!(post(), 429, "one a minute");
    // Refused as a whole: also the half of it that is right.
    file("[limits]\naddress_writes_per_minute = 0\nconnections_maximum = 1\n");
    hang_up(&server);
    let refused = wait_for(&log, "configuration refused", 1);
    assert!(refused[0].contains("line 6") && refused[0].contains("connections_max"), "{refused:?}");
    assert_eq!(post(), 429);
    // Taken: the limit is gone; what needs a restart is named and stays.
    file("log = \"debug\"\n[limits]\naddress_writes_per_minute = 0\n");
    hang_up(&server);
    wait_for(&log, "configuration read again", 1);
    let changed = wait_for(&log, "setting changed", 1);
    assert!(changed[0].contains("address_writes_per_minute"), "{changed:?}");
    let named = wait_for(&log, "needs a restart", 1);
    assert!(named[0].contains("log") && named[0].contains("debug"), "{named:?}");
    while post() == 429 {
        std::thread::yield_now();
    }
    let (_, settings) = get(&admin, "/settings");
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    let value = |name: &str| {
        let all = settings["settings"].as_array().unwrap();
        all.iter().find(|row| row["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value("limits.address_writes_per_minute"), "0");
    assert_eq!(value("log"), "info");
    let (_, metrics) = get(&admin, "/metrics");
    assert_eq!(reading(&metrics, "undersigned_config_reloads_total{outcome=\"taken\"}"), 1.0);
    assert_eq!(reading(&metrics, "undersigned_config_reloads_total{outcome=\"refused\"}"), 1.0);
    server.client().submit(&party(&registry, 1).0).unwrap();
    assert_eq!(server.stop().0, Some(0));
}

/// A POST whose body is no submission, if anybody looks at it.
fn client_post(url: &str) -> u16 {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    write!(
        stream,
        "POST /v1/entries HTTP/1.1\r\nHost: registry\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_supervisor_is_told_when_the_registry_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (data, _) = init(binary(), folder.path());
    let socket = folder.path().join("notify");
    let listener = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let mut command = Command::new(binary());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data"])
        .arg(&data)
        .env("NOTIFY_SOCKET", &socket);
    let server = Server::from_command(command.stderr(std::process::Stdio::piped())).unwrap();
    let said = || {
        let mut bytes = [0; 256];
        let length = listener.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    assert_eq!(said(), "READY=1");
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(said(), "STOPPING=1");
}
