//! What worker processes print, line by line, each with its worker and its task.
//! Run it with `cargo run --example output_lines`.

use std::sync::{Arc, Mutex};

use parallel::{Event, Failure, Output, OutputStream, Parallel, Processes, delayed};

fn cook(dish: String) {
    println!("cooking {dish}");
    if dish == "Fugu" {
        eprintln!("this was not the liver, was it?");
        std::process::abort();
    }
    println!("{dish} is served");
}

fn main() -> Result<(), parallel::Error> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&log);
    // Called from a thread that does nothing else.
    let observer = move |event: &Event| {
        if let Event::Line {
            worker,
            task: Some(task),
            stream,
            text,
            ..
        } = event
        {
            let stream = match stream {
                OutputStream::Stdout => "out",
                OutputStream::Stderr => "err",
            };
            println!("worker {worker}, task {task}, {stream}: {text}");
            writer.lock().unwrap().push((*task, text.clone()));
        }
    };
    let parallel = Parallel::new(2)
        .backend(Processes::new().output(Output::Lines))
        .observer(observer);

    let menu = ["Pizza", "Fugu", "Salad"].map(String::from);
    let outcomes = parallel.outcomes(menu.into_iter().map(|dish| delayed(cook, dish)))?;
    let error = outcomes[1].as_ref().unwrap_err();
    println!("{error}");

    // Lines of one task and stream are in their order; those of several tasks are mixed.
    let log = log.lock().unwrap();
    let lines_of = |task| {
        let lines = log.iter().filter(move |(of, _)| *of == task);
        lines.map(|(_, text)| text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(lines_of(0), ["cooking Pizza", "Pizza is served"]);
    assert_eq!(lines_of(2), ["cooking Salad", "Salad is served"]);
    // Nothing that was written is lost in a crash, and the last words are told as well.
    assert!(lines_of(1).contains(&"cooking Fugu"));
    assert!(
        matches!(error.failure(), Failure::Died { last_words, .. } if last_words.contains("the liver"))
    );
    Ok(())
}
