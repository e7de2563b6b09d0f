//! Tasks that panic, abort, exit and break memory: in processes, each costs itself and nothing else.
//! Run it with `cargo run --example crash`.

use std::ffi::{c_char, c_int};
use std::hint::black_box;
use std::process::{abort, exit};

use parallel::{Failure, Parallel, Processes, delayed};

fn cook(dish: String) -> String {
    match dish.as_str() {
        "Burnt Pizza" => panic!("the oven is on fire"),
        "Fugu" => abort(),
        "Last Order" => exit(3),
        "Mystery Stew" => broken_library(),
        _ => {}
    }
    format!("{dish}, served")
}

/// A library in C, called with a pointer that points nowhere.
#[expect(unsafe_code, reason = "the crash is the point")]
fn broken_library() {
    unsafe extern "C" {
        fn atoi(text: *const c_char) -> c_int;
    }
    // SAFETY: none. No process of ours but the worker that runs this has to live with it.
    black_box(unsafe { atoi(black_box(std::ptr::without_provenance(8))) });
}

fn main() -> Result<(), parallel::Error> {
    let menu = [
        "Salad",
        "Burnt Pizza",
        "Biryani",
        "Fugu",
        "Soup",
        "Last Order",
        "Rice",
        "Mystery Stew",
        "Tea",
    ];
    let outcomes = Parallel::new(2)
        .backend(Processes::new())
        .outcomes(menu.map(|dish| delayed(cook, dish.to_owned())))?;

    for (dish, outcome) in menu.iter().zip(&outcomes) {
        match outcome {
            Ok(served) => println!("{served}"),
            Err(error) => println!("{dish}: {error}"),
        }
    }

    // Every even task was an honest dish, and was served.
    assert!(outcomes.iter().step_by(2).all(Result::is_ok));
    let failure = |index: usize| outcomes[index].as_ref().unwrap_err().failure();
    assert!(
        matches!(failure(1), Failure::Panicked { message, .. } if message == "the oven is on fire")
    );
    assert!(matches!(
        failure(3),
        Failure::Died {
            signal: Some(6),
            ..
        }
    ));
    assert!(matches!(failure(5), Failure::Died { code: Some(3), .. }));
    assert!(matches!(
        failure(7),
        Failure::Died {
            signal: Some(11),
            ..
        }
    ));
    Ok(())
}
