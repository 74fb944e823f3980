//! A server for tests: answers on loopback with the bytes it was given, one connection for each answer,
//! and keeps what it was asked. It waits for nothing but its client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Client;

/// A running fake; it ends when dropped.
pub(crate) struct FakeServer {
    address: SocketAddr,
    /// Written by the thread, read by the test after the answers that it waits for.
    asked: Arc<Mutex<Vec<String>>>,
    /// Written by the client's pause.
    pauses: Arc<Mutex<Vec<Duration>>>,
    thread: Option<JoinHandle<()>>,
}

/// The request that ends the fake.
const STOP: &str = "STOP";

impl FakeServer {
    /// Answers one connection after the other with these bytes; with none of them it hangs up.
    pub(crate) fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = read_request(&mut stream);
                if request == STOP {
                    return;
                }
                log.lock().expect("no test panics here").push(request);
                let answer = answers.next().unwrap_or_else(|| reply("500 More Than Expected", &[], b""));
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, asked, pauses: Arc::default(), thread: Some(thread) }
    }

    /// A client that notes its pauses instead of making them.
    pub(crate) fn client(&self) -> Client {
        let pauses = Arc::clone(&self.pauses);
        let client = Client::new(&format!("http://{}/", self.address)).expect("an address");
        client.with_pause(move |pause| pauses.lock().expect("no test panics here").push(pause))
    }

    /// The requests so far, head and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics here").clone()
    }

    /// The first line of each request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|request| request.lines().next().unwrap_or_default().to_owned()).collect()
    }

    /// The pauses so far, in milliseconds.
    pub(crate) fn pauses_ms(&self) -> Vec<u128> {
        self.pauses.lock().expect("no test panics here").iter().map(Duration::as_millis).collect()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.write_all(STOP.as_bytes());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer with a length, after which the connection ends.
pub(crate) fn reply(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        out.push_str(header);
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// An answer of JSON.
pub(crate) fn json_reply(body: &str) -> Vec<u8> {
    reply("200 OK", &["Content-Type: application/json"], body.as_bytes())
}

/// A problem document as the server writes it.
pub(crate) fn problem_reply(status: &str, code: &str, headers: &[&str]) -> Vec<u8> {
    let number = status.split(' ').next().unwrap_or_default();
    let body = format!(
        r#"{{"type":"/v1/problems/{code}","title":"a title","status":{number},"code":"{code}","detail":"a detail","next":"a next step"}}"#
    );
    let mut all = vec!["Content-Type: application/problem+json"];
    all.extend_from_slice(headers);
    reply(status, &all, body.as_bytes())
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0_usize);
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return text,
        }
    }
}
