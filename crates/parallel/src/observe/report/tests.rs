//! The report from outside: what it refuses, what it leaves on the disk, what it does with browsers that
//! misbehave.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{Observer, Report};
use crate::observe::{Event, Totals};
use crate::{Parallel, delayed};

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The server need not have read it all to have had enough.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn get(address: SocketAddr, path: &str, host: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    )
}

#[test]
fn the_server_gives_its_page_and_refuses_the_rest() {
    let report = Report::serve("127.0.0.1:0").unwrap();
    let address = report.local_addr().unwrap();
    let host = address.to_string();
    let page = get(address, "/", &host);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.ends_with("</html>\n"));
    for (answer, status) in [
        (get(address, "/etc/passwd", &host), "404"),
        (get(address, "/", "evil.example"), "421"),
        (get(address, "/events", "evil.example"), "421"),
        (
            ask(address, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "405",
        ),
        (ask(address, "\0\0\0\0\r\n\r\n"), "400"),
        (get(address, "/", &"x".repeat(10_000)), "431"),
    ] {
        let start = format!("HTTP/1.1 {status} ");
        // One that is told so before it has sent everything may see no more than the end.
        let cut_off = status == "431" && answer.is_empty();
        assert!(answer.starts_with(&start) || cut_off, "{status}: {answer}");
    }
}

#[test]
fn others_are_let_in_only_if_asked_for_by_name() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = Report::serve(address).unwrap_err().to_string();
        assert!(error.contains("serve_to_everyone"), "{error}");
    }
    let report = Report::serve_to_everyone("0.0.0.0:0").unwrap();
    let port = report.local_addr().unwrap().port();
    let page = get(([127, 0, 0, 1], port).into(), "/", "127.0.0.1");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let first = Report::serve("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    let error = Report::serve(address).unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}

#[test]
fn the_server_ends_with_the_report() {
    let report = Report::serve("127.0.0.1:0").unwrap();
    let address = report.local_addr().unwrap();
    let mut follower = TcpStream::connect(address).unwrap();
    follower
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 15];
    follower.read_exact(&mut first).unwrap();
    let silent = TcpStream::connect(address).unwrap();
    drop(report);
    assert!(TcpStream::connect(address).is_err());
    let mut rest = String::new();
    follower.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("event: closed\ndata: {}\n\n"), "{rest}");
    drop(silent);
}

#[test]
fn no_more_than_some_browsers_are_let_in() {
    let report = Report::serve("127.0.0.1:0").unwrap();
    let address = report.local_addr().unwrap();
    let silent: Vec<_> = (0..16)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let turned_away = get(address, "/", "localhost");
    assert!(
        turned_away.is_empty() || turned_away.starts_with("HTTP/1.1 503 "),
        "{turned_away}"
    );
    // Once the others have taken too long to ask, there is room again.
    drop(silent);
    let since = Instant::now();
    while !get(address, "/", "localhost").starts_with("HTTP/1.1 200 ") {
        assert!(since.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_browser_that_does_not_read_holds_up_nobody() {
    let report = Report::serve("127.0.0.1:0").unwrap();
    let address = report.local_addr().unwrap();
    let mut stuck = TcpStream::connect(address).unwrap();
    stuck
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 15];
    stuck.read_exact(&mut first).unwrap();
    let parallel = Parallel::new(2).batch_size(64).observer(report);
    // More than fits in all the buffers on the way. Were the call held up, it would never end.
    let results = parallel.run((0..600_000_u32).map(|i| delayed(|i| i, i)));
    assert_eq!(results.unwrap().len(), 600_000);
    let mut follower = TcpStream::connect(address).unwrap();
    follower
        .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    follower
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let ended = BufReader::new(follower)
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("\"ended\":true"));
    assert!(ended, "another one is told all");
    drop(parallel);
}

#[test]
fn what_cannot_be_written_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/report.html");
    for path in [folder.path(), &missing] {
        let error = Report::html(path).unwrap_err().to_string();
        let what = format!("cannot write the report to {}: ", path.display());
        assert!(error.starts_with(&what), "{error}");
    }
    #[cfg(unix)]
    assert!(Report::html("/dev/null").is_err());
}

#[test]
fn the_page_is_there_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    fs::write(&path, "old").unwrap();
    let report = Report::html(&path).unwrap();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let run = 1;
    report.event(&Event::RunStarted {
        run,
        tasks: None,
        n_jobs: 1,
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    report.event(&Event::RunFinished {
        run,
        totals: Totals::default(),
    });
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert_eq!(names(), ["report.html"]);
}

#[test]
fn the_page_has_all_that_it_needs() {
    let page = super::page::live();
    // Scripts may name where SVG is defined, which nobody fetches.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for elsewhere in ["http:", "https:", "//cdn", "@import", "src="] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn a_label_that_panics_costs_no_task() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let report = Report::html(&path).unwrap();
    let parallel = Parallel::new(2).observer(report.label(|index| {
        assert_ne!(index, 3, "no name for this");
        "dish"
    }));
    assert_eq!(parallel.map(|i| i, 0..10).unwrap().len(), 10);
    assert!(
        fs::read_to_string(path)
            .unwrap()
            .contains("\"finished\":10,")
    );
}

#[test]
fn its_address_is_free_when_its_parallel_is_dropped() {
    let first = Report::serve("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    drop(first);
    for _ in 0..20 {
        let parallel = Parallel::new(2).observer(Report::serve(address).unwrap());
        parallel.map(|i| i, 0..3).unwrap();
    }
}
