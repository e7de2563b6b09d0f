use parallel::{Parallel, Processes, delayed};

fn main() {
    let offset = 10;
    let tasks = (0..3u64).map(move |i| delayed(move |i: u64| i + offset, i));
    let _ = Parallel::new(2).backend(Processes::new()).run(tasks);
}
