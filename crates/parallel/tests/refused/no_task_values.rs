use parallel::Parallel;

fn main() {
    let _ = Parallel::new(2).run([1, 2, 3]);
}
