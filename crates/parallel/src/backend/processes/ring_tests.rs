use super::*;

#[cfg(loom)]
pub(in crate::backend::processes) mod loom {
    use super::*;
    use crate::sync::{Arc, Condvar, Mutex, lock, thread, wait};
    use ::loom::cell::UnsafeCell;
    use ::loom::model::Builder;

    /// loom tells when both sides touch a cell at the same time.
    pub(in crate::backend::processes) struct Memory {
        positions: Positions,
        cells: Vec<UnsafeCell<u8>>,
        pub(in crate::backend::processes) consumer_wish: AtomicU32,
        producer_wish: AtomicU32,
    }

    impl Memory {
        pub(in crate::backend::processes) fn new(capacity: usize) -> Arc<Self> {
            Arc::new(Self {
                positions: Positions::default(),
                cells: (0..capacity).map(|_| UnsafeCell::new(0)).collect(),
                consumer_wish: AtomicU32::new(0),
                producer_wish: AtomicU32::new(0),
            })
        }
    }

    impl Storage for Arc<Memory> {
        fn positions(&self) -> &Positions {
            &self.positions
        }

        fn capacity(&self) -> usize {
            self.cells.len()
        }

        #[allow(
            unsafe_code,
            reason = "loom's cells hand out pointers; it checks each access itself"
        )]
        fn copy_in(&self, offset: usize, bytes: &[u8]) {
            for (cell, byte) in self.cells[offset..].iter().zip(bytes) {
                // SAFETY: the pointer is that of a live cell, and loom panics on a second access.
                cell.with_mut(|place| unsafe { *place = *byte });
            }
        }

        #[allow(unsafe_code, reason = "as above")]
        fn copy_out(&self, offset: usize, len: usize, into: &mut Vec<u8>) {
            for cell in &self.cells[offset..offset + len] {
                // SAFETY: as above.
                into.push(cell.with(|place| unsafe { *place }));
            }
        }

        #[allow(unsafe_code, reason = "as above")]
        fn copy_over(&self, offset: usize, into: &mut [u8]) {
            for (cell, byte) in self.cells[offset..].iter().zip(into) {
                // SAFETY: as above.
                *byte = cell.with(|place| unsafe { *place });
            }
        }
    }

    /// A pipe with bytes in it, as far as a sleeper can tell.
    #[derive(Default)]
    pub(in crate::backend::processes) struct Bell {
        rung: Mutex<u32>,
        heard: Condvar,
    }

    impl Bell {
        pub(in crate::backend::processes) fn ring(&self) {
            *lock(&self.rung) += 1;
            self.heard.notify_one();
        }

        pub(in crate::backend::processes) fn listen(&self) {
            let mut rung = lock(&self.rung);
            while *rung == 0 {
                rung = wait(&self.heard, rung);
            }
            *rung = 0;
        }
    }

    /// Every byte arrives, in order, and neither side sleeps for ever: loom calls that a deadlock.
    #[test]
    fn every_byte_arrives_and_nobody_sleeps_for_ever() {
        const BYTES: &[u8] = &[1, 2, 3];
        let mut builder = Builder::new();
        builder.preemption_bound = Some(5);
        builder.check(|| {
            // Two bytes, so that the producer meets a full ring.
            let memory = Memory::new(2);
            let (to_consumer, to_producer) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
            let consumer = {
                let memory = Arc::clone(&memory);
                let (hear, tell) = (Arc::clone(&to_consumer), Arc::clone(&to_producer));
                thread::spawn(move || {
                    let mut ring = Consumer::new(Arc::clone(&memory));
                    let mut got = Vec::new();
                    while got.len() < BYTES.len() {
                        if ring.read(&mut got).unwrap() > 0 {
                            if must_ring(&memory.producer_wish, SPACE) {
                                tell.ring();
                            }
                            continue;
                        }
                        wish(&memory.consumer_wish, DATA);
                        if ring.available().unwrap() == 0 {
                            hear.listen();
                        }
                        no_wish(&memory.consumer_wish);
                    }
                    got
                })
            };
            let mut ring = Producer::new(Arc::clone(&memory));
            let mut rest = BYTES;
            while !rest.is_empty() {
                let written = ring.write(rest).unwrap();
                rest = &rest[written..];
                if written > 0 {
                    if must_ring(&memory.consumer_wish, DATA) {
                        to_consumer.ring();
                    }
                    continue;
                }
                wish(&memory.producer_wish, SPACE);
                if ring.free().unwrap() == 0 {
                    to_producer.listen();
                }
                no_wish(&memory.producer_wish);
            }
            assert_eq!(consumer.join().unwrap(), BYTES);
        });
    }
}

#[cfg(not(loom))]
mod plain {
    use super::fuzz::Memory;
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    fn ring(capacity: usize) -> (Rc<Memory>, Producer<Rc<Memory>>, Consumer<Rc<Memory>>) {
        let memory = Memory::new(capacity);
        let ends = (
            Producer::new(Rc::clone(&memory)),
            Consumer::new(Rc::clone(&memory)),
        );
        (memory, ends.0, ends.1)
    }

    #[test]
    fn positions_that_make_no_sense_are_an_error() {
        let (memory, mut producer, mut consumer) = ring(4);
        memory.positions.tail.0.store(5, Ordering::Relaxed);
        assert_eq!(consumer.read(&mut Vec::new()), Err(Corrupt));
        memory.positions.head.0.store(1, Ordering::Relaxed);
        assert_eq!(producer.write(b"x"), Err(Corrupt));
        memory
            .positions
            .head
            .0
            .store(u64::MAX - 9, Ordering::Relaxed);
        assert_eq!(producer.write(b"x"), Err(Corrupt));
    }

    #[test]
    fn only_a_sleeper_is_rung_for_and_only_once() {
        let flag = AtomicU32::new(0);
        assert!(!must_ring(&flag, DATA));
        wish(&flag, DATA);
        assert!(!must_ring(&flag, SPACE));
        assert!(must_ring(&flag, DATA));
        assert!(!must_ring(&flag, DATA));
        wish(&flag, DATA | SPACE);
        no_wish(&flag);
        assert!(!must_ring(&flag, SPACE));
    }

    proptest! {
        /// The ring behaves as a queue of bytes with a bound, whatever the sizes of the pieces.
        #[test]
        fn a_ring_is_a_bounded_queue(
            capacity in 0..6u32,
            steps in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..60),
        ) {
            let capacity = 1usize << capacity;
            let (_memory, mut producer, mut consumer) = ring(capacity);
            let (mut queued, mut got) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Some(bytes) => {
                        let room = capacity - (queued.len() - got.len());
                        prop_assert_eq!(producer.free(), Ok(room));
                        let written = producer.write(&bytes).unwrap();
                        prop_assert_eq!(written, bytes.len().min(room));
                        queued.extend(&bytes[..written]);
                    }
                    None => {
                        let waiting = queued.len() - got.len();
                        prop_assert_eq!(consumer.available(), Ok(waiting));
                        prop_assert_eq!(consumer.read(&mut got), Ok(waiting));
                    }
                }
                prop_assert!(queued.starts_with(&got));
            }
        }
    }
}
