use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::wire::frame::Kind;

type Target = fn(&[u8]);

/// Each by its name, which is that of its part of the corpus.
const TARGETS: &[(&str, Target)] = &[
    #[cfg(target_os = "linux")]
    ("ring", ring),
    ("frames", frames),
    ("failure", failure),
    ("values", values),
    #[cfg(target_os = "linux")]
    ("told", told),
];

#[test]
fn the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().collect();
        assert!(!files.is_empty(), "there is no corpus of {name}");
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
        }
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// What can be done to bytes on their way.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    /// What is between the two comes once more at the end.
    Replay(Index, Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            1 => any::<Index>().prop_map(Self::Cut),
            2 => (any::<Index>(), bytes(20)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Self::Replay(from, to)),
        ]
    }

    fn to(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + 1;
        match self {
            Self::Set(at, byte) => {
                let at = at.index(end);
                bytes.splice(at..(at + 1).min(end - 1), [*byte]);
            }
            Self::Cut(at) => bytes.truncate(at.index(end)),
            Self::Insert(at, new) => {
                let at = at.index(end);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Replay(from, to) => {
                let (from, to) = (from.index(end), to.index(end));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
        }
    }
}

fn damaged(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec(Damage::any(), 0..4);
    (bytes, damage).prop_map(|(mut bytes, damage)| {
        damage.iter().for_each(|damage| damage.to(&mut bytes));
        bytes
    })
}

fn valid_frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = (
        select(&Kind::ALL[..]),
        any::<u16>(),
        any::<u64>(),
        bytes(60),
    );
    prop::collection::vec(frame, 0..6).prop_map(|frames| {
        let mut stream = Vec::new();
        for (kind, generation, word, payload) in frames {
            let header = Header::new(kind, generation, payload.len(), word);
            stream.extend(header.to_bytes());
            stream.extend(payload);
        }
        stream
    })
}

fn valid_failure() -> impl Strategy<Value = Vec<u8>> {
    let text = || any::<String>();
    let place = || prop::option::of(text());
    let failure = prop_oneof![
        (text(), place(), place()).prop_map(|(message, location, backtrace)| Failure::Panicked {
            message,
            location,
            backtrace: backtrace.map(Into::into),
        }),
        any::<(Option<i32>, Option<i32>)>().prop_map(|(signal, code)| Failure::Died {
            signal,
            code,
            oom_likely: signal == Some(9),
            last_words: "no salt".repeat(3),
        }),
        any::<std::time::Duration>().prop_map(|limit| Failure::TimedOut { limit }),
        (text(), text()).prop_map(|(type_name, message)| Failure::Encode { type_name, message }),
        (text(), text()).prop_map(|(type_name, message)| Failure::Decode { type_name, message }),
        (text(), place()).prop_map(|(message, location)| Failure::Source { message, location }),
    ];
    failure.prop_map(|failure| encoded(&failure))
}

/// The number of a type, and a value of it.
fn valid_value() -> impl Strategy<Value = Vec<u8>> {
    fn of<V: OwnedValue>(number: u8, value: &V) -> Vec<u8> {
        let mut bytes = vec![number];
        encode(value, &mut bytes).unwrap();
        bytes
    }
    let dish = (any::<String>(), any::<Vec<u32>>(), any::<f64>());
    let dish = dish.prop_map(|(name, sizes, degrees)| {
        let bake = match sizes.len() % 3 {
            0 => Bake::Raw,
            1 => Bake::At(degrees),
            _ => Bake::Twice {
                first: -1,
                second: i64::MIN,
            },
        };
        let side = (degrees > 0.0).then(|| {
            Box::new(Dish {
                name: name.clone(),
                sizes: Vec::new(),
                bake: Bake::Raw,
                side: None,
            })
        });
        of(
            4,
            &Dish {
                name,
                sizes,
                bake,
                side,
            },
        )
    });
    prop_oneof![
        any::<Vec<u8>>().prop_map(|value| of(0, &value)),
        any::<Vec<f32>>().prop_map(|value| of(1, &value)),
        any::<Vec<f64>>().prop_map(|value| of(2, &value)),
        any::<String>().prop_map(|value| of(3, &value)),
        dish,
        any::<(u8, (String, Option<f64>), [u16; 3])>().prop_map(|value| of(5, &value)),
        any::<Option<Vec<String>>>().prop_map(|value| of(6, &value)),
        any::<BTreeMap<char, Vec<i128>>>().prop_map(|value| of(8, &value)),
        any::<(u64, i64, usize, u16)>().prop_map(|value| of(9, &value)),
        any::<Vec<(bool, char)>>().prop_map(|value| of(10, &value)),
    ]
}

/// Lengths of pieces before a stream.
fn in_pieces(stream: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (bytes(7), stream).prop_map(|(lengths, stream)| {
        let mut data = vec![lengths.len() as u8];
        data.extend(lengths);
        data.extend(stream);
        data
    })
}

proptest! {
    #[test]
    fn random_bytes_get_nowhere(data in bytes(300)) {
        for (_, target) in TARGETS {
            target(&data);
        }
    }

    #[test]
    fn damaged_frames_get_nowhere(data in in_pieces(damaged(valid_frames()))) {
        frames(&data);
    }

    #[test]
    fn damaged_failures_get_nowhere(data in damaged(valid_failure())) {
        failure(&data);
    }

    #[test]
    fn damaged_values_get_nowhere(data in damaged(valid_value())) {
        values(&data);
    }

    #[test]
    fn values_arrive_as_they_are(data in valid_value()) {
        values(&data);
    }
}
