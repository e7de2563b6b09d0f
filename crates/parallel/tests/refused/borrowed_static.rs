use parallel::{Parallel, Processes, delayed};

fn main() {
    let tasks = ["Flour", "Yeast"].map(|name| delayed(str::len, name));
    let _ = Parallel::new(2).backend(Processes::new()).run(tasks);
}
