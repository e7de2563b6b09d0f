use parallel::Shared;

fn main() {
    let _ = Shared::from(vec![String::from("Pizza")]);
}
