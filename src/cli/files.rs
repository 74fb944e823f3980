//! Files that are written once: what is there already is never lost.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Whether something would be lost by writing here. A device or pipe, such as `/dev/null`, loses nothing.
pub(super) fn is_taken(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() || found.is_dir())
}

/// Writes a new file, or into a device or pipe; a file that cannot be written whole is removed again.
///
/// # Errors
/// `AlreadyExists` where something has the name; or the file cannot be written.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() && !is_taken(path) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes).inspect_err(|_| {
        // What is left is ours and broken; if it cannot be removed either, the first error is told.
        let _ = fs::remove_file(path);
    })
}
