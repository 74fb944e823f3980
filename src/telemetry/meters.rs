//! What the program counts and measures of itself, for Prometheus: one table, [`METERS`].
//!
//! A meter is a constant with its name and its doc comment; `docs/operations.md` lists all of them, and a
//! test compares. Until [`start`] is called nothing is counted and a meter costs one load. Labels take
//! values from short fixed lists only (codes, phases, routes), never what a client sent.
//!
//! Not here: who may read them and where (`http::admin`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Whether somebody wants to know. Set once by [`start`].
static IS_COUNTING: AtomicBool = AtomicBool::new(false);

/// Upper bounds of the buckets of times, in seconds: from a tenth of a durable write to the longest that
/// a request can take.
const SECONDS_BUCKETS: &[f64] = &[0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Only goes up.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Meter);

/// Goes up and down.
#[derive(Debug, Clone, Copy)]
pub struct Gauge(Meter);

/// How long something took, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Histogram(Meter);

macro_rules! meters {
    ($($(#[doc = $help:literal])+ $constant:ident = $form:ident $kind:literal $name:literal [$($label:literal),*];)+) => {
        $($(#[doc = $help])+
        pub const $constant: $form = $form(Meter {
            name: $name,
            kind: $kind,
            labels: &[$($label),*],
            help: concat!($($help),+),
        });)+

        /// Every meter, in the order of the page.
        pub const METERS: &[Meter] = &[$($constant.0),+];
    };
}

meters! {
    /// 1, with the version of the program.
    BUILD_INFO = Gauge "gauge" "undersigned_build_info" ["version"];
    /// Entries of the published tree.
    TREE_SIZE = Gauge "gauge" "undersigned_tree_size" [];
    /// Entries of the newest tree that the guard knows; at rest the same as the tree size.
    GUARD_SIZE = Gauge "gauge" "undersigned_guard_size" [];
    /// Entries that this process has committed.
    ENTRIES = Counter "counter" "undersigned_entries_total" [];
    /// Batches by outcome: committed, storage, clock.
    BATCHES = Counter "counter" "undersigned_batches_total" ["outcome"];
    /// Time of each phase of a commit: decide, blobs, create, sign, apply, publish, settle, index.
    COMMIT_PHASE = Histogram "histogram" "undersigned_commit_phase_seconds" ["phase"];
    /// What waits in a queue: intake (submissions), questions, publish and settle (batches), reads (of tiles).
    QUEUE_DEPTH = Gauge "gauge" "undersigned_queue_depth" ["queue"];
    /// How much a queue takes before it says 503 or makes the sequencer wait; of reads, how many run at a time.
    QUEUE_LIMIT = Gauge "gauge" "undersigned_queue_limit" ["queue"];
    /// Bytes that wait in a queue.
    QUEUE_BYTES = Gauge "gauge" "undersigned_queue_bytes" ["queue"];
    /// How many bytes a queue takes.
    QUEUE_LIMIT_BYTES = Gauge "gauge" "undersigned_queue_limit_bytes" ["queue"];
    /// 1 while no entry can be committed for this reason: storage, clock, stopped.
    INTAKE_CLOSED = Gauge "gauge" "undersigned_intake_closed" ["reason"];
    /// Entries that the index covers.
    INDEXED = Gauge "gauge" "undersigned_indexed_entries" [];
    /// Entries of the published tree that the index does not cover yet.
    INDEX_LAG = Gauge "gauge" "undersigned_index_lag_entries" [];
    /// Connections that are open.
    CONNECTIONS = Gauge "gauge" "undersigned_connections" [];
    /// Connections that were accepted.
    ACCEPTED = Counter "counter" "undersigned_connections_total" [];
    /// Answers by route, method and status.
    REQUESTS = Counter "counter" "undersigned_requests_total" ["route", "method", "status"];
    /// Time from the header of a request to the header of its answer.
    REQUEST_SECONDS = Histogram "histogram" "undersigned_request_seconds" ["route"];
    /// Refusals and other problems that were answered, by their code.
    PROBLEMS = Counter "counter" "undersigned_problems_total" ["code"];
    /// Readings of the configuration on SIGHUP by outcome: taken, refused.
    RELOADS = Counter "counter" "undersigned_config_reloads_total" ["outcome"];
}

/// The values of the meter's labels, in their order.
type Values<'a> = &'a [&'a str];

fn labels(meter: &Meter, values: Values<'_>) -> Vec<metrics::Label> {
    debug_assert_eq!(meter.labels.len(), values.len(), "{} has other labels", meter.name);
    meter
        .labels
        .iter()
        .zip(values)
        .map(|(name, value)| metrics::Label::new(*name, (*value).to_owned()))
        .collect()
}

fn is_counting() -> bool {
    IS_COUNTING.load(Ordering::Relaxed)
}

impl Counter {
    /// Counts `count` more.
    pub fn add(&self, values: Values<'_>, count: u64) {
        if is_counting() {
            metrics::counter!(self.0.name, labels(&self.0, values)).increment(count);
        }
    }
}

impl Gauge {
    /// It stands at `value`.
    pub fn set(&self, values: Values<'_>, value: f64) {
        if is_counting() {
            metrics::gauge!(self.0.name, labels(&self.0, values)).set(value);
        }
    }

    /// It stands at a count.
    pub fn set_count(&self, values: Values<'_>, count: u64) {
        // Exact below 2^32; above it the nearest float, as Prometheus has nothing else.
        let (high, low) = (u32::try_from(count >> 32), u32::try_from(count & u64::from(u32::MAX)));
        if let (Ok(high), Ok(low)) = (high, low) {
            self.set(values, f64::from(high) * 4_294_967_296.0 + f64::from(low));
        }
    }

    /// It stands at the size of something in memory.
    pub fn set_size(&self, values: Values<'_>, size: usize) {
        self.set_count(values, u64::try_from(size).unwrap_or(u64::MAX));
    }

    /// One more, until what is returned is dropped.
    #[must_use]
    pub fn one_more(&self, values: Values<'_>) -> OneMore {
        OneMore(is_counting().then(|| {
            let gauge = metrics::gauge!(self.0.name, labels(&self.0, values));
            gauge.increment(1.0);
            gauge
        }))
    }

    /// One more.
    pub fn up(&self, values: Values<'_>) {
        if is_counting() {
            metrics::gauge!(self.0.name, labels(&self.0, values)).increment(1.0);
        }
    }

    /// One less.
    pub fn down(&self, values: Values<'_>) {
        if is_counting() {
            metrics::gauge!(self.0.name, labels(&self.0, values)).decrement(1.0);
        }
    }
}

/// Counts one in a gauge as long as it lives.
pub struct OneMore(Option<metrics::Gauge>);

impl std::fmt::Debug for OneMore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneMore")
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.decrement(1.0);
        }
    }
}

impl Histogram {
    /// It took so long.
    pub fn record(&self, values: Values<'_>, time: Duration) {
        if is_counting() {
            metrics::histogram!(self.0.name, labels(&self.0, values)).record(time.as_secs_f64());
        }
    }

    /// A watch whose laps go into it.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { histogram: *self, last: Instant::now() }
    }
}

/// Measures what is done one after another.
#[derive(Debug)]
pub struct Watch {
    histogram: Histogram,
    last: Instant,
}

impl Watch {
    /// What was done since the last lap was this.
    pub fn lap(&mut self, value: &str) {
        let now = Instant::now();
        self.histogram.record(&[value], now.saturating_duration_since(self.last));
        self.last = now;
    }
}

/// What has been counted, to be read out.
#[derive(Clone)]
pub struct Readings(PrometheusHandle);

impl std::fmt::Debug for Readings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Readings")
    }
}

impl Readings {
    /// Everything, in Prometheus's text format.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.render()
    }

    /// Sorts in what was measured since the last time, so that it does not fill memory when nobody reads.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}

/// How often [`Readings::tidy`] is to be called: at 100,000 measurements a second 1 MB waits.
pub const TIDY_PERIOD: Duration = Duration::from_secs(5);

/// Begins to count, for the whole process and once.
///
/// # Errors
/// It was begun before.
pub fn start() -> Result<Readings, BuildError> {
    let handle = PrometheusBuilder::new().set_buckets(SECONDS_BUCKETS)?.install_recorder()?;
    for meter in METERS {
        let help = meter.help.trim();
        match meter.kind {
            "counter" => metrics::describe_counter!(meter.name, help),
            "gauge" => metrics::describe_gauge!(meter.name, help),
            _ => metrics::describe_histogram!(meter.name, help),
        }
    }
    IS_COUNTING.store(true, Ordering::Relaxed);
    BUILD_INFO.set_count(&[env!("CARGO_PKG_VERSION")], 1);
    Ok(Readings(handle))
}

/// The table as a page has it, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut table = "| metric | kind | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for Meter { name, kind, labels, help } in METERS {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        table.push_str(&format!("| `{name}` | {kind} | {labels} | {} |\n", help.trim()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_customs_of_prometheus() {
        let mut names: Vec<&str> = METERS.iter().map(|meter| meter.name).collect();
        for meter in METERS {
            assert!(meter.name.starts_with("undersigned_"), "{}", meter.name);
            assert_eq!(meter.kind == "counter", meter.name.ends_with("_total"), "{}", meter.name);
            assert_eq!(meter.kind == "histogram", meter.name.ends_with("_seconds"), "{}", meter.name);
            assert!(meter.help.trim().ends_with('.'), "{}", meter.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METERS.len());
    }

    #[test]
    fn the_page_for_operators_has_the_table_of_the_code() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
        let page = std::fs::read_to_string(page).expect("docs/operations.md");
        assert!(page.contains(&table()), "docs/operations.md should have this table:\n{}", table());
    }
}
