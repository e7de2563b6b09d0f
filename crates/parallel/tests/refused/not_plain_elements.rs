use parallel::Shared;

fn main() {
    let _: Shared<[String]> = todo!();
}
