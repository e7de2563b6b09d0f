//! Shows the page to browsers while it grows. A thread listens, and each browser has one of its own, so
//! that none waits for another and the call for none.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::keeper::{Keeper, News};
use super::page;
use super::request::{Asked, LONGEST, judge};
use super::update::Cursor;

/// More than anybody looks with.
const MOST_BROWSERS: usize = 16;

/// For so long a browser may take to ask.
const TO_ASK: Duration = Duration::from_secs(5);

/// For so long a browser may read nothing.
const TO_READ: Duration = Duration::from_secs(2);

/// The page grows so often at most.
const PACE: Duration = Duration::from_millis(200);

/// After so long without news the browser is told that we are still here, which tells us of the browser.
const STILL_HERE: Duration = Duration::from_secs(10);

/// At the end browsers have so long to be shown it.
const TO_SEE_THE_END: Duration = Duration::from_millis(250);

const EVERY_ANSWER: &str = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
    Connection: close\r\n";

/// Ends with the value.
pub(super) struct Server {
    address: SocketAddr,
    keeper: Arc<Keeper>,
    browsers: Arc<Browsers>,
    listening: Option<JoinHandle<()>>,
}

/// Those who look on.
#[derive(Default)]
struct Browsers {
    all: Mutex<All>,
    changed: Condvar,
}

#[derive(Default)]
struct All {
    number: usize,
    closed: bool,
    /// By which version each that follows the events is; none is behind at the end if all are.
    seen: Vec<(usize, u64)>,
    next: usize,
}

impl Server {
    pub(super) fn start(addresses: &[SocketAddr], keeper: &Arc<Keeper>) -> io::Result<Self> {
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let cannot = |error: io::Error| {
            let message = format!("cannot serve the report at {}: {error}", names.join(", "));
            io::Error::new(error.kind(), message)
        };
        let listener = TcpListener::bind(addresses).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let browsers = Arc::new(Browsers::default());
        let (for_all, all) = (Arc::clone(keeper), Arc::clone(&browsers));
        let listening = thread::Builder::new()
            .name("parallel-report".to_owned())
            .spawn(move || listen(&listener, &for_all, &all))
            .map_err(cannot)?;
        Ok(Self {
            address,
            keeper: Arc::clone(keeper),
            browsers,
            listening: Some(listening),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until those who look on have seen what there is, but not for long.
    pub(super) fn show_the_end(&self) {
        let version = self.keeper.version();
        let mut all = self.browsers.all.lock();
        self.browsers.changed.wait_while_for(
            &mut all,
            |all| all.seen.iter().any(|(_, seen)| *seen < version),
            TO_SEE_THE_END,
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.keeper.close();
        self.browsers.all.lock().closed = true;
        // The one who listens wakes up when somebody comes.
        let mut door = self.address;
        match door.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => door.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => door.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let woken = TcpStream::connect_timeout(&door, TO_READ).is_ok();
        if let Some(listening) = self.listening.take()
            && woken
        {
            let _ = listening.join();
        }
        let mut all = self.browsers.all.lock();
        let some = |all: &mut All| all.number > 0;
        self.browsers
            .changed
            .wait_while_for(&mut all, some, TO_SEE_THE_END);
    }
}

fn listen(listener: &TcpListener, keeper: &Arc<Keeper>, browsers: &Arc<Browsers>) {
    for stream in listener.incoming() {
        if browsers.all.lock().closed {
            return;
        }
        let Ok(stream) = stream else {
            // Most likely there are no descriptors left: they come back when a browser goes.
            let mut all = browsers.all.lock();
            browsers.changed.wait_for(&mut all, PACE);
            continue;
        };
        let Some(place) = Place::take(browsers) else {
            let _ = refuse(&stream, "503 Service Unavailable");
            continue;
        };
        let keeper = Arc::clone(keeper);
        let browser = thread::Builder::new().name("parallel-browser".to_owned());
        // Without a thread the browser is turned away.
        let _ = browser.spawn(move || {
            let _ = answer(&stream, &keeper, &place);
        });
    }
}

/// Of one browser, until it goes.
struct Place {
    browsers: Arc<Browsers>,
    number: usize,
}

impl Place {
    fn take(browsers: &Arc<Browsers>) -> Option<Self> {
        let mut all = browsers.all.lock();
        if all.number >= MOST_BROWSERS {
            return None;
        }
        all.number += 1;
        all.next += 1;
        let number = all.next;
        drop(all);
        Some(Self {
            browsers: Arc::clone(browsers),
            number,
        })
    }

    fn has_seen(&self, version: u64) {
        let mut all = self.browsers.all.lock();
        all.seen.retain(|(number, _)| *number != self.number);
        all.seen.push((self.number, version));
        self.browsers.changed.notify_all();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.browsers.all.lock();
        all.number -= 1;
        all.seen.retain(|(number, _)| *number != self.number);
        self.browsers.changed.notify_all();
    }
}

/// Gives what is asked for. An error is a browser that has gone, or is too slow.
fn answer(mut stream: &TcpStream, keeper: &Keeper, place: &Place) -> io::Result<()> {
    stream.set_write_timeout(Some(TO_READ))?;
    stream.set_nodelay(true)?;
    match ask(stream)? {
        Asked::Page => {
            let page = page::live();
            let length = page.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\n{EVERY_ANSWER}Content-Type: text/html; charset=utf-8\r\n\
                 Content-Length: {length}\r\n\r\n{page}"
            )
        }
        Asked::Events => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\n{EVERY_ANSWER}Content-Type: text/event-stream\r\n\r\n"
            )?;
            follow(stream, keeper, place)
        }
        Asked::Refused(status) => refuse(stream, status),
        Asked::Incomplete => refuse(stream, "408 Request Timeout"),
    }
}

fn refuse(mut stream: &TcpStream, status: &str) -> io::Result<()> {
    stream.set_write_timeout(Some(TO_READ))?;
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{EVERY_ANSWER}Allow: GET\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{status}\n",
        status.len() + 1
    )
}

/// Reads as much as it takes to know what is asked for.
fn ask(mut stream: &TcpStream) -> io::Result<Asked> {
    let deadline = Instant::now() + TO_ASK;
    let mut bytes = [0; LONGEST];
    let mut read = 0;
    loop {
        let asked = judge(&bytes[..read]);
        let left = deadline.saturating_duration_since(Instant::now());
        if asked != Asked::Incomplete || left.is_zero() {
            return Ok(asked);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[read..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => read += more,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(Asked::Incomplete);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tells what is new, as server-sent events, until there is nothing more to come.
fn follow(mut stream: &TcpStream, keeper: &Keeper, place: &Place) -> io::Result<()> {
    let mut cursor = Cursor::default();
    let mut seen = 0;
    place.has_seen(seen);
    loop {
        match keeper.news(&mut cursor, &mut seen, STILL_HERE) {
            News::Update(update) => {
                stream.write_all(format!("data: {}\n\n", update.to_json()).as_bytes())?;
                if !update.more {
                    place.has_seen(seen);
                    keeper.rest(PACE);
                }
            }
            News::Nothing => {
                place.has_seen(seen);
                stream.write_all(b": still here\n\n")?;
            }
            News::Closing => return stream.write_all(b"event: closed\ndata: {}\n\n"),
        }
    }
}
