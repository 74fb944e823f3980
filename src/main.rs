//! The program: everything is in the library, so that tests reach it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Receipts are made on all cores from short-lived pieces, for which the C library's allocator took a fifth of
/// the server's time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    undersigned::cli::run()
}
