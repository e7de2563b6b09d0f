//! What can travel to a worker, and what is said of what cannot.

use std::process;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use parallel::{Error, Failure, Parallel, Processes, delayed};

fn on(n_jobs: i32) -> Parallel<Processes> {
    Parallel::new(n_jobs).backend(Processes::new())
}

#[derive(Serialize, Deserialize, Debug, Clone, Default)]
struct Inner {
    n: u8,
}

/// Has no known number of fields while it is written, which the format needs.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
}

#[test]
fn an_argument_that_cannot_be_encoded_fails_alone() {
    let parallel = on(2);
    let flat = |i: u8| Flat {
        inner: Inner { n: i },
    };
    let outcomes = parallel
        .outcomes((0..3).map(|i| delayed(|f: Flat| f.inner.n, flat(i))))
        .unwrap();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.index(), error.attempts()),
            (index, 0),
            "it was never started"
        );
        let Failure::Encode { type_name, message } = error.failure() else {
            panic!("{error:?}")
        };
        assert!(
            type_name.ends_with("Flat") && message.contains("flatten"),
            "{error}"
        );
    }
    assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}

#[test]
fn a_result_that_cannot_be_encoded_fails_alone() {
    let task = |i: u8| Flat {
        inner: Inner { n: i },
    };
    let error = on(2).run((0..3).map(|i| delayed(task, i))).unwrap_err();
    let Error::Task(error) = error else {
        panic!("{error:?}")
    };
    let Failure::Encode { type_name, .. } = error.failure() else {
        panic!("{error:?}")
    };
    assert!(type_name.ends_with("Flat"), "{error}");
}

/// A list whose end takes no stack to drop.
#[derive(Serialize, Deserialize, Debug)]
struct List(Option<Box<List>>);

impl List {
    fn of(len: usize) -> Self {
        (0..len).fold(Self(None), |list, _| Self(Some(Box::new(list))))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        while let Some(mut next) = self.0.take() {
            self.0 = next.0.take();
        }
    }
}

#[test]
fn what_is_nested_too_deep_fails_alone_there_and_here() {
    let lens = [1, 400, 1_000_000, 2];
    let parallel = on(2);
    let there = parallel
        .outcomes(lens.map(|len| delayed(|_: List| (), List::of(len))))
        .unwrap();
    let here = parallel.outcomes(lens.map(|len| delayed(List::of, len)));
    let here = here.unwrap().into_iter().map(|list| list.map(|_| ()));
    for (i, outcome) in there.into_iter().chain(here).enumerate() {
        if lens[i % lens.len()] < 500 {
            outcome.unwrap();
        } else {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("List") && error.contains("flat"), "{error}");
        }
    }
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
}

#[test]
fn what_cannot_be_decoded_names_its_type_there_and_here() {
    let there = on(2)
        .run([delayed(|_: Untagged| 1, Untagged::Number(3))])
        .unwrap_err();
    let here = on(2).run([delayed(Untagged::Number, 3)]).unwrap_err();
    for error in [there, here] {
        let Error::Task(error) = error else {
            panic!("{error:?}")
        };
        let Failure::Decode { type_name, message } = error.failure() else {
            panic!("{error:?}")
        };
        assert!(
            type_name.ends_with("Untagged") && message.contains("untagged"),
            "{error}"
        );
    }
}

/// Panics while it is written, or while it is read.
#[derive(Debug, Clone)]
enum Trap {
    Writing,
    Reading,
}

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(matches!(self, Self::Reading), "panicked while writing");
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("panicked while reading");
    }
}

#[test]
fn a_panic_in_the_users_encoding_is_an_outcome() {
    let parallel = on(2);
    let traps = || [Trap::Writing, Trap::Reading].into_iter();
    let there = parallel
        .outcomes(traps().map(|trap| delayed(|_: Trap| 1, trap)))
        .unwrap();
    let traps = |i| if i == 0 { Trap::Writing } else { Trap::Reading };
    let back = parallel
        .outcomes((0..2).map(|i| delayed(traps, i)))
        .unwrap();
    let texts = [
        there
            .into_iter()
            .map(|o| o.unwrap_err())
            .collect::<Vec<_>>(),
        back.into_iter().map(|o| o.unwrap_err()).collect(),
    ];
    for errors in texts {
        for (error, text) in errors
            .iter()
            .zip(["panicked while writing", "panicked while reading"])
        {
            let Failure::Panicked { message, .. } = error.failure() else {
                panic!("{error:?}")
            };
            assert_eq!(message, text);
        }
    }
}

mod elsewhere {
    /// The same text as the closures beside it; another function all the same.
    pub fn tag() -> &'static str {
        "elsewhere"
    }
}

#[test]
fn each_function_is_itself_there() {
    fn generic<V: Default + ToString>(_: ()) -> String {
        format!("{}{}", V::default().to_string(), std::any::type_name::<V>())
    }
    let parallel = on(2);
    assert_eq!(parallel.run([delayed(generic::<u8>, ())]).unwrap(), ["0u8"]);
    assert_eq!(
        parallel.run([delayed(generic::<i64>, ())]).unwrap(),
        ["0i64"]
    );
    assert_eq!(
        parallel
            .run([delayed(|()| elsewhere::tag().to_owned(), ())])
            .unwrap(),
        ["elsewhere"]
    );
    assert_eq!(
        parallel.run([delayed(|()| "here".to_owned(), ())]).unwrap(),
        ["here"]
    );
    assert_eq!(parallel.run([delayed(f64::sqrt, 9.0)]).unwrap(), [3.0]);
}

#[test]
fn the_work_is_done_in_other_processes() {
    let pids = on(2).map(|_| process::id(), 0..20).unwrap();
    assert!(pids.iter().all(|pid| *pid != process::id()));
}
