//! With the feature `explicit-init`, a program says itself when it can become a worker.

use parallel::{Error, Parallel, Processes, delayed};

fn main() {
    let parallel = Parallel::new(2).backend(Processes::new());
    // A worker started now would run this `main`, and start workers. None is.
    match parallel.run((0..3u64).map(|i| delayed(|i| i * i, i))) {
        Err(Error::Backend(error)) => {
            assert!(error.to_string().contains("`parallel::init()`"), "{error}");
        }
        // In a worker, `main` comes as far as this: nothing was told it to be one yet.
        other => panic!("{other:?}"),
    }
    parallel::init();
    let squares = parallel.run((0..3u64).map(|i| delayed(|i| i * i, i)));
    assert_eq!(squares.unwrap(), [0, 1, 4]);
    // A slot of a cluster comes by here too, and has workers of its own.
    #[cfg(feature = "cluster-tests")]
    {
        let dask = parallel::Dask::local(1).unwrap_or_else(|error| panic!("{error}"));
        let parallel = Parallel::new(1).backend(dask);
        let squares = parallel.run((0..3u64).map(|i| delayed(|i| i * i, i)));
        assert_eq!(squares.unwrap(), [0, 1, 4]);
    }
    println!("1 passed, 0 failed");
}
