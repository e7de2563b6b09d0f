//! Rooms, and rows in them.

use super::*;
use crate::panics;
use proptest::prelude::*;

fn filled(
    room: &mut Room<Arc<usize>>,
    first: usize,
    len: usize,
    of: &Arc<usize>,
) -> Row<Arc<usize>> {
    let mut row = room.give(first, len).unwrap();
    fill(&mut row, vec![Arc::clone(of); len]);
    row
}

/// Puts these values to the next places.
fn fill<R>(row: &mut Row<R>, values: Vec<R>) {
    row.fill(0, &mut values.into_iter(), |_, value| value, |_| true);
}

#[test]
fn rows_side_by_side_are_a_vector() {
    let mut room = Room::new(5);
    let (mut first, mut second) = (room.give(0, 2).unwrap(), room.give(2, 3).unwrap());
    for (row, places) in [(&mut second, 2..5), (&mut first, 0..2)] {
        fill(row, places.map(|i: u8| i.to_string()).collect());
    }
    drop(room);
    let address = first.memory.start.as_ptr().cast_const();
    first.append(second).unwrap();
    let values = first.into_vec();
    assert_eq!(values, ["0", "1", "2", "3", "4"]);
    assert_eq!(values.as_ptr(), address, "nothing was moved");
}

#[test]
fn no_place_is_given_out_twice() {
    let mut room = Room::<u8>::new(10);
    assert!(room.give(2, 3).is_some());
    for (first, len) in [(2, 1), (4, 1), (0, 1), (5, 6), (usize::MAX, 2)] {
        assert!(room.give(first, len).is_none(), "{first} {len}");
    }
    assert!(room.give(5, 5).is_some());
    assert!(Room::<()>::new(9).give(0, 1).is_some());
    assert!(Room::<u64>::new(usize::MAX).give(0, 1).is_none());
}

#[test]
fn places_that_come_back_are_given_to_others() {
    let mut room = Room::new(10);
    let mut first = room.give(0, 8).unwrap();
    fill(&mut first, vec![0]);
    let rest = first.split_off(first.len());
    let mut kept = rest;
    room.take_back(kept.split_off(3));
    assert!(room.give(3, 1).is_none(), "somebody has it");
    let mut others: Vec<Row<usize>> = [(4, 1), (5, 3), (8, 2)]
        .map(|(first, len)| room.give(first, len).unwrap())
        .into();
    room.take_back(Row::alone(3));
    assert!(
        room.give(0, 3).is_none(),
        "those are no places of this room"
    );
    others.insert(0, kept);
    let mut next = 1;
    for mut row in others {
        let places = row.end - row.first;
        fill(&mut row, (next..next + places).collect());
        next += places;
        first.append(row).unwrap();
    }
    drop(room);
    assert_eq!(first.into_vec(), (0..10).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "values lie in these places")]
fn places_with_values_do_not_go_back() {
    let mut row = Room::new(2).give(0, 2).unwrap();
    fill(&mut row, vec![1]);
    row.split_off(0);
}

#[test]
#[should_panic(expected = "as many places")]
fn a_row_has_an_end() {
    let mut room = Room::new(9);
    let mut row = room.give(0, 1).unwrap();
    fill(&mut row, vec![1, 2]);
}

#[test]
fn tasks_that_are_not_run_stay() {
    let mut row = Room::new(9).give(3, 6).unwrap();
    let mut tasks = vec![1, 2, 3, 4, 5, 6].into_iter();
    row.fill(
        10,
        &mut tasks,
        |index, task| index * task,
        |&value| value < 22,
    );
    assert_eq!((row.len(), tasks.as_slice()), (2, [3, 4, 5, 6].as_slice()));
    let panic = panics::catch(|| {
        row.fill(
            12,
            &mut tasks,
            |index, task| {
                assert_ne!(task, 5);
                index * task
            },
            |_| true,
        );
    });
    assert!(panic.is_err());
    assert_eq!((row.len(), tasks.as_slice()), (4, [6].as_slice()));
    assert_eq!(row.into_vec(), [10, 22, 36, 52]);
}

#[test]
fn values_of_no_size_are_counted() {
    let mut row = Room::new(9).give(0, 9).unwrap();
    fill(&mut row, vec![(); 7]);
    assert_eq!(row.into_vec().len(), 7);
}

#[test]
fn rows_apart_stay_apart() {
    let (value, mut room) = (Arc::new(7), Room::new(10));
    let mut first = filled(&mut room, 0, 2, &value);
    let third = filled(&mut room, 5, 2, &value);
    let third = first.append(third).unwrap_err();
    let elsewhere = filled(&mut Room::new(10), 2, 2, &value);
    assert!(first.append(elsewhere).is_err());
    assert_eq!((first.into_vec().len(), third.into_vec().len()), (2, 2));
    drop(room);
    assert_eq!(Arc::strong_count(&value), 1);
}

proptest! {
    /// Whatever becomes of rows, each value is dropped once.
    #[test]
    fn nothing_leaks(rows in prop::collection::vec((1..5usize, 0..5usize, 0..4u8), 0..20)) {
        let (value, mut room, mut at) = (Arc::new(0), Room::new(100), 0);
        let mut kept: Vec<Row<Arc<usize>>> = Vec::new();
        for (len, filled, fate) in rows {
            let mut row = room.give(at, len).unwrap();
            at += len;
            fill(&mut row, vec![Arc::clone(&value); filled.min(len)]);
            match fate {
                0 => drop(row),
                1 => drop(row.into_vec()),
                2 if !kept.is_empty() => {
                    let apart = kept.last_mut().unwrap().append(row);
                    kept.extend(apart.err());
                }
                _ => kept.push(row),
            }
        }
        let alive: usize = kept.iter().map(Row::len).sum();
        prop_assert_eq!(Arc::strong_count(&value), 1 + alive);
        drop(room);
        drop(kept);
        prop_assert_eq!(Arc::strong_count(&value), 1);
    }
}
