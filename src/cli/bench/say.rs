//! The figures in words, each rate beside the signature checks that one core makes in the same time.

use super::super::output::Output;
use super::Report;

/// What comes after the rows.
pub(super) fn say(report: &Report, output: Output) {
    let strict = report.verify_strict_per_second_one_core;
    for row in &report.receipts {
        output.line(format!(
            "at {:>4} clients    {:>10.2} receipts for each signature check that one core could make",
            row.figures.clients,
            row.figures.per_second / strict
        ));
    }
    output.line(format!("receipt            {:>10} bytes on average", report.receipt_bytes_mean));
    output.line(format!(
        "server memory      {:>10} MB at its highest, with {} state records",
        report.rss_bytes_max / 1_000_000,
        report.state_records
    ));
    output
        .line(format!("on disk            {:>10} bytes an entry, all files", report.stored_bytes_per_entry));
    output.line(format!(
        "index              {:>10} entries behind after the last row, {:.2} s to catch up",
        report.index_lag_entries_end, report.index_drain_seconds
    ));
    let rate = |name: &str, rate: f64, what: &str| {
        output.line(format!("{name:<18} {rate:>10.0}/s {what} ({:.2} for each check)", rate / strict));
    };
    let proofs = &report.proofs_per_second;
    rate("inclusion proofs", proofs.inclusion, "over HTTP");
    rate("consistency proofs", proofs.consistency, "over HTTP");
    rate("counts", proofs.count, "with proof, over HTTP");
    rate("absences", proofs.absent, "with proof, over HTTP");
    rate("tiles", report.tile_reads_per_second, "over HTTP");
    rate("receipts verified", report.receipt_verifications_per_second, "on one core");
    rate("audit", report.audit_entries_per_second, "entries, with signatures, law and state");
    rate("index rebuilt", report.index_rebuild_entries_per_second, "entries");
    let inserts = report.index_rebuild_entries_per_second * report.setup.index_inserts_per_entry;
    output.line(format!(
        "sled itself        {:>10.0}/s inserts; rebuilding made {:.2} of that ({:.1} inserts an entry)",
        report.sled_raw_inserts_per_second,
        inserts / report.sled_raw_inserts_per_second,
        report.setup.index_inserts_per_entry
    ));
    for (name, start) in
        [("start after a kill", &report.starts.after_kill), ("start after an end", &report.starts.after_end)]
    {
        output.line(format!(
            "{name} {:>10.2} s to the first receipt, {:.2} s to the first proof; {} entries replayed, {} MB",
            start.receipt_seconds,
            start.proof_seconds,
            start.replayed_entries,
            start.rss_bytes_max / 1_000_000
        ));
    }
    output.line(format!("end in order       {:>10.2} s", report.starts.end_seconds));
    let machine = &report.machine;
    output.line(format!(
        "machine            {} cores, {}, {}",
        machine.cores, machine.processor, machine.kernel
    ));
}
