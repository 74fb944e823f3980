//! The load generator: so many connections, each sending the next request when it has its answer.
//!
//! Lean on purpose, since it shares the cores with the server: requests are whole before the load begins,
//! and of an answer only the head is parsed. Reads go the same way, in turns.
//!
//! It knows neither the registry nor the command line: programs under `tests/` take this file as it is, so
//! that whatever is compared is driven by the same generator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The largest answer: a bundle of 256 entries of 65,535 bytes, each behind its length, and a head.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 * (2 + 65_535) + 16 * 1024;
/// What a client begins with: a receipt has at most 48,000 bytes, its head some hundred.
const BUFFER_BYTES: usize = 64 * 1024;
/// Header lines of an answer.
const HEADERS_MAX: usize = 32;
/// Every so many answers one is kept, to be checked after the load.
const SAMPLE_EVERY: usize = 500;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// No connection, no runtime, no request: this side's doing.
    #[error("the load cannot run: {0}")]
    Failed(#[from] std::io::Error),
    /// The server did not answer as it must, so that a figure would count something else.
    #[error("{0}\nthe figures of this server count for nothing")]
    Unread(String),
}

/// Whole requests, as they go over the wire.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    pub(crate) fn push(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }

    /// Adds a `GET` that takes text, where there is a choice.
    pub(crate) fn push_get(&mut self, address: SocketAddr, path: &str) {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/plain, */*;q=0.5\r\n\r\n");
        self.push(request.as_bytes());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The request with this number.
    fn one(&self, number: usize) -> Option<&[u8]> {
        let from = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(from..*self.ends.get(number)?)
    }
}

/// How requests are sent.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    /// Until the last request is sent.
    pub(crate) time: Duration,
    /// How long a client waits before each request.
    pub(crate) pause: Duration,
    /// Whether the first request comes again after the last one, or none.
    pub(crate) in_turns: bool,
    /// The status of an answer that counts.
    pub(crate) wanted: u16,
    /// Ends it before its time.
    pub(crate) stop: Arc<AtomicBool>,
}

/// The figures of a load.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) clients: usize,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Answers that count, a second.
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Answers that say "later": 429 and 503.
    pub(crate) refused: u64,
    /// Any other answer, and broken connections.
    pub(crate) errors: u64,
    /// Whether the requests ran out before the time did.
    pub(crate) ran_out: bool,
}

/// What a load gave.
#[derive(Debug, Default)]
pub(crate) struct Run {
    elapsed: Duration,
    /// Of each answer that counts, in microseconds.
    latencies: Vec<u32>,
    /// Of the bodies of these.
    pub(crate) bytes: u64,
    refused: u64,
    errors: u64,
    ran_out: bool,
    /// Some answers' bodies, each behind the number of its request.
    pub(crate) samples: Vec<(usize, Vec<u8>)>,
}

impl Run {
    /// How many answers counted.
    pub(crate) fn answers(&self) -> u64 {
        u64::try_from(self.latencies.len()).unwrap_or(u64::MAX)
    }

    /// The figures.
    pub(crate) fn figures(&self, clients: usize) -> Figures {
        let seconds = self.elapsed.as_secs_f64();
        let answers = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        Figures {
            clients,
            seconds,
            per_second: f64::from(answers) / seconds,
            p50_ms: self.percentile(50),
            p99_ms: self.percentile(99),
            refused: self.refused,
            errors: self.errors,
            ran_out: self.ran_out,
        }
    }

    /// In milliseconds; `latencies` are sorted.
    fn percentile(&self, percent: usize) -> f64 {
        let position =
            (self.latencies.len().saturating_mul(percent) / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(position).map_or(0.0, |microseconds| f64::from(*microseconds) / 1_000.0)
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.bytes += other.bytes;
        self.refused += other.refused;
        self.errors += other.errors;
        self.ran_out |= other.ran_out;
        self.samples.extend(other.samples);
    }
}

/// Sends requests until the time is over, it is stopped, or they run out.
pub(crate) fn run(address: SocketAddr, requests: &Arc<Requests>, load: &Load) -> Result<Run, LoadError> {
    let runtime = tokio::runtime::Runtime::new()?;
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let streams = connect(address, load.clients).await?;
        let begun = Instant::now();
        let until = begun.checked_add(load.time).unwrap_or(begun);
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
                tokio::spawn(client(stream, address, requests, next, until, load.clone()))
            })
            .collect();
        let mut run = Run::default();
        for task in tasks {
            run.add(task.await.map_err(std::io::Error::other)?);
        }
        run.elapsed = begun.elapsed();
        run.latencies.sort_unstable();
        Ok(run)
    })
}

/// Reads in turns, with so many clients, until the time is over: whole answers a second, and the first one.
/// Any answer but 200 ends the run, as its figure would count something else.
pub(crate) fn reads(
    address: SocketAddr,
    requests: Requests,
    clients: usize,
    time: Duration,
) -> Result<(f64, Vec<u8>), LoadError> {
    let runtime = tokio::runtime::Runtime::new()?;
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let streams = connect(address, clients).await?;
        let first = requests.one(0).ok_or_else(|| std::io::Error::other("there is nothing to read"))?;
        let first =
            read(&mut connect(address, 1).await?.remove(0), first, &mut vec![0; BUFFER_BYTES]).await?;
        let begun = Instant::now();
        let until = begun.checked_add(time).unwrap_or(begun);
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::spawn(reader(stream, Arc::clone(&requests), Arc::clone(&next), until)))
            .collect();
        let mut answers = 0;
        for task in tasks {
            answers += task.await.map_err(std::io::Error::other)??;
        }
        Ok((f64::from(answers) / begun.elapsed().as_secs_f64(), first))
    })
}

/// Reads one address.
pub(crate) fn read_once(address: SocketAddr, path: &str) -> Result<Vec<u8>, LoadError> {
    let mut requests = Requests::default();
    requests.push_get(address, path);
    reads(address, requests, 0, Duration::ZERO).map(|(_, answer)| answer)
}

async fn connect(address: SocketAddr, clients: usize) -> Result<Vec<TcpStream>, LoadError> {
    let mut streams = Vec::with_capacity(clients);
    for _ in 0..clients {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    Ok(streams)
}

async fn reader(
    mut stream: TcpStream,
    requests: Arc<Requests>,
    next: Arc<AtomicUsize>,
    until: Instant,
) -> Result<u32, LoadError> {
    let (mut answers, mut buffer) = (0u32, vec![0; BUFFER_BYTES]);
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed) % requests.len().max(1);
        let request = requests.one(number).unwrap_or_default();
        match exchange(&mut stream, request, &mut buffer).await {
            Some((200, _)) => answers = answers.saturating_add(1),
            other => return Err(unread(request, other)),
        }
    }
    Ok(answers)
}

async fn read(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Result<Vec<u8>, LoadError> {
    match exchange(stream, request, buffer).await {
        Some((200, body)) => Ok(body.to_vec()),
        other => Err(unread(request, other)),
    }
}

fn unread(request: &[u8], answer: Option<(u16, &[u8])>) -> LoadError {
    let request = String::from_utf8_lossy(request);
    let line = request.lines().next().unwrap_or_default();
    LoadError::Unread(match answer {
        Some((status, body)) => {
            format!("the server answered {line} with {status}: {}", String::from_utf8_lossy(body))
        }
        None => format!("the connection broke at {line}"),
    })
}

async fn client(
    mut stream: TcpStream,
    address: SocketAddr,
    requests: Arc<Requests>,
    next: Arc<AtomicUsize>,
    until: Instant,
    load: Load,
) -> Run {
    let mut run = Run::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    while Instant::now() < until && !load.stop.load(Ordering::Relaxed) {
        if !load.pause.is_zero() {
            tokio::time::sleep(load.pause).await;
        }
        let number = next.fetch_add(1, Ordering::Relaxed);
        let place = if load.in_turns { number % requests.len().max(1) } else { number };
        let Some(request) = requests.one(place) else {
            run.ran_out = true;
            break;
        };
        let begun = Instant::now();
        match exchange(&mut stream, request, &mut buffer).await {
            Some((status, body)) if status == load.wanted => {
                run.latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                run.bytes += u64::try_from(body.len()).unwrap_or(0);
                if number.is_multiple_of(SAMPLE_EVERY) {
                    run.samples.push((place, body.to_vec()));
                }
            }
            Some((429 | 503, _)) => run.refused += 1,
            Some(_) => run.errors += 1,
            None => {
                run.errors += 1;
                match TcpStream::connect(address).await {
                    Ok(again) => stream = again,
                    Err(_) => break,
                }
            }
        }
    }
    run
}

/// Sends a request and reads its answer; `None` where the connection broke or the answer is none.
async fn exchange<'a>(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &'a mut Vec<u8>,
) -> Option<(u16, &'a [u8])> {
    stream.write_all(request).await.ok()?;
    let mut filled = 0;
    let (status, from, to) = loop {
        let read = stream.read(buffer.get_mut(filled..)?).await.ok()?;
        if read == 0 {
            return None;
        }
        filled += read;
        if let Some(head) = head(buffer.get(..filled)?)? {
            break head;
        }
    };
    if to > buffer.len() {
        if to > ANSWER_BYTES_MAX {
            return None;
        }
        buffer.resize(to, 0);
    }
    if filled < to {
        stream.read_exact(buffer.get_mut(filled..to)?).await.ok()?;
    }
    Some((status, buffer.get(from..to)?))
}

/// The status of an answer and where its body lies; `Some(None)` while the head is not whole.
fn head(bytes: &[u8]) -> Option<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let from = match answer.parse(bytes).ok()? {
        httparse::Status::Complete(from) => from,
        httparse::Status::Partial => return Some(None),
    };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    Some(Some((answer.code?, from, from.checked_add(length)?)))
}
