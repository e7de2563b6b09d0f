//! The files that are named on the command line: none of them is to be lost.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Refusal;
use crate::cli::Evening;

/// Refuses to write a file that is also to be read, or to be written for another purpose.
pub(crate) fn check(evening: &Evening) -> Result<(), Refusal> {
    let read = [("--menu", &evening.menu), ("--orders", &evening.orders)];
    let written = [("--trace", &evening.trace), ("--report", &evening.report)];
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    let named = read.into_iter().chain(written);
    for (option, path) in named.filter_map(|(option, path)| Some((option, path.as_deref()?))) {
        let place = place(path);
        let is_written = written.iter().any(|(of_written, _)| *of_written == option);
        let same = seen.iter().find(|(_, other)| is_written && *other == place);
        if let Some((other, _)) = same {
            return Err(format!(
                "{other} and {option} name the same file, {}: {option} would overwrite it, so give it another one",
                path.display()
            ));
        }
        // Not a file: the orders come from standard input.
        if option != "--orders" || path != Path::new("-") {
            seen.push((option, place));
        }
    }
    Ok(())
}

/// Where a file is, or will be, whatever way leads there.
fn place(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let will_be = || Some(fs::canonicalize(folder).ok()?.join(path.file_name()?));
    let is = fs::canonicalize(path).ok();
    is.or_else(will_be).unwrap_or_else(|| path.to_owned())
}
