//! What bytes from a hostile or broken worker must not do, as functions that take any bytes and panic
//! if one of them got its way. `cargo xtask fuzz` searches for such bytes, and the tests here try random
//! ones, damaged ones and those of the corpus, `fuzz/corpus`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::wire::frame::{Garbled, HEADER, Header};
use crate::wire::inbox::{Inbox, RESERVE_PARCEL};
use crate::wire::{OwnedValue, decode, encode};

/// Positions and bytes of a ring that the other side changes at will, as a series of steps.
#[cfg(target_os = "linux")]
pub fn ring(data: &[u8]) {
    crate::backend::hostile_ring(data);
}

/// A stream of frames that arrives in pieces: a number, as many lengths of pieces, and the stream.
///
/// The frames come out of the inbox as they stand in the stream, up to the first that makes no sense,
/// and no room is made for bytes that were announced only, beyond a fixed amount.
pub fn frames(data: &[u8]) {
    let Some((&lengths, data)) = data.split_first() else {
        return;
    };
    let (lengths, mut stream) = data.split_at(data.len().min(usize::from(lengths % 8)));
    let whole = stream;
    let mut lengths = lengths.iter().cycle();
    let (mut inbox, mut taken, mut received) = (Inbox::default(), 0, 0);
    while !stream.is_empty() {
        // Without lengths, all at once.
        let length = lengths
            .next()
            .map_or(stream.len(), |&length| usize::from(length) + 1);
        let (piece, rest) = stream.split_at(length.min(stream.len()));
        stream = rest;
        put(&mut inbox, piece);
        received += piece.len();
        loop {
            let expected = frame_at(&whole[taken..received]);
            let got = inbox.next();
            assert!(inbox.capacity() <= 4 * received + RESERVE_PARCEL);
            match (got, expected) {
                (Ok(true), Ok(Some((same, there)))) => {
                    assert_eq!(inbox.header(), same);
                    let payload = &whole[taken..][there];
                    match inbox.take_parcel() {
                        Some(parcel) => assert_eq!(parcel.contents().bytes, payload),
                        None => assert_eq!(inbox.payload(), payload),
                    }
                    taken += HEADER + payload.len();
                }
                (Ok(false), Ok(None)) => break,
                (Err(error), Err(same)) => {
                    assert_eq!(error, same);
                    assert_eq!(inbox.next(), Err(same), "it does not heal");
                    return;
                }
                (got, expected) => panic!("{got:?} instead of {expected:?}"),
            }
        }
    }
}

/// Puts bytes in as a link does that reads them.
fn put(inbox: &mut Inbox, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let Some(incoming) = inbox.incoming() else {
            return inbox.space().extend_from_slice(bytes);
        };
        let space = incoming.space();
        let (here, rest) = bytes.split_at(bytes.len().min(space.len()));
        space[..here.len()].copy_from_slice(here);
        incoming.advance(here.len());
        bytes = rest;
    }
}

/// The frame with which `bytes` begin, read in the plainest way.
fn frame_at(bytes: &[u8]) -> Result<Option<(Header, Range<usize>)>, Garbled> {
    let Some(bytes_of_header) = bytes.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let header = Header::from_bytes(*bytes_of_header);
    let whole_numbers = || {
        let [length, word] = [3..8, 8..16].map(|at| {
            let bytes = bytes_of_header[at].iter().rev();
            bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
        });
        [1, 2, 4, 8].contains(&word) && length % word == 0
    };
    let known = match bytes_of_header[0] {
        8 => whole_numbers(),
        kind => matches!(kind, 1..=7 | 9 | 17..=23),
    };
    assert_eq!(header.is_ok(), known, "{header:?}");
    let header = header?;
    assert_eq!(&header.to_bytes(), bytes_of_header);
    let there = HEADER..HEADER + header.payload();
    Ok((there.end <= bytes.len()).then_some((header, there)))
}

/// A failure that a worker tells.
pub fn failure(data: &[u8]) {
    if let Ok(failure) = decode::<Failure>(data) {
        // It is printed, whatever it says.
        assert!(!failure.to_string().is_empty());
        assert!(!format!("{failure:?}").is_empty());
    }
    check::<Failure>(data);
}

/// What a task told `tracing`, as a worker passes it on.
#[cfg(target_os = "linux")]
pub fn told(data: &[u8]) {
    crate::backend::hostile_told(data);
}

/// A result: its type, by number, and its bytes.
pub fn values(data: &[u8]) {
    let Some((&number, bytes)) = data.split_first() else {
        return;
    };
    TYPES[usize::from(number) % TYPES.len()](bytes);
}

type Check = fn(&[u8]);

/// By their numbers the corpus names the types, so new ones come last.
const TYPES: &[Check] = &[
    check_bulk::<u8>,
    check_bulk::<f32>,
    check_bulk::<f64>,
    check::<String>,
    check::<Dish>,
    check::<(u8, (String, Option<f64>), [u16; 3])>,
    check::<Option<Vec<String>>>,
    check::<Result<Vec<f64>, Option<Dish>>>,
    check::<BTreeMap<char, Vec<i128>>>,
    check::<(u64, i64, usize, u16)>,
    check::<Vec<(bool, char)>>,
];

/// With what derives have: fields by name, variants of each kind.
#[derive(Serialize, Deserialize)]
struct Dish {
    name: String,
    sizes: Vec<u32>,
    bake: Bake,
    side: Option<Box<Dish>>,
}

#[derive(Serialize, Deserialize)]
enum Bake {
    Raw,
    At(f64),
    Twice { first: i16, second: i64 },
}

/// Bytes are an error that names the type, or a value that travels on and arrives the same. It need not
/// have the same bytes, as a number may have been written with more of them than it takes, and a time with
/// more nanoseconds than a second has.
fn check<V: OwnedValue>(bytes: &[u8]) {
    match decode::<V>(bytes) {
        Err(Failure::Decode { type_name, .. }) => {
            assert_eq!(type_name, std::any::type_name::<V>());
        }
        Err(other) => panic!("{other:?}"),
        Ok(value) => {
            let there = encoded(&value);
            assert_eq!(encoded(&decode::<V>(&there).unwrap()), there);
        }
    }
}

/// The same; and a vector that is copied as a whole is what serde makes of these bytes.
fn check_bulk<E>(bytes: &[u8])
where
    Vec<E>: OwnedValue,
{
    check::<Vec<E>>(bytes);
    // A tuple is encoded as what is in it, and is not such a vector.
    let by_serde = decode::<(Vec<E>,)>(bytes).map(|value| encoded(&value));
    let as_a_whole = decode::<Vec<E>>(bytes).map(|value| encoded(&value));
    assert_eq!(as_a_whole.ok(), by_serde.ok());
}

fn encoded<V: OwnedValue>(value: &V) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).unwrap();
    bytes
}

#[cfg(test)]
#[path = "fuzz_tests.rs"]
mod tests;
