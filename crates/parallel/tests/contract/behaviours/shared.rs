//! Arrays that tasks have in common.

use std::process;

use serde::{Deserialize, Serialize};

use parallel::{Shared, delayed};

use super::parallel;
use crate::tools::with_deadline;

fn numbers(len: u32) -> Shared<[u32]> {
    (0..len).collect()
}

fn sum(part: Shared<[u32]>) -> u64 {
    part.iter().copied().map(u64::from).sum()
}

#[test]
fn an_array_of_any_size_is_given_to_many_tasks() {
    let parallel = parallel(3);
    for len in [0, 1, 1000, 16_384, 16_385, 1_000_000] {
        let array = numbers(len);
        let sums = with_deadline(|| parallel.map(sum, std::iter::repeat_n(array.clone(), 50)));
        assert_eq!(sums.unwrap(), vec![sum(array); 50]);
    }
}

#[test]
fn a_task_gets_a_part() {
    let array = numbers(1_000_001);
    let sums = with_deadline(|| parallel(3).map(sum, array.slices(1000))).unwrap();
    assert_eq!(sums.len(), 1001);
    assert_eq!(sums.iter().sum::<u64>(), sum(array.clone()));
    let part = array.slice(10..500_000).slice(500..=600);
    let back = parallel(2).run([delayed(|part: Shared<[u32]>| (part[0], part.len()), part)]);
    assert_eq!(back.unwrap(), [(510, 101)]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    guest: String,
    wishes: Vec<Shared<[u32]>>,
    table: Option<(Shared<[u8]>, u8)>,
}

#[test]
fn arrays_are_anywhere_within_values() {
    let order = |i: u32| Order {
        guest: format!("guest {i}"),
        wishes: (0..i).map(|j| numbers(20_000 * j)).collect(),
        table: i.is_multiple_of(2).then(|| (vec![7; 100_000].into(), 4)),
    };
    let orders: Vec<Order> = (0..6).map(order).collect();
    let back = with_deadline(|| parallel(2).map(|order: Order| order, orders.clone()));
    assert_eq!(back.unwrap(), orders);
}

#[test]
fn results_are_arrays() {
    let parallel = parallel(3);
    let make = |i: u32| (i..i + 30_000).collect::<Shared<[u32]>>();
    let arrays = with_deadline(|| parallel.map(make, 0..60)).unwrap();
    for (i, array) in (0u32..).zip(&arrays) {
        assert_eq!(
            (array.len(), array[0], array[29_999]),
            (30_000, i, i + 29_999)
        );
    }
    // They are as good as any.
    let sums = with_deadline(|| parallel.map(sum, arrays.clone())).unwrap();
    assert!(sums.into_iter().eq(arrays.into_iter().map(sum)));
}

#[test]
fn a_result_has_many_arrays() {
    let parallel = parallel(2);
    let make = |n: u32| (0..n).map(|i| vec![i; 20_000].into()).collect();
    let parts: Vec<Vec<Shared<[u32]>>> =
        with_deadline(|| parallel.map(make, [200, 0, 300])).unwrap();
    for (part, n) in parts.iter().zip([200, 0, 300]) {
        assert_eq!(part.len(), n);
        let right = |(i, array): (u32, &Shared<[u32]>)| array.iter().all(|x| *x == i);
        assert!((0..).zip(part).all(right));
    }
    let lengths = with_deadline(|| parallel.map(|part: Vec<Shared<[u32]>>| part.len(), parts));
    assert_eq!(lengths.unwrap(), [200, 0, 300]);
}

#[test]
fn an_array_comes_back_as_the_same_one() {
    let array = numbers(100_000);
    let parts = (0..40).map(|i| array.slice(i..));
    let back = with_deadline(|| parallel(2).map(|part: Shared<[u32]>| part, parts)).unwrap();
    for (i, part) in back.iter().enumerate() {
        assert_eq!(part.as_ptr(), &raw const array[i], "no second mapping");
    }
}

#[test]
fn a_worker_maps_it_once() {
    let parallel = parallel(2);
    let array = numbers(1_000_000);
    let place = |array: Shared<[u32]>| (process::id(), array.as_ptr().addr());
    let mut places = Vec::new();
    for _ in 0..3 {
        let tasks = std::iter::repeat_n(array.clone(), 30);
        places.extend(with_deadline(|| parallel.map(place, tasks)).unwrap());
    }
    assert_eq!(places.len(), 90);
    places.sort_unstable();
    places.dedup();
    let mut workers: Vec<_> = places.iter().map(|(pid, _)| pid).collect();
    workers.dedup();
    assert_eq!(places.len(), workers.len(), "{places:?}");
    // Batches travel to any worker that is free.
    assert!(workers.len() <= 2 || super::super::FAR, "{places:?}");
}

#[test]
fn the_caller_may_let_go_at_once() {
    let parallel = parallel(2);
    with_deadline(|| {
        let handles: Vec<_> = (0..20)
            .map(|i| parallel.submit(delayed(sum, numbers(50_000 + i))))
            .collect();
        for (i, handle) in (0..).zip(handles) {
            assert_eq!(handle.join().unwrap(), sum(numbers(50_000 + i)));
        }
        let iter = parallel.iter((0..20).map(|i| delayed(sum, numbers(50_000 + i))));
        for (i, outcome) in (0..).zip(iter) {
            assert_eq!(outcome.unwrap(), sum(numbers(50_000 + i)));
        }
    });
}

#[test]
fn a_call_inside_passes_an_array_on() {
    fn inside(array: Shared<[u32]>) -> (u64, Vec<Shared<[u32]>>) {
        let sums = parallel(2).map(sum, array.slices(100_000)).unwrap();
        let made = parallel(2).map(|n| vec![n; 20_000].into(), 0..3).unwrap();
        (sums.into_iter().sum(), made)
    }
    let array = numbers(400_000);
    let results = with_deadline(|| parallel(2).map(inside, vec![array.clone(); 3])).unwrap();
    for (total, made) in results {
        assert_eq!(total, sum(array.clone()));
        assert!((0..3).zip(&made).all(|(n, made)| made[19_999] == n));
    }
}

#[test]
fn a_file_is_an_array() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    std::fs::write(&path, bytemuck::cast_slice(&numbers(500_000))).unwrap();
    let array = Shared::<[u32]>::map_file(&path).unwrap();
    // It is what was opened, whatever is there later.
    std::fs::remove_file(&path).unwrap();
    let parallel = parallel(2);
    let sums = with_deadline(|| parallel.map(sum, array.slices(50_000))).unwrap();
    assert_eq!(sums.into_iter().sum::<u64>(), sum(array.clone()));
    let back = with_deadline(|| parallel.map(|part: Shared<[u32]>| part, array.slices(100_000)));
    assert!(back.unwrap().into_iter().eq(array.slices(100_000)));
}
