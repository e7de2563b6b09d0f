//! A ring whose other side does what it wants.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// A ring's memory for one thread. Its bytes are looked at only where they may be.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) positions: Positions,
    bytes: RefCell<Vec<u8>>,
}

impl Memory {
    pub(super) fn new(capacity: usize) -> Rc<Self> {
        Rc::new(Self {
            positions: Positions::default(),
            bytes: RefCell::new(vec![0; capacity]),
        })
    }
}

impl Storage for Rc<Memory> {
    fn positions(&self) -> &Positions {
        &self.positions
    }

    fn capacity(&self) -> usize {
        self.bytes.borrow().len()
    }

    fn copy_in(&self, offset: usize, bytes: &[u8]) {
        assert!(offset < self.capacity());
        self.bytes.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn copy_out(&self, offset: usize, len: usize, into: &mut Vec<u8>) {
        assert!(offset < self.capacity());
        into.extend_from_slice(&self.bytes.borrow()[offset..offset + len]);
    }

    fn copy_over(&self, offset: usize, into: &mut [u8]) {
        into.copy_from_slice(&self.bytes.borrow()[offset..offset + into.len()]);
    }
}

/// Takes `data` as the capacity and a series of steps, some by this side and some by a hostile one.
///
/// Whatever the other side does, a read gives what lies between the positions, a write fills what is
/// free between them, and neither passes the capacity: else the ring is corrupt, and nothing happens.
pub(crate) fn hostile_ring(data: &[u8]) {
    let mut data = data.iter().copied();
    let capacity = 1usize << (data.next().unwrap_or(0) % 8);
    let memory = Memory::new(capacity);
    let at = |position: u64| place(position, capacity);
    let (tail, head) = (&memory.positions.tail.0, &memory.positions.head.0);
    let mut producer = Producer::new(Rc::clone(&memory));
    let mut consumer = Consumer::new(Rc::clone(&memory));
    // What each side has come to, as it keeps it to itself.
    let (mut written, mut read) = (0u64, 0u64);
    while let Some(step) = data.next() {
        match step % 6 {
            0 => {
                let there = tail.load(Ordering::Relaxed).wrapping_sub(read);
                let mut got = b"before".to_vec();
                let result = consumer.read(&mut got);
                if there > capacity as u64 {
                    assert_eq!((result, got.as_slice()), (Err(Corrupt), &b"before"[..]));
                    continue;
                }
                let bytes = memory.bytes.borrow();
                let expected = (0..there).map(|i| bytes[at(read + i)]);
                assert!(got.split_off(6).into_iter().eq(expected));
                assert_eq!(result, Ok(there as usize));
                read += there;
                if there > 0 {
                    assert_eq!(head.load(Ordering::Relaxed), read);
                }
            }
            1 => {
                let len = usize::from(data.next().unwrap_or(0));
                let bytes: Vec<u8> = data.by_ref().take(len).collect();
                let used = written.wrapping_sub(head.load(Ordering::Relaxed));
                let before = memory.bytes.borrow().clone();
                let result = producer.write(&bytes);
                if used > capacity as u64 {
                    assert_eq!((result, &before), (Err(Corrupt), &*memory.bytes.borrow()));
                    continue;
                }
                let fits = bytes.len().min(capacity - used as usize);
                assert_eq!(result, Ok(fits));
                let mut after = before;
                for byte in &bytes[..fits] {
                    after[at(written)] = *byte;
                    written += 1;
                }
                assert_eq!(after, *memory.bytes.borrow());
                assert_eq!(tail.load(Ordering::Relaxed), written);
            }
            2 => tail.store(number(&mut data), Ordering::Relaxed),
            3 => head.store(number(&mut data), Ordering::Relaxed),
            // Near what makes sense, on either side of it.
            4 => {
                let by = u64::from(data.next().unwrap_or(0));
                tail.store(read.wrapping_add(by).wrapping_sub(8), Ordering::Relaxed);
                head.store(written.wrapping_sub(by).wrapping_add(8), Ordering::Relaxed);
            }
            _ => {
                let offset = usize::from(data.next().unwrap_or(0)) % capacity;
                memory.bytes.borrow_mut()[offset] = data.next().unwrap_or(0);
            }
        }
    }
}

fn number(data: &mut impl Iterator<Item = u8>) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(data).for_each(|(to, byte)| *to = byte);
    u64::from_le_bytes(bytes)
}
