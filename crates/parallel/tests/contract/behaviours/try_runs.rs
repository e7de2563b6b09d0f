//! Tasks that return a `Result`.

use parallel::{Error, TryError, delayed};

use super::parallel;
use crate::tools::with_deadline;

fn parse(text: String) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

#[test]
fn try_run_gives_the_values() {
    let tasks = (0..200).map(|i: u32| delayed(parse, i.to_string()));
    let numbers = with_deadline(|| parallel(3).try_run(tasks)).unwrap();
    assert!(numbers.into_iter().eq(0..200));
}

#[test]
fn try_run_stops_at_an_error_and_gives_it_back() {
    for batch_size in [1, 7, 64] {
        let text = |i: u32| {
            if i == 100 {
                "salt".to_owned()
            } else {
                i.to_string()
            }
        };
        let tasks = (0..).map(|i| delayed(parse, text(i)));
        let error =
            with_deadline(|| parallel(3).batch_size(batch_size).try_run(tasks)).unwrap_err();
        assert_eq!(
            (error.index(), error.error().unwrap().as_str()),
            (Some(100), "salt is no number")
        );
        assert_eq!(
            error.to_string(),
            "task 100 returned an error: salt is no number"
        );
        assert!(
            error
                .done()
                .iter()
                .all(|(index, value)| *index == *value as usize)
        );
        assert!(error.done().is_sorted_by_key(|(index, _)| *index));
        // Each of three lanes may be at a batch and have another one.
        assert!(
            error.into_done().len() >= 100usize.saturating_sub(3 * 2 * batch_size),
            "what came before is kept"
        );
    }
}

#[test]
fn try_run_tells_what_else_goes_wrong() {
    fn panics(i: u32) -> Result<u32, String> {
        assert_ne!(i, 5, "burnt");
        Ok(i)
    }
    let error = parallel(2)
        .try_run((0..).map(|i| delayed(panics, i)))
        .unwrap_err();
    assert!(matches!(
        error,
        TryError::Failed {
            error: Error::Task(_),
            ..
        }
    ));
    assert_eq!(error.index(), Some(5));
    let none = parallel(0).try_run((0..3).map(|i| delayed(panics, i)));
    assert!(matches!(
        none,
        Err(TryError::Failed {
            error: Error::NoJobs,
            ..
        })
    ));
}

#[test]
fn try_run_tells_the_lowest_of_what_it_saw() {
    fn both(i: u32) -> Result<u32, String> {
        assert_ne!(i, 0, "burnt");
        Err("salt".to_owned())
    }
    for _ in 0..20 {
        let error = with_deadline(|| {
            parallel(2)
                .batch_size(1)
                .try_run((0..2).map(|i| delayed(both, i)))
        });
        let error = error.unwrap_err();
        // The other one may not have been seen.
        match error.index() {
            Some(0) => assert!(error.error().is_none()),
            index => assert_eq!(
                (index, error.error().map(String::as_str)),
                (Some(1), Some("salt"))
            ),
        }
    }
}
