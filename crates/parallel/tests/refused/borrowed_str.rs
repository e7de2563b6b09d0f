use parallel::{Parallel, Processes, delayed};

fn main() {
    let names = vec![String::from("Flour")];
    let tasks = names.iter().map(|name| delayed(str::len, name.as_str()));
    let _ = Parallel::new(2).backend(Processes::new()).run(tasks);
}
