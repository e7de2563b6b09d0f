//! Arguments and results of all sizes and shapes.

use serde::{Deserialize, Serialize};

use parallel::{Failure, delayed, delayed as d};

use super::parallel;
use crate::tools::with_deadline;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Dish {
    Plain,
    Named(String),
    Made {
        of: Vec<(u8, f64)>,
        by: Option<Box<Dish>>,
    },
}

#[test]
fn values_with_structure() {
    let dishes = vec![
        Dish::Plain,
        Dish::Named("Pizza \u{1F355}".to_owned()),
        Dish::Made {
            of: vec![(1, f64::MIN_POSITIVE), (2, -0.0)],
            by: Some(Box::new(Dish::Plain)),
        },
    ];
    let back = parallel(2).run(
        dishes
            .clone()
            .into_iter()
            .map(|dish| delayed(|dish: Dish| dish, dish)),
    );
    assert_eq!(back.unwrap(), dishes);
}

#[test]
fn values_without_size() {
    assert_eq!(parallel(2).map(|()| (), [(); 100]).unwrap(), [(); 100]);
}

#[test]
fn several_arguments() {
    let results = parallel(2).run((0..4u32).map(|i| parallel::delayed!(u32::pow(i, 2))));
    assert_eq!(results.unwrap(), [0, 1, 4, 9]);
    fn three(a: u8, b: String, c: Vec<u8>) -> String {
        format!("{a}{b}{}", c.len())
    }
    let results =
        parallel(2).run((0..2).map(|i| parallel::delayed!(three(i, "x".to_owned(), vec![0; 3]))));
    assert_eq!(results.unwrap(), ["0x3", "1x3"]);
    fn none() -> u8 {
        7
    }
    assert_eq!(
        parallel(2)
            .run((0..2).map(|_| parallel::delayed!(none())))
            .unwrap(),
        [7, 7]
    );
}

#[test]
fn an_argument_and_a_result_of_64_mib() {
    let big = |n: usize| (0..n).map(|i| (i % 251) as u8).collect::<Vec<u8>>();
    let flip = |mut bytes: Vec<u8>| {
        bytes.reverse();
        bytes
    };
    let results = with_deadline(|| parallel(2).run([d(flip, big(64 << 20))])).unwrap();
    let mut expected = big(64 << 20);
    expected.reverse();
    assert!(results == [expected]);
}

#[test]
fn many_values_larger_than_a_buffer() {
    let task = |(i, bytes): (u8, Vec<u8>)| {
        assert!(bytes.iter().all(|byte| *byte == i));
        vec![i; bytes.len() / 2]
    };
    with_deadline(|| {
        let parallel = parallel(3);
        let size = |i: u8| 1000 + usize::from(i) * 7919;
        let results = parallel
            .run((0..100).map(|i| d(task, (i, vec![i; size(i)]))))
            .unwrap();
        for (i, bytes) in (0..100).zip(results) {
            assert_eq!(bytes, vec![i; size(i) / 2]);
        }
    });
}

/// Numbers of each kind go as a whole, in between other tasks and failures.
#[test]
fn large_vectors_of_each_kind_of_number() {
    fn turned<E: Copy + Default + PartialEq>(mut numbers: Vec<E>) -> Vec<E> {
        assert!(numbers[0] != E::default(), "the first one is none");
        numbers.reverse();
        numbers.push(E::default());
        numbers
    }
    // Of a type of its own each, so a macro.
    macro_rules! check {
        ($($number:ty)*) => {$(
            let numbers = |i: u32| -> Vec<$number> {
                let first = i + u32::from(i % 5 != 3);
                (0..i * 20_000 + 1).map(|j| ((j + 1) * first % 101) as $number).collect()
            };
            let mut outcomes = parallel(2)
                .outcomes((0..6).map(|i| d(turned::<$number>, numbers(i))))
                .unwrap();
            for (i, outcome) in (0..6).zip(outcomes.drain(..)) {
                if numbers(i)[0] == <$number>::default() {
                    assert!(matches!(outcome.unwrap_err().failure(), Failure::Panicked { .. }));
                } else {
                    assert!(outcome.unwrap() == turned(numbers(i)), "{i} of {}", stringify!($number));
                }
            }
        )*};
    }
    with_deadline(|| {
        check!(u8 i8 u16 i16 u32 i32 f32 u64 i64 f64);
    });
}
