//! What must not compile, and what the compiler then says: the text tells what to do.
//!
//! `TRYBUILD=overwrite cargo test -p parallel --test refused` writes down what it says now.

#[test]
fn what_cannot_work_does_not_compile() {
    let cases = trybuild::TestCases::new();
    // With a program that compiles among them all are built to the end, and not just checked: that a
    // function captures a plain number shows only then.
    cases.pass("tests/refused/accepted.rs");
    cases.compile_fail("tests/refused/capturing_*.rs");
    cases.compile_fail("tests/refused/not_*.rs");
    cases.compile_fail("tests/refused/borrowed*.rs");
    cases.compile_fail("tests/refused/no_task_*.rs");
    cases.compile_fail("tests/refused/pointer_*.rs");
}
