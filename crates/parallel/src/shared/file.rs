//! Arrays from files.

use std::any::type_name;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek};
use std::path::Path;

use bytemuck::Pod;

use super::Shared;
use super::making::SMALL;
use super::object::Object;

impl<T: Pod + Send + Sync> Shared<[T]> {
    /// A file as an array, mapped: what is read of it is brought into memory then, once for all processes,
    /// and it may be larger than the memory. The elements lie in the file as in this machine's memory.
    ///
    /// # What you promise
    /// That nobody changes the file, or cuts it off, while a clone or a view of the array is there, here or in
    /// a worker. Nothing can keep others from doing it. Who does makes elements change under those who
    /// read them, on which no compiler and no code counts, and reading what was cut off ends the process by
    /// `SIGBUS`: in a worker it costs its task, here everything. To replace the file, write another one and
    /// rename it over this one; the array stays what it was. If you cannot promise that,
    /// [`read_file`](Self::read_file) does without.
    ///
    /// What can be seen is looked at: a file on which somebody has an exclusive lock (`flock`) is refused,
    /// and it gets a shared one as long as it is mapped; a task to which it is sent after it has changed fails with
    /// [`Failure::Encode`](crate::Failure::Encode).
    ///
    /// # Errors
    /// If it cannot be opened for reading, is no regular file, is locked, or is no whole number of elements.
    ///
    /// ```
    /// use parallel::{Parallel, Processes, Shared, delayed};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("samples.f32");
    /// std::fs::write(&path, bytemuck::cast_slice(&[0.5f32; 50_000]))?;
    /// let samples = Shared::<[f32]>::map_file(&path)?;
    /// let parallel = Parallel::new(2).backend(Processes::new());
    /// let sums = parallel.map(|part: Shared<[f32]>| part.iter().sum::<f32>(), samples.slices(25_000))?;
    /// assert_eq!(sums, [12_500.0, 12_500.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let told = |error: io::Error| in_words("map", path, &error);
        let (file, len) = open::<T>(path).map_err(told)?;
        if len == 0 {
            return Self::read_file(path);
        }
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let why = "another program has locked it, likely to write to it";
                return Err(told(io::Error::new(io::ErrorKind::WouldBlock, why)));
            }
            // Not every file system has locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        match Object::of_file(file, path) {
            Ok(object) => {
                let why = "its elements cannot begin where a page does";
                Self::of_object(object).ok_or_else(|| told(io::Error::other(why)))
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Self::read_file(path),
            Err(error) => Err(told(error)),
        }
    }

    /// The contents of a file as an array, read into memory that can be shared. What happens to the file
    /// afterwards does not matter.
    ///
    /// # Errors
    /// If it cannot be read, is no regular file, or is no whole number of elements.
    ///
    /// ```
    /// use parallel::Shared;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("samples.u16");
    /// std::fs::write(&path, [1, 0, 2, 0])?;
    /// let samples = Shared::<[u16]>::read_file(&path)?;
    /// std::fs::remove_file(&path)?;
    /// assert_eq!(samples, [1u16, 2].map(u16::to_le));
    ///
    /// std::fs::write(&path, [1, 0, 2])?;
    /// let error = Shared::<[u16]>::read_file(&path).unwrap_err().to_string();
    /// assert!(error.ends_with("it has 3 bytes, no whole number of elements of 2 bytes (u16)"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let told = |error: io::Error| in_words("read", path, &error);
        let (file, len) = open::<T>(path).map_err(told)?;
        let array = if len == 0 {
            read_to_end(file)
        } else {
            read(file, len)
        };
        array.map_err(told)
    }
}

/// What a file has that says it is empty: one in `/proc` says so always.
fn read_to_end<T: Pod + Send + Sync>(mut file: File) -> io::Result<Shared<[T]>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    check_len::<T>(bytes.len() as u64)?;
    Ok(Shared::of_vec(bytemuck::pod_collect_to_vec(&bytes)))
}

/// So many bytes of a file, which are whole elements.
fn read<T: Pod + Send + Sync>(mut file: File, len: u64) -> io::Result<Shared<[T]>> {
    if len > SMALL as u64
        && let Ok(mut filling) = Object::blank(len)
        && io::copy(&mut (&file).take(len), &mut filling).is_ok_and(|read| read == len)
        && let Ok(object) = Object::seal(filling)
        && let Some(array) = Shared::of_object(object)
    {
        return Ok(array);
    }
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut elements = vec![T::zeroed(); len / size_of::<T>()];
    file.rewind()?;
    file.read_exact(bytemuck::cast_slice_mut(&mut elements))?;
    Ok(Shared::of_vec(elements))
}

/// Opens a file of elements, and says how many bytes it has.
fn open<T>(path: &Path) -> io::Result<(File, u64)> {
    // Looked at first, since to open a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        let why = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    check_len::<T>(len)?;
    Ok((file, len))
}

/// So many bytes have to be whole elements.
fn check_len<T>(len: u64) -> io::Result<()> {
    let size = size_of::<T>() as u64;
    if len.is_multiple_of(size) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "it has {len} bytes, no whole number of elements of {size} bytes ({})",
            type_name::<T>()
        ),
    ))
}

/// The same error, with what was to be done and to what.
fn in_words(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    let path = path.display();
    io::Error::new(
        error.kind(),
        format!("cannot {verb} {path} as an array: {error}"),
    )
}
