//! Large vectors of numbers, which travel by themselves, when something goes wrong on their way.

use std::process;

use parallel::{BatchSize, Failure, Parallel, Processes, delayed};

use crate::tools::with_deadline;

/// More than there is room for between two processes.
const LARGE: usize = 64 << 20;

fn on(processes: Processes) -> Parallel<Processes> {
    Parallel::new(1)
        .batch_size(BatchSize::Fixed(8))
        .backend(processes)
}

/// A few bytes say how to end.
fn end_or_sum(bytes: Vec<u8>) -> u64 {
    match bytes.as_slice() {
        [1] => process::abort(),
        [2] => panic!("as it was told to"),
        bytes => bytes.iter().map(|byte| u64::from(*byte)).sum(),
    }
}

#[test]
fn a_worker_may_die_while_the_next_argument_is_on_its_way() {
    with_deadline(|| {
        let parallel = on(Processes::new());
        for way in [1, 2] {
            let arguments = [vec![3; LARGE], vec![way], vec![4; LARGE], vec![5]];
            let outcomes = parallel
                .outcomes(arguments.map(|bytes| delayed(end_or_sum, bytes)))
                .unwrap();
            let sums: Vec<_> = outcomes.iter().map(|o| o.as_ref().ok().copied()).collect();
            assert_eq!(
                sums,
                [
                    Some(3 * LARGE as u64),
                    None,
                    Some(4 * LARGE as u64),
                    Some(5)
                ]
            );
        }
    });
}

#[test]
fn a_call_may_end_while_the_next_argument_is_on_its_way() {
    with_deadline(|| {
        let parallel = on(Processes::new());
        for _ in 0..3 {
            let arguments = [vec![1, 1], vec![2], vec![4; LARGE]];
            let tasks = arguments.map(|bytes| delayed(end_or_sum, bytes));
            let error = parallel.run(tasks).unwrap_err();
            assert!(error.to_string().contains("as it was told to"), "{error}");
            assert_eq!(
                parallel.run([delayed(end_or_sum, vec![1; LARGE])]).unwrap(),
                [LARGE as u64]
            );
        }
    });
}

#[test]
fn a_large_argument_is_there_for_another_try() {
    fn second_try(numbers: Vec<f64>) -> Vec<f64> {
        if parallel::current().unwrap().attempt() == 1 {
            process::abort();
        }
        numbers
    }
    let numbers: Vec<f64> = (0..LARGE / 8).map(|i| i as f64).collect();
    let copy = numbers.clone();
    let results =
        with_deadline(move || on(Processes::new().retries(1)).run([delayed(second_try, copy)]));
    assert!(results.unwrap() == [numbers]);
}

/// It leaves in the midst of its result, the end of which nobody will see.
#[test]
fn half_a_result_is_none() {
    fn leave_soon(bytes: usize) -> Vec<u8> {
        std::thread::spawn(|| process::exit(7));
        vec![1; bytes]
    }
    with_deadline(|| {
        let parallel = on(Processes::new());
        for _ in 0..10 {
            let outcomes = parallel
                .outcomes([LARGE, LARGE].map(|bytes| delayed(leave_soon, bytes)))
                .unwrap();
            for outcome in outcomes {
                match outcome {
                    Ok(bytes) => assert!(bytes == vec![1; LARGE]),
                    Err(error) => assert!(
                        matches!(error.failure(), Failure::Died { code: Some(7), .. }),
                        "{error}"
                    ),
                }
            }
        }
    });
}

/// What of the argument is not overwritten must not be seen, nor a memory that is too small be used.
#[test]
fn a_result_may_take_the_memory_of_its_argument() {
    fn reshaped(numbers: Vec<u64>) -> Vec<f64> {
        let len = numbers.len() - numbers.len() / 10 + numbers[0] as usize;
        (0..len).map(|i| i as f64).collect()
    }
    with_deadline(|| {
        let parallel = on(Processes::new());
        for more in [0, 1, LARGE / 80, LARGE / 8] {
            let results = parallel.map(reshaped, (0..3).map(|_| vec![more as u64; LARGE / 8]));
            let len = LARGE / 8 - LARGE / 80 + more;
            let expected: Vec<_> = (0..len).map(|i| i as f64).collect();
            assert!(results.unwrap() == [&*expected; 3], "{more}");
        }
    });
}
