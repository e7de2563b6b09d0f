//! The page in a file: there as a whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::call::Call;
use super::page;

/// Where the page goes.
#[derive(Debug)]
pub(super) struct Destination {
    path: PathBuf,
}

impl Destination {
    /// Checks that it can be written, now that somebody can still do something about it.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let cannot = |error| cannot_write(path, &error);
        // Of a link what it points to is replaced, and not the link.
        let whole = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path),
            found => found,
        };
        let path = whole.map_err(cannot)?;
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(cannot(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is there and no regular file",
            )));
        }
        let destination = Self { path };
        destination.beside().map_err(cannot)?;
        Ok(destination)
    }

    pub(super) fn write(&self, call: &Call, title: &str) -> io::Result<()> {
        self.replace(call, title)
            .map_err(|error| cannot_write(&self.path, &error))
    }

    fn replace(&self, call: &Call, title: &str) -> io::Result<()> {
        let mut file = BufWriter::new(self.beside()?);
        page::write(call, title, &mut file)?;
        file.flush()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// A new file, which goes with the value.
    fn beside(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".report-");
        // As any file that a program creates: the umask takes away what others may not.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let folder = self.path.parent().unwrap_or(Path::new("."));
        builder.tempfile_in(folder)
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> io::Error {
    let path = path.display();
    io::Error::new(
        error.kind(),
        format!("cannot write the report to {path}: {error}"),
    )
}
