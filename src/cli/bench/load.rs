//! The load generator: so many connections, each sending the next signed request when it has its answer.
//!
//! Lean on purpose, since it shares the cores with the server: requests are whole before the row begins,
//! and of an answer only the head is parsed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::CliError;
use super::Row;
use super::population::RowRequests;

/// The largest answer: a receipt has at most 48,000 bytes, its head some hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Header lines of an answer.
const HEADERS_MAX: usize = 32;
/// Every so many receipts one is kept, to be checked after the row.
const SAMPLE_EVERY: usize = 500;

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
    requests: RowRequests,
    clients: usize,
    time: Duration,
) -> Result<Run, CliError> {
    let failed = |error: std::io::Error| CliError::fault(format!("the load cannot run: {error}"));
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let mut streams = Vec::with_capacity(clients);
        for _ in 0..clients {
            let stream = TcpStream::connect(address).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            streams.push(stream);
        }
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

async fn client(
    mut stream: TcpStream,
    address: SocketAddr,
    requests: Arc<RowRequests>,
    next: Arc<AtomicUsize>,
    until: Instant,
) -> Run {
    let mut run = Run::default();
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(number) else {
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
