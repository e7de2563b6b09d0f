//! Arguments and results of all sizes and shapes.

use serde::{Deserialize, Serialize};

use parallel::{delayed, delayed as d};

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
