//! The load generator: so many connections, each sending the next signed request when it has its answer.
//!
//! Lean on purpose, since it shares the cores with the server: requests are whole before the row begins,
//! and of an answer only the head is parsed. Reads go the same way, in turns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::CliError;
use super::Row;

/// The largest answer: a receipt has at most 48,000 bytes, its head some hundred.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Header lines of an answer.
const HEADERS_MAX: usize = 32;
/// Every so many receipts one is kept, to be checked after the row.
const SAMPLE_EVERY: usize = 500;

/// Whole requests, as they go over the wire.
#[derive(Debug, Default)]
pub(super) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    pub(super) fn push(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }

    /// Adds a `GET` that takes text, where there is a choice.
    pub(super) fn push_get(&mut self, address: SocketAddr, path: &str) {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/plain, */*;q=0.5\r\n\r\n");
        self.push(request.as_bytes());
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

/// What a row gave.
#[derive(Debug, Default)]
pub(super) struct Run {
    elapsed: Duration,
    /// Of each receipt, in microseconds.
    latencies: Vec<u32>,
    pub(super) receipt_bytes: u64,
    refused: u64,
    errors: u64,
    ran_out: bool,
    /// Some receipts, as they were answered.
    pub(super) samples: Vec<Vec<u8>>,
}

impl Run {
    /// How many receipts came.
    pub(super) fn receipts(&self) -> u64 {
        u64::try_from(self.latencies.len()).unwrap_or(u64::MAX)
    }

    /// The figures.
    pub(super) fn row(&self, clients: usize, verified: usize) -> Row {
        let seconds = self.elapsed.as_secs_f64();
        let receipts = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        Row {
            clients,
            seconds,
            per_second: f64::from(receipts) / seconds,
            p50_ms: self.percentile(50),
            p99_ms: self.percentile(99),
            refused: self.refused,
            errors: self.errors,
            ran_out: self.ran_out,
            verified,
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
        self.receipt_bytes += other.receipt_bytes;
        self.refused += other.refused;
        self.errors += other.errors;
        self.ran_out |= other.ran_out;
        self.samples.extend(other.samples);
    }
}

/// Runs a row.
pub(super) fn run(
    address: SocketAddr,
    requests: Requests,
    clients: usize,
    time: Duration,
) -> Result<Run, CliError> {
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let streams = connect(address, clients).await?;
        let begun = Instant::now();
        let until = begun.checked_add(time).unwrap_or(begun);
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
                tokio::spawn(client(stream, address, requests, next, until))
            })
            .collect();
        let mut run = Run::default();
        for task in tasks {
            run.add(task.await.map_err(CliError::fault)?);
        }
        run.elapsed = begun.elapsed();
        run.latencies.sort_unstable();
        Ok(run)
    })
}

/// Reads in turns, with so many clients, until the time is over: whole answers a second, and the first one.
/// Any answer but 200 ends the run, as its figure would count something else.
pub(super) fn reads(
    address: SocketAddr,
    requests: Requests,
    clients: usize,
    time: Duration,
) -> Result<(f64, Vec<u8>), CliError> {
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let streams = connect(address, clients).await?;
        let first = requests.one(0).ok_or_else(|| CliError::fault("there is nothing to read"))?;
        let first =
            read(&mut connect(address, 1).await?.remove(0), first, &mut vec![0; ANSWER_BYTES_MAX]).await?;
        let begun = Instant::now();
        let until = begun.checked_add(time).unwrap_or(begun);
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::spawn(reader(stream, Arc::clone(&requests), Arc::clone(&next), until)))
            .collect();
        let mut answers = 0;
        for task in tasks {
            answers += task.await.map_err(CliError::fault)??;
        }
        Ok((f64::from(answers) / begun.elapsed().as_secs_f64(), first))
    })
}

/// Reads one address.
pub(super) fn read_once(address: SocketAddr, path: &str) -> Result<Vec<u8>, CliError> {
    let mut requests = Requests::default();
    requests.push_get(address, path);
    reads(address, requests, 0, Duration::ZERO).map(|(_, answer)| answer)
}

fn failed(error: std::io::Error) -> CliError {
    CliError::fault(format!("the load cannot run: {error}"))
}

async fn connect(address: SocketAddr, clients: usize) -> Result<Vec<TcpStream>, CliError> {
    let mut streams = Vec::with_capacity(clients);
    for _ in 0..clients {
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        streams.push(stream);
    }
    Ok(streams)
}

async fn reader(
    mut stream: TcpStream,
    requests: Arc<Requests>,
    next: Arc<AtomicUsize>,
    until: Instant,
) -> Result<u32, CliError> {
    let (mut answers, mut buffer) = (0u32, vec![0; ANSWER_BYTES_MAX]);
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed) % requests.ends.len().max(1);
        let request = requests.one(number).unwrap_or_default();
        match exchange(&mut stream, request, &mut buffer).await {
            Some((200, _)) => answers = answers.saturating_add(1),
            other => return Err(unread(request, other)),
        }
    }
    Ok(answers)
}

async fn read(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> Result<Vec<u8>, CliError> {
    match exchange(stream, request, buffer).await {
        Some((200, body)) => Ok(body.to_vec()),
        other => Err(unread(request, other)),
    }
}

fn unread(request: &[u8], answer: Option<(u16, &[u8])>) -> CliError {
    let request = String::from_utf8_lossy(request);
    let line = request.lines().next().unwrap_or_default();
    match answer {
        Some((status, body)) => CliError::refused(format!(
            "the server answered {line} with {status}: {}\nits figures count for nothing",
            String::from_utf8_lossy(body)
        )),
        None => CliError::refused(format!(
            "the connection broke at {line}\nthe figures of this server count for nothing"
        )),
    }
}

async fn client(
    mut stream: TcpStream,
    address: SocketAddr,
    requests: Arc<Requests>,
    next: Arc<AtomicUsize>,
    until: Instant,
) -> Run {
    let mut run = Run::default();
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.one(number) else {
            run.ran_out = true;
            break;
        };
        let begun = Instant::now();
        match exchange(&mut stream, request, &mut buffer).await {
            Some((201, receipt)) => {
                run.latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                run.receipt_bytes += u64::try_from(receipt.len()).unwrap_or(0);
                if number.is_multiple_of(SAMPLE_EVERY) {
                    run.samples.push(receipt.to_vec());
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
    buffer: &'a mut [u8],
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
