use parallel::{Parallel, Processes, delayed};

fn main() {
    let names = vec![String::from("Flour")];
    let tasks = names.iter().map(|name| delayed(String::len, name));
    let _ = Parallel::new(2).backend(Processes::new()).run(tasks);
}
