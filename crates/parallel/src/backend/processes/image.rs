//! The executable as it lies in memory: what turns an entry point into a name and back.
//!
//! A name is the distance of the function from where the executable was loaded, which the file alone
//! determines. In a shared library it would mean something else, or nothing, so it is refused there.
//!
//! The promise of the `unsafe` here: an address is made a function again only if it lies in the
//! executable's own code, and only for names that a process of the same executable gave, which are
//! those of entry points.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::sync::OnceLock;

use crate::wire::EntryPoint;

/// Where the executable was loaded, and where its code is.
#[derive(Debug, Default)]
pub(in crate::backend) struct Image {
    base: usize,
    text: Vec<Range<usize>>,
}

impl Image {
    /// The executable of this process.
    pub(in crate::backend) fn of_this_process() -> &'static Self {
        static IMAGE: OnceLock<Image> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let mut image = Self::default();
            let data: *mut Self = &raw mut image;
            // SAFETY: `first_object` is what the function wants, and `data` is an `Image` of ours for
            // as long as the call lasts.
            unsafe { libc::dl_iterate_phdr(Some(first_object), data.cast::<c_void>()) };
            image
        })
    }

    /// The name of an entry point, if it is part of the executable.
    pub(in crate::backend) fn name_of(&self, entry: EntryPoint) -> Option<u64> {
        self.place_of(entry as usize)
    }

    /// How far behind the base this address is, if it is that of the executable's own code.
    pub(super) fn place_of(&self, address: usize) -> Option<u64> {
        self.has_code_at(address)
            .then(|| (address - self.base) as u64)
    }

    /// The entry point of that name, which another process of this executable gave.
    pub(in crate::backend) fn entry_named(&self, name: u64) -> Option<EntryPoint> {
        let address = self.base.checked_add(usize::try_from(name).ok()?)?;
        if !self.has_code_at(address) {
            return None;
        }
        // SAFETY: the parent runs the same file and gives only names that `name_of` made there of an
        // `EntryPoint`; the same function lies at the same distance from the base here.
        Some(unsafe { std::mem::transmute::<usize, EntryPoint>(address) })
    }

    /// Whether the code at this address is the executable's own.
    fn has_code_at(&self, address: usize) -> bool {
        self.text.iter().any(|text| text.contains(&address))
    }
}

/// Notes the first object, which dl_iterate_phdr(3) says is the main program, and ends the iteration.
extern "C" fn first_object(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid description, for the time of this call.
    let info = unsafe { &*info };
    // SAFETY: the loader passes the headers' address and their number.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    // SAFETY: this is the `Image` that `of_this_process` passed, and nobody else has it.
    let image = unsafe { &mut *data.cast::<Image>() };
    // Both are addresses of this process, which fit.
    image.base = info.dlpi_addr as usize;
    image.text = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0)
        .map(|header| {
            let start = image.base + header.p_vaddr as usize;
            start..start + header.p_memsz as usize
        })
        .collect();
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    fn entry(_: &[u8], _: &mut Vec<u8>) -> Result<(), Failure> {
        Ok(())
    }

    #[test]
    fn a_name_leads_back_to_its_function() {
        let image = Image::of_this_process();
        let name = image.name_of(entry).expect("it is in this executable");
        assert_eq!(
            image.entry_named(name).map(|f| f as usize),
            Some(entry as EntryPoint as usize)
        );
    }

    #[test]
    fn what_is_not_code_of_the_executable_has_no_function() {
        let image = Image::of_this_process();
        for name in [0, u64::MAX, u64::MAX / 2, 1 << 40] {
            assert!(image.entry_named(name).is_none(), "{name:#x}");
        }
        // The C library is a shared object: its functions are not the executable's.
        assert!(!image.has_code_at(libc::getpid as *const () as usize));
    }
}
