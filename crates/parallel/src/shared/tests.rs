//! What is refused, and what an array is made of.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use proptest::prelude::*;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::making::SMALL;
use super::{Object, Shared};
use crate::wire::attachments::{self, Attached, Id};
use crate::wire::{decode, encode};

/// Larger than what travels inline.
fn large() -> Shared<[u64]> {
    (0..20_000).collect()
}

/// The array as it goes to another process, and its objects.
fn sent<V: serde::Serialize + 'static>(value: &V) -> (Vec<u8>, Vec<Arc<Object>>) {
    let session = attachments::enter(None);
    let mut bytes = Vec::new();
    encode(value, &mut bytes).unwrap();
    (bytes, session.take())
}

fn known(objects: &[Arc<Object>]) -> Option<Arc<dyn attachments::Resolve>> {
    let objects = objects.iter().map(|o| (o.id(), Ok(Arc::clone(o))));
    let known: Attached = objects.collect();
    Some(Arc::new(known))
}

fn is_object(array: &Shared<[u8]>) -> bool {
    array.0.object().is_some()
}

#[test]
fn the_name_of_a_large_array_travels_and_names_the_same_memory() {
    let array = large();
    let value = vec![
        (array.clone(), 1u8),
        (array.slice(5..7), 2),
        (Shared::default(), 3),
    ];
    let (bytes, objects) = sent(&value);
    assert!(bytes.len() < 100 && objects.len() == 1);
    let _session = attachments::enter(known(&objects));
    let back: Vec<(Shared<[u64]>, u8)> = decode(&bytes).unwrap();
    assert_eq!(back, value);
    assert_eq!(back[1].0.as_ptr(), &raw const array[5]);
}

#[test]
fn a_task_brings_its_argument_once_and_back_for_nothing() {
    let array = large();
    let (bytes, objects) = sent(&array);
    let session = attachments::enter(known(&objects));
    let back: Shared<[u64]> = decode(&bytes).unwrap();
    let mut answer = Vec::new();
    encode(&back, &mut answer).unwrap();
    encode(&large(), &mut answer).unwrap();
    let new = session.take();
    assert!(new.len() == 1 && new[0].id() != objects[0].id());
    // Of the next task it is the result only.
    encode(&back, &mut answer).unwrap();
    assert_eq!(session.take().len(), 1);
}

#[test]
fn a_session_is_for_its_own_values() {
    let array = large();
    let session = attachments::enter(None);
    attachments::outside(|| {
        let (inner, objects) = sent(&array);
        assert!(inner.len() < 100 && objects.len() == 1);
        assert!(postcard::to_allocvec(&array).unwrap().len() > SMALL);
    });
    assert!(session.take().is_empty());
}

#[test]
fn a_name_that_nobody_knows_is_refused() {
    let (bytes, _) = sent(&large());
    assert!(decode::<Shared<[u64]>>(&bytes).is_err());
    let _session = attachments::enter(known(&[]));
    let error = decode::<Shared<[u64]>>(&bytes).unwrap_err().to_string();
    assert!(
        error.ends_with("do not keep its bytes to send them again"),
        "{error}"
    );
}

#[test]
fn a_part_that_is_not_there_is_refused() {
    #[derive(serde::Serialize)]
    enum Form {
        #[expect(dead_code, reason = "it is the first one")]
        Elements,
        Part {
            id: Id,
            start: u64,
            len: u64,
        },
    }
    let array = large();
    let (_, objects) = sent(&array);
    let id = objects[0].id();
    let _session = attachments::enter(known(&objects));
    let part = |start, len| {
        let mut bytes = Vec::new();
        encode(&Form::Part { id, start, len }, &mut bytes).unwrap();
        decode::<Shared<[u64]>>(&bytes)
    };
    assert_eq!(part(8, 19_999).unwrap(), array[1..]);
    assert_eq!(part(160_000, 0).unwrap(), []);
    for (start, len) in [
        (8, 20_000),
        (4, 1),
        (160_000, 1),
        (u64::MAX, 1),
        (8, u64::MAX / 8),
        (0, u64::MAX),
        (160_008, 0),
    ] {
        let error = part(start, len).unwrap_err().to_string();
        assert!(error.contains("are not within its 160000 bytes"), "{error}");
    }
}

fn memfd(bytes: &[u8], seals: SealFlags) -> OwnedFd {
    let fd = memfd_create("stranger", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    let mut file = File::from(fd);
    file.write_all(bytes).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file.into()
}

#[test]
fn memory_of_a_stranger_must_be_sealed_and_as_long_as_told() {
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    let object = Object::from_stranger(memfd(b"dough", all), 5).unwrap();
    assert_eq!(object.bytes(), b"dough");
    let refusal = |bytes: &[u8], seals, len| {
        let object = Object::from_stranger(memfd(bytes, seals), len);
        object.expect_err("it is refused")
    };
    for seals in all {
        let error = refusal(b"dough", all - seals, 5);
        assert!(error.contains("not sealed"), "{error}");
    }
    let future = SealFlags::FUTURE_WRITE;
    assert!(refusal(b"dough", (all - SealFlags::WRITE) | future, 5).contains("not sealed"));
    assert!(refusal(b"dough", all, 6).ends_with("has 5 bytes and not 6"));
    let file = OwnedFd::from(tempfile::tempfile().unwrap());
    assert!(Object::from_stranger(file, 0).is_err());
    let (pipe, _) = std::io::pipe().unwrap();
    assert!(Object::from_stranger(pipe.into(), 0).is_err());
}

#[test]
fn one_memory_is_one_object() {
    let (_, objects) = sent(&large());
    let again = objects[0].descriptor().try_clone_to_owned().unwrap();
    let again = Object::from_stranger(again, 160_000).unwrap();
    assert!(Arc::ptr_eq(&again, &objects[0]));
}

#[test]
fn contents_may_come_by_any_way() {
    let (bytes, objects) = sent(&large());
    let id = objects[0].id();
    let copy = Object::new(id, objects[0].bytes()).unwrap();
    let _session = attachments::enter(known(&[copy]));
    assert_eq!(decode::<Shared<[u64]>>(&bytes).unwrap(), large());
}

#[test]
fn a_file_that_does_not_say_how_long_it_is_is_read_to_its_end() {
    // As all files there, it has no length.
    let path = "/proc/self/comm";
    let name = std::fs::read(path).unwrap();
    assert!(!name.is_empty());
    assert_eq!(Shared::<[u8]>::read_file(path).unwrap(), *name);
    assert_eq!(Shared::<[u8]>::map_file(path).unwrap(), *name);
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(Shared::<[u64]>::read_file(&file).unwrap(), []);
    assert_eq!(Shared::<[u64]>::map_file(&file).unwrap(), []);
}

#[test]
fn no_elements_are_no_elements_of_any_type() {
    let bytes = Shared::from(vec![1u8, 2]);
    for nothing in [Shared::default(), bytes.slice(1..1), bytes.slice(2..)] {
        assert_eq!(nothing.cast::<u64>().unwrap(), []);
    }
}

#[test]
fn a_changed_file_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dough");
    std::fs::write(&path, [7; 100]).unwrap();
    let array = Shared::<[u8]>::map_file(&path).unwrap();
    let (bytes, objects) = sent(&array);
    {
        let session = attachments::enter(known(&objects));
        let back: Shared<[u8]> = decode(&bytes).unwrap();
        encode(&back, &mut Vec::new()).expect("it came with the argument");
        session.take();
        let error = encode(&back, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("return its path"), "{error}");
    }
    // The same length, a moment later.
    let later = std::fs::metadata(&path).unwrap().modified().unwrap();
    let later = later + std::time::Duration::from_secs(1);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    let _session = attachments::enter(None);
    let error = encode(&array, &mut Vec::new()).unwrap_err().to_string();
    assert!(
        error.contains("dough has been changed since it was mapped"),
        "{error}"
    );
}

#[test]
fn a_file_that_somebody_has_locked_is_not_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dough");
    std::fs::write(&path, [7; 100]).unwrap();
    let file = File::open(&path).unwrap();
    file.lock().unwrap();
    let error = Shared::<[u8]>::map_file(&path).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(error.to_string().contains("another program has locked it"));
    file.unlock().unwrap();
    let array = Shared::<[u8]>::map_file(&path).unwrap();
    assert!(
        file.try_lock().is_err(),
        "it is locked as long as it is mapped"
    );
    drop(array);
    file.try_lock().unwrap();
}

#[test]
fn what_is_no_array_is_not_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dough");
    let map = || Shared::<[u32]>::map_file(&path);
    assert_eq!(map().unwrap_err().kind(), std::io::ErrorKind::NotFound);
    std::fs::write(&path, [7; 99]).unwrap();
    let error = map().unwrap_err().to_string();
    assert!(
        error.ends_with("no whole number of elements of 4 bytes (u32)"),
        "{error}"
    );
    std::fs::write(&path, []).unwrap();
    assert!(map().unwrap().is_empty());
    let error = Shared::<[u8]>::map_file(folder.path())
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("it is no regular file"), "{error}");
}

#[test]
fn only_large_arrays_need_a_descriptor() {
    assert!(!is_object(&Shared::from(vec![1; SMALL])));
    assert!(is_object(&Shared::from(vec![1; SMALL + 1])));
    assert!(!is_object(&(0..100).collect()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn an_array_is_what_it_was_made_of(len in 0..400_000usize, exact: bool) {
        let elements: Vec<u16> = (0..len).map(|i| i as u16).collect();
        let collected: Shared<[u16]> = if exact {
            elements.iter().copied().collect()
        } else {
            elements.iter().copied().filter(|_| true).collect()
        };
        prop_assert_eq!(&collected, &elements);
        prop_assert_eq!(&Shared::new(&elements), &elements);
        prop_assert_eq!(&Shared::from(elements.clone()), &elements);
        let plain = postcard::to_allocvec(&collected).unwrap();
        let back: Shared<[u16]> = postcard::from_bytes(&plain).unwrap();
        prop_assert_eq!(&back, &elements);
        prop_assert!(postcard::from_bytes::<Shared<[u16]>>(&plain[..plain.len() - 1]).is_err());
    }
}

#[test]
fn formats_for_people_say_what_to_do() {
    let error = serde_json::to_string(&large()).unwrap_err().to_string();
    assert!(
        error.contains("serialize its elements, `&shared[..]`"),
        "{error}"
    );
}

#[test]
fn elements_may_be_as_large_as_they_like() {
    let sheets: Shared<[[[u8; 4096]; 128]]> = (0..3).map(|i| [[i; 4096]; 128]).collect();
    assert!(sheets.iter().map(|sheet| sheet[0][0]).eq(0..3));
}
