//! Clients that send too little, too slowly or nothing, and the end of the server during each of them.
//!
//! The clients are plain sockets in the test's thread. What must end has a short time in the server and a
//! long one here ([`PATIENCE`], shorter than any default of hyper), so that only a server that never ends
//! the connection fails the test.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use axum::routing::get;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::limits::Limits;

const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(100);
const LARGE_BYTES: usize = 32 << 20;

const HALF_HEADER: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nx-half: ";
const HALF_PREFACE: &[u8] = b"PRI * HTTP/2";
/// The connection preface and empty settings.
const HTTP2_IDLE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The same, then a header frame that promises a continuation.
const HTTP2_HALF_HEADER: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const STARTS: [&[u8]; 6] = [b"", b"G", HALF_HEADER, HALF_PREFACE, HTTP2_IDLE, HTTP2_HALF_HEADER];

/// So many connections, from wherever.
fn connections(connections_max: u32) -> Arc<SharedLimits> {
    Arc::new(SharedLimits::new(Limits { connections_max, ..Limits::default() }))
}

/// Every time is long; each test shortens the one that it is about.
fn patient() -> AcceptLimits {
    AcceptLimits {
        shared: connections(16),
        first_byte_timeout: LONG,
        header_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        farewell_timeout: SHORT,
        drain_timeout: LONG,
        streams_max: 8,
    }
}

async fn panics() -> &'static str {
    panic!("asked for by a test")
}

struct Server {
    runtime: Runtime,
    address: SocketAddr,
    /// Lets `/slow` answer.
    /// A permit lets one slow request go on, whether it waits already or not.
    release: Arc<Semaphore>,
    /// Told when `/slow` has begun.
    begun: Arc<Notify>,
    shutdown: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<Drained, AcceptError>>,
}

impl Server {
    fn start(limits: AcceptLimits) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (release, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let slow = {
            let (release, begun) = (Arc::clone(&release), Arc::clone(&begun));
            move || async move {
                begun.notify_one();
                release.acquire().await.expect("it is never closed").forget();
                "slow but honest"
            }
        };
        let read = {
            let begun = Arc::clone(&begun);
            move |body: axum::body::Body| async move {
                begun.notify_one();
                drop(axum::body::to_bytes(body, usize::MAX).await);
            }
        };
        let app = Router::new()
            .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
            .route("/slow", get(slow))
            .route("/read", axum::routing::post(read))
            .route("/large", get(|| async { vec![7; LARGE_BYTES] }))
            .route("/panic", get(panics));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("bound");
        let address = listener.local_addr().expect("an address");
        let (shutdown, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let served = runtime.spawn(serve(listener, app, limits, stopped));
        Self { runtime, address, release, begun, shutdown: Some(shutdown), served }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.set_write_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    fn connect_from(&self, from: SocketAddr) -> TcpStream {
        let stream = self.runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind(from).expect("bound");
            socket.connect(self.address).await.expect("connected").into_std().expect("a socket")
        });
        stream.set_nonblocking(false).expect("set");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("sent");
        stream
    }

    fn wait_for_slow(&self) {
        let begun = async { tokio::time::timeout(PATIENCE, self.begun.notified()).await };
        self.runtime.block_on(begun).expect("the request began");
    }

    /// Begins the end, and returns when newcomers are refused.
    fn begin_shutdown(&mut self) {
        drop(self.shutdown.take());
        let start = std::time::Instant::now();
        while TcpStream::connect(self.address).is_ok() {
            assert!(start.elapsed() < PATIENCE, "the listener is still open");
            std::thread::yield_now();
        }
    }

    fn drained(mut self) -> Drained {
        drop(self.shutdown.take());
        let served = async { tokio::time::timeout(PATIENCE, self.served).await };
        self.runtime.block_on(served).expect("in time").expect("no panic").expect("served")
    }
}

/// Everything until the server closes the connection; a reset counts as closed.
fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was not closed: {error}"),
    }
    bytes
}

/// One answer with a body of known length; the connection stays open.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    let mut body_bytes = None;
    while body_bytes != Some(0) {
        stream.read_exact(&mut byte).expect("an answer");
        bytes.extend(byte);
        body_bytes = match body_bytes {
            Some(left) => Some(left - 1),
            None if bytes.ends_with(b"\r\n\r\n") => {
                let header = String::from_utf8(bytes.clone()).expect("text");
                let length = header.lines().find_map(|line| line.strip_prefix("content-length: "));
                Some(length.expect("a length").parse().expect("a number"))
            }
            None => None,
        };
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn handlers_see_the_peer() {
    let server = Server::start(patient());
    let mut stream = server.send(REQUEST);
    let answer = read_answer(&mut stream);
    let peer = stream.local_addr().expect("an address").to_string();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&peer), "{answer}");
}

#[test]
fn who_sends_nothing_is_closed() {
    let server = Server::start(AcceptLimits { first_byte_timeout: SHORT, ..patient() });
    assert_eq!(read_to_close(&mut server.connect()), b"");
}

#[test]
fn half_a_header_is_closed() {
    let server = Server::start(AcceptLimits { header_timeout: SHORT, ..patient() });
    read_to_close(&mut server.send(HALF_HEADER));
}

#[test]
fn a_dripping_header_is_closed() {
    let server = Server::start(AcceptLimits { header_timeout: SHORT, ..patient() });
    let mut stream = server.send(HALF_HEADER);
    stream.set_read_timeout(Some(Duration::from_millis(5))).expect("set");
    let start = std::time::Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "the connection was not closed");
        // The read is the pause between two drops, and sees the end.
        match stream.read(&mut [0; 512]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        if stream.write_all(b"x").is_err() {
            break;
        }
    }
}

#[test]
fn idle_keep_alive_is_closed_by_either_time() {
    for limits in [
        AcceptLimits { header_timeout: SHORT, ..patient() },
        AcceptLimits { idle_timeout: SHORT, ..patient() },
    ] {
        let server = Server::start(limits);
        let mut stream = server.send(REQUEST);
        read_answer(&mut stream);
        assert_eq!(read_to_close(&mut stream), b"");
    }
}

#[test]
fn a_connection_without_a_request_is_closed_whatever_it_sent() {
    let server = Server::start(AcceptLimits { idle_timeout: SHORT, first_byte_timeout: SHORT, ..patient() });
    for start in STARTS {
        read_to_close(&mut server.send(start));
    }
}

#[test]
fn a_request_in_flight_is_not_idle() {
    let short = Duration::from_millis(20);
    let limits = AcceptLimits {
        first_byte_timeout: short,
        header_timeout: short,
        idle_timeout: short,
        farewell_timeout: short,
        ..patient()
    };
    let server = Server::start(limits);
    let mut slow = server.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    server.wait_for_slow();
    // Each of these idle connections takes one idle time at least, one after the other.
    for _ in 0..5 {
        read_to_close(&mut server.send(HALF_PREFACE));
    }
    server.release.add_permits(1);
    assert!(read_answer(&mut slow).ends_with("slow but honest"));
}

#[test]
fn who_does_not_take_the_answer_is_cut() {
    let limits = AcceptLimits { write_timeout: SHORT, ..patient() };
    let server = Server::start(limits);
    let mut stream = server.send(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.read_exact(&mut [0]).expect("the answer began");
    // The end waits for it, until its time is over.
    assert_eq!(server.drained(), Drained { ended: 1, cut: 0 });
    assert!(read_to_close(&mut stream).len() < LARGE_BYTES);
}

#[test]
fn newcomers_wait_while_we_work_for_all() {
    let server = Server::start(AcceptLimits { shared: connections(2), ..patient() });
    let slow = [0, 1].map(|_| {
        let stream = server.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
        server.wait_for_slow();
        stream
    });
    let mut third = server.send(REQUEST);
    third.set_read_timeout(Some(SHORT)).expect("set");
    let error = third.read(&mut [0]).expect_err("no place");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    third.set_read_timeout(Some(PATIENCE)).expect("set");
    server.release.add_permits(slow.len());
    for mut slow in slow {
        assert!(read_answer(&mut slow).ends_with("slow but honest"), "and nobody else was cut");
    }
    read_answer(&mut third);
}

#[test]
fn a_newcomer_takes_the_place_of_whoever_waits_for_its_client() {
    let body = b"POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
    for start in STARTS.into_iter().chain([REQUEST, &body[..]]) {
        let server = Server::start(AcceptLimits { shared: connections(2), ..patient() });
        let mut idle = server.send(start);
        let mut slow = server.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
        server.wait_for_slow();
        if start == REQUEST {
            read_answer(&mut idle);
        }
        if start.starts_with(b"POST") {
            server.wait_for_slow();
        }
        read_answer(&mut server.send(REQUEST));
        read_to_close(&mut idle);
        server.release.add_permits(1);
        assert!(read_answer(&mut slow).ends_with("slow but honest"), "work is never cut");
    }
}

#[test]
fn whoever_holds_thousands_idle_makes_room_himself() {
    let server = Server::start(AcceptLimits { shared: connections(8), ..patient() });
    // The honest one is the oldest, and still not the one that goes: it comes from another address.
    let honest = std::net::SocketAddr::from(([127, 0, 0, 2], 0));
    let mut honest = server.connect_from(honest);
    honest.write_all(REQUEST).expect("sent");
    read_answer(&mut honest);
    let flood: Vec<TcpStream> = (0..64).map(|_| server.send(HALF_HEADER)).collect();
    read_answer(&mut server.send(REQUEST));
    honest.write_all(REQUEST).expect("still there");
    read_answer(&mut honest);
    drop(flood);
}

#[test]
fn one_address_has_a_part_unless_it_is_a_trusted_proxy() {
    let limits = Limits { address_connections_max: 1, ..Limits::default() };
    let shared = Arc::new(SharedLimits::new(limits.clone()));
    let server = Server::start(AcceptLimits { shared: Arc::clone(&shared), ..patient() });
    let mut slow = server.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    server.wait_for_slow();
    assert_eq!(read_to_close(&mut server.connect()), b"", "the address has all it may have");
    let mut other = server.connect_from(SocketAddr::from(([127, 0, 0, 2], 0)));
    other.write_all(REQUEST).expect("sent");
    read_answer(&mut other);
    shared.replace(Limits { trusted_proxies: vec!["127.0.0.1".parse().expect("one")], ..limits });
    read_answer(&mut server.send(REQUEST));
    server.release.add_permits(1);
    assert!(read_answer(&mut slow).ends_with("slow but honest"));
}

#[test]
fn a_client_that_shuts_its_http2_window_is_cut() {
    let server = Server::start(AcceptLimits { idle_timeout: SHORT, ..patient() });
    // Settings: a window of 0 for every stream; then GET / on stream 1, whose answer can never leave.
    let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86";
    read_to_close(&mut server.send(start));
}

/// An HTTP/2 client with no window asked for 128 large answers on each connection, and all of them waited in memory.
#[test]
fn answers_that_nobody_takes_do_not_fill_the_memory() {
    const ASK_LARGE: &[u8] = b"\x82\x04\x06/large\x86";
    let ask = |stream: u8| [&[0, 0, 10, 1, 5, 0, 0, 0, stream][..], ASK_LARGE].concat();
    // Settings: a window of 0 for every stream.
    let start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0".to_vec();
    let server = Server::start(patient());
    let mut greedy = server.send(&[start.clone(), ask(1)].concat());
    assert!(!ends_with_its_head(&mut greedy, 1), "one answer may be larger than the bound");
    greedy.write_all(&ask(3)).expect("sent");
    assert!(ends_with_its_head(&mut greedy, 3), "a second one is refused, and has no body");
    let mut other = server.send(&[start, ask(1)].concat());
    assert!(!ends_with_its_head(&mut other, 1), "that is of each connection");
    // What is not held any more leaves room.
    let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    let mut stream = 5;
    greedy.write_all(&reset).expect("sent");
    loop {
        greedy.write_all(&ask(stream)).expect("sent");
        if !ends_with_its_head(&mut greedy, stream) {
            break;
        }
        stream += 2;
    }
}

/// Reads frames up to the head of the answer on a stream: whether nothing follows it.
fn ends_with_its_head(connection: &mut TcpStream, stream: u8) -> bool {
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).expect("a frame");
        let [high, middle, low, kind, flags, .., on] = head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        connection.read_exact(&mut vec![0; length]).expect("its content");
        if (kind, on) == (1, stream) {
            return flags & 1 == 1;
        }
    }
}

#[test]
fn headers_have_a_size() {
    let server = Server::start(patient());
    for long in ["x: ".to_owned() + &"x".repeat(HEADER_BYTES_MAX), "x: y\r\n".repeat(HEADER_LINES_MAX + 1)] {
        let mut stream = server.connect();
        // The server may close before it has taken all of it.
        drop(stream.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{long}\r\n\r\n").as_bytes()));
        let answer = String::from_utf8(read_to_close(&mut stream)).expect("text");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[test]
fn a_panic_ends_its_connection_alone() {
    let server = Server::start(patient());
    assert_eq!(read_to_close(&mut server.send(b"GET /panic HTTP/1.1\r\nhost: a\r\n\r\n")), b"");
    read_answer(&mut server.send(REQUEST));
}

#[test]
fn nobody_without_a_request_blocks_the_end() {
    for start in STARTS {
        let server = Server::start(patient());
        let mut stream = server.send(start);
        // Connections are accepted in order, so once this one has an answer the other is accepted too.
        let mut idle = server.send(REQUEST);
        read_answer(&mut idle);
        let start = String::from_utf8_lossy(start);
        assert_eq!(server.drained(), Drained { ended: 2, cut: 0 }, "{start:?}");
        read_to_close(&mut stream);
        assert_eq!(read_to_close(&mut idle), b"");
    }
}

#[test]
fn a_slow_but_honest_request_finishes_during_the_end() {
    let mut server = Server::start(AcceptLimits { farewell_timeout: Duration::from_millis(2), ..patient() });
    let mut stream = server.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    server.wait_for_slow();
    let mut half = server.send(HALF_HEADER);
    server.begin_shutdown();
    // This one is closed by the end, so the end has reached the connections, and the request is still there.
    read_to_close(&mut half);
    server.release.add_permits(1);
    let answer = String::from_utf8(read_to_close(&mut stream)).expect("text");
    assert!(answer.ends_with("slow but honest"), "{answer}");
    assert_eq!(server.drained().cut, 0);
}

#[test]
fn an_answer_that_waits_for_its_reader_finishes_during_the_end() {
    let mut server = Server::start(AcceptLimits { farewell_timeout: Duration::from_millis(2), ..patient() });
    let mut stream = server.send(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.read_exact(&mut [0]).expect("the answer began");
    let mut half = server.send(HALF_HEADER);
    server.begin_shutdown();
    read_to_close(&mut half);
    assert!(read_to_close(&mut stream).len() > LARGE_BYTES);
    assert_eq!(server.drained().cut, 0);
}

#[test]
fn what_does_not_finish_is_cut_at_the_deadline() {
    let server = Server::start(AcceptLimits { drain_timeout: SHORT, ..patient() });
    let mut stream = server.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    server.wait_for_slow();
    assert_eq!(server.drained(), Drained { ended: 0, cut: 1 });
    assert_eq!(read_to_close(&mut stream), b"");
}
