//! [`Report`]: a page that shows where the time of a call went.
//!
//! ```text
//!  events ──► what is kept of the call ──► updates, as JSON ──► in the page of a file
//!                                                          └──► to browsers, as it grows
//! ```

mod call;
mod file;
mod keeper;
mod names;
mod packed;
mod page;
mod request;
mod server;
#[cfg(all(test, not(loom)))]
mod tests;
mod update;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use self::file::Destination;
use self::keeper::Keeper;
use self::names::Names;
use self::server::Server;
use super::{Event, Observer};

/// A page for a browser that shows where the time of a call went: a timeline of each worker, the slowest
/// tasks, what failed and why, how long tasks took, how large the batches were. An [`Observer`].
///
/// The page is one file and needs no network. [`html`](Self::html) writes it when a call ends,
/// [`serve`](Self::serve) shows it while the call goes on. Of each task 32 bytes are kept, of the first
/// 4 194 304 of a call; what comes after these is counted and not drawn.
///
/// ```
/// use parallel::{Parallel, Report, delayed};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("kitchen.html");
/// let parallel = Parallel::new(2).observer(Report::html(&path)?);
/// parallel.run((0..100u64).map(|i| delayed(|i| i * i, i)))?;
/// assert!(std::fs::read_to_string(path)?.starts_with("<!DOCTYPE html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Report {
    names: Names,
    keeper: Arc<Keeper>,
    place: Place,
}

/// Where the page goes.
enum Place {
    File(Destination),
    Server(Server),
}

impl Report {
    /// Writes the page to a file each time a call ends: the page of that call, in place of what was there
    /// before. The old page stays until the new one is complete.
    ///
    /// The call returns when the page is there, or after a second: then the page is written while the program
    /// goes on, and is lost if the program ends meanwhile. A million tasks take a tenth of that.
    ///
    /// That it cannot be written later, say because the disk is full, is told on standard error.
    ///
    /// # Errors
    /// If the file cannot be written. Nothing is written yet.
    ///
    /// ```
    /// use parallel::Report;
    ///
    /// let error = Report::html("no/such/folder/kitchen.html").unwrap_err();
    /// assert!(error.to_string().contains("no/such/folder/kitchen.html"));
    /// ```
    pub fn html(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self {
            names: Names::default(),
            keeper: Arc::new(Keeper::default()),
            place: Place::File(Destination::new(path.as_ref())?),
        })
    }

    /// Serves the page of the call that began last to browsers on this machine, under
    /// `http://127.0.0.1:8787/` for one. It grows while the call goes on. Port 0 is any that is free; see
    /// [`local_addr`](Self::local_addr).
    ///
    /// The call never waits for a browser: one that does not read on is cut off. At the end of a call those
    /// that do read have a quarter of a second to see it. The server ends when this is dropped, which is
    /// when the [`Parallel`](crate::Parallel) that it was given to is.
    ///
    /// # Errors
    /// If the address is in use, or not one of this machine only: 127.0.0.1, ::1 or localhost.
    ///
    /// ```
    /// use parallel::{Parallel, Report};
    ///
    /// let report = Report::serve("127.0.0.1:0")?;
    /// println!("http://{}/", report.local_addr().unwrap());
    /// let parallel = Parallel::new(2).observer(report);
    /// assert_eq!(parallel.map(|i| i + 1, 0..3)?, [1, 2, 3]);
    ///
    /// assert!(Report::serve("0.0.0.0:0").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(address: impl ToSocketAddrs) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        if let Some(other) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "cannot serve the report at {other}: others could read it there; take 127.0.0.1, or \
                     call serve_to_everyone if they may"
                ),
            ));
        }
        Self::serve_at(&addresses)
    }

    /// As [`serve`](Self::serve), at any address. Whoever reaches it can read the labels of tasks, what
    /// they print and why they fail: there is no password and no encryption.
    ///
    /// # Errors
    /// If the address is in use or not one of this machine.
    ///
    /// ```
    /// let report = parallel::Report::serve_to_everyone("0.0.0.0:0")?;
    /// assert_ne!(report.local_addr().unwrap().port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn serve_to_everyone(address: impl ToSocketAddrs) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        Self::serve_at(&addresses)
    }

    fn serve_at(addresses: &[SocketAddr]) -> io::Result<Self> {
        let keeper = Arc::new(Keeper::default());
        Ok(Self {
            names: Names::default(),
            place: Place::Server(Server::start(addresses, &keeper)?),
            keeper,
        })
    }

    /// Where it is served; `None` for a file.
    ///
    /// ```
    /// let report = parallel::Report::serve("127.0.0.1:0")?;
    /// assert!(report.local_addr().unwrap().ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::File(_) => None,
            Place::Server(server) => Some(server.address()),
        }
    }

    /// What the page is called.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("kitchen.html");
    /// let report = parallel::Report::html(path)?.title("The kitchen");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        self.keeper.set_title(title.into());
        self
    }

    /// What the page calls each task, by its index. Tasks of the same label have the same colour.
    ///
    /// Asked once or twice for each task, as it begins and ends, so it should be quick. Each text is kept once.
    ///
    /// ```
    /// use parallel::{Parallel, Report};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("kitchen.html");
    /// let dishes = ["Pizza", "Salad", "Spaghetti"];
    /// let report = Report::html(&path)?.label(move |index| dishes[index]);
    /// Parallel::new(2).observer(report).map(str::len, dishes)?;
    /// assert!(std::fs::read_to_string(path)?.contains("Spaghetti"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn label<L: Into<String>>(
        mut self,
        label: impl Fn(usize) -> L + Send + Sync + 'static,
    ) -> Self {
        self.names.tasks = Some(Box::new(move |index| label(index).into()));
        self
    }

    /// What the page calls each worker, by its number; `Worker 0` and so on if not asked otherwise.
    ///
    /// ```
    /// use parallel::{Parallel, Report};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("kitchen.html");
    /// let report = Report::html(&path)?.worker_label(|worker| format!("Cook {}", worker + 1));
    /// Parallel::new(2).observer(report).map(|i| i, 0..3)?;
    /// assert!(std::fs::read_to_string(path)?.contains("Cook 1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn worker_label<L: Into<String>>(
        mut self,
        label: impl Fn(usize) -> L + Send + Sync + 'static,
    ) -> Self {
        self.names.workers = Some(Box::new(move |worker| label(worker).into()));
        self
    }
}

impl Observer for Report {
    fn event(&self, event: &Event) {
        self.keeper.note(event, &self.names);
        if let Event::RunFinished { run, .. } = event {
            match &self.place {
                Place::File(destination) => {
                    let written = self.keeper.take(*run).map_or(Ok(()), |call| {
                        destination.write(&call, &self.keeper.title())
                    });
                    if let Err(error) = written {
                        eprintln!("{error}");
                    }
                }
                Place::Server(server) => server.show_the_end(),
            }
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("Report");
        match &self.place {
            Place::File(destination) => debug.field(destination),
            Place::Server(server) => debug.field(&server.address()),
        };
        debug.finish()
    }
}
