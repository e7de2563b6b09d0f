//! Objects on their way, over a real socket, with nobody or somebody strange at the other end.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};

use super::{Courier, packet};
use crate::backend::processes::packet::Packet;
use crate::shared::{Object, Shared};
use crate::wire::attachments::{self, Id};
use crate::wire::{decode, encode};

fn pair() -> (Arc<Courier>, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (here, there) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    (Courier::new(here), there)
}

fn object() -> Arc<Object> {
    let bytes = vec![7; 100];
    Object::new(Id::random().unwrap(), &bytes).unwrap()
}

fn next(socket: &OwnedFd) -> Option<Packet> {
    packet::receive(socket, RecvFlags::DONTWAIT).ok().flatten()
}

#[test]
fn an_object_is_given_once_until_it_is_forgotten() {
    let (courier, there) = pair();
    let (a, b) = (object(), object());
    assert_eq!(courier.post(&[Arc::clone(&a)]), Some(1));
    assert_eq!(courier.post(&[Arc::clone(&a)]), None);
    assert_eq!(courier.post(&[Arc::clone(&b), Arc::clone(&a)]), Some(2));
    assert!(courier.flush());
    for id in [a.id(), b.id()] {
        let Some(Packet::Give { objects, .. }) = next(&there) else {
            panic!("it is given");
        };
        assert_eq!(
            objects.iter().map(|given| given.id).collect::<Vec<_>>(),
            [id]
        );
    }
    let id = a.id();
    drop(a);
    let Some(Packet::Forget(ids)) = next(&there) else {
        panic!("it is told");
    };
    assert_eq!(ids, [id]);
    assert!(next(&there).is_none());
}

#[test]
fn a_worker_that_was_not_told_to_wait_is_told_with_the_next_task() {
    let (courier, _there) = pair();
    let a = object();
    assert_eq!(courier.post(&[Arc::clone(&a)]), Some(1));
    courier.not_told();
    assert_eq!(courier.post(&[Arc::clone(&a)]), Some(1));
    assert_eq!(courier.post(&[a]), None);
}

#[test]
fn what_has_no_room_is_sent_when_there_is() {
    let (courier, there) = pair();
    let objects: Vec<_> = (0..700).map(|_| object()).collect();
    for object in &objects {
        courier.post(&[Arc::clone(object)]);
    }
    assert!(!courier.flush(), "a socket has room for fewer");
    let ids: Vec<Id> = objects.iter().map(|object| object.id()).collect();
    // Also what is forgotten, which nobody waits for.
    let late = object();
    assert!(courier.post(&[late]).is_some());
    drop(objects);
    let (mut given, mut forgotten) = (Vec::new(), 0);
    loop {
        let sent = courier.flush();
        let mut any = false;
        while let Some(packet) = next(&there) {
            any = true;
            match packet {
                Packet::Give { objects, .. } => given.extend(objects.iter().map(|given| given.id)),
                Packet::Forget(ids) => forgotten += ids.len(),
            }
        }
        if sent && !any {
            break;
        }
    }
    assert_eq!(given[..700], ids);
    assert_eq!((given.len(), forgotten), (701, 701));
}

#[test]
fn what_could_be_changed_is_refused() {
    let (courier, there) = pair();
    let name = |array: &Shared<[u64]>| {
        let session = attachments::enter(None);
        let mut bytes = Vec::new();
        encode(array, &mut bytes).unwrap();
        (bytes, session.take().remove(0))
    };
    let array: Shared<[u64]> = (0..20_000).collect();
    let (bytes, object) = name(&array);
    let entry = [(object.id(), 160_000)];
    let packet = packet::packet(packet::GIVE, 7, entry.into_iter());
    let open = memfd_create("open", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&open, 160_000).unwrap();
    packet::send(&there, &packet, &[open.as_fd()], SendFlags::empty()).unwrap();
    let attached = courier.collect(7).unwrap();
    {
        let _session = attachments::enter(Some(Arc::new(attached)));
        let error = decode::<Shared<[u64]>>(&bytes).unwrap_err().to_string();
        assert!(error.contains("it is not sealed"), "{error}");
    }
    // Without a descriptor, where too many are on their way.
    packet::send(&there, &packet, &[], SendFlags::empty()).unwrap();
    let _session = attachments::enter(Some(Arc::new(courier.collect(7).unwrap())));
    let error = decode::<Shared<[u64]>>(&bytes).unwrap_err().to_string();
    assert!(error.contains("ulimit -n"), "{error}");
}

#[test]
fn what_belongs_to_another_answer_waits_or_is_dropped() {
    let (courier, there) = pair();
    let objects: Vec<_> = (0..3).map(|_| object()).collect();
    for (number, object) in [65_534, 65_535, 0].into_iter().zip(&objects) {
        let object = std::slice::from_ref(object);
        packet::give(&there, number, object, SendFlags::empty()).unwrap();
    }
    let ids = |attached: attachments::Attached| attached.into_iter().map(|(id, _)| id);
    assert!(ids(courier.collect(65_535).unwrap()).eq([objects[1].id()]));
    assert!(ids(courier.collect(0).unwrap()).eq([objects[2].id()]));
    assert!(courier.collect(65_534).unwrap().is_empty());
    drop(there);
    assert!(courier.take_in());
}

#[test]
fn nonsense_is_told() {
    for bytes in [&b"x"[..], &[9; 9], &[9; 40], &[2, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let (courier, there) = pair();
        packet::send(&there, bytes, &[], SendFlags::empty()).unwrap();
        assert!(!courier.take_in(), "{bytes:?}");
    }
}
