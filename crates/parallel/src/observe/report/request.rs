//! What a browser asks for, taken apart and judged; pure.

use std::net::IpAddr;

/// No browser asks for this page with more.
pub(super) const LONGEST: usize = 8192;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Page,
    Events,
    /// The rest of the request has not come yet.
    Incomplete,
    /// Nothing that is here, with the status that says so.
    Refused(&'static str),
}

/// What these bytes ask for.
pub(super) fn judge(bytes: &[u8]) -> Asked {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST => return Asked::Incomplete,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Asked::Refused("431 Request Header Fields Too Large");
        }
        Err(_) => return Asked::Refused("400 Bad Request"),
    }
    let mut hosts = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => str::from_utf8(host.value).unwrap_or_default(),
        _ => return Asked::Refused("400 Bad Request"),
    };
    if !is_ours(host) {
        return Asked::Refused("421 Misdirected Request");
    }
    match (request.method, request.path) {
        (Some("GET"), Some("/")) => Asked::Page,
        (Some("GET"), Some("/events")) => Asked::Events,
        (_, Some("/" | "/events")) => Asked::Refused("405 Method Not Allowed"),
        _ => Asked::Refused("404 Not Found"),
    }
}

/// Whether a browser that was told to go to this host may have been sent here by the page's user only.
/// Somebody else's page can have its own name point to this machine, but it cannot own a number.
fn is_ours(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "80"),
    };
    let number = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    port.parse::<u16>().is_ok()
        && (name.eq_ignore_ascii_case("localhost")
            || number.unwrap_or(name).parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(path: &str, host: &str) -> Asked {
        judge(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
    }

    #[test]
    fn only_what_is_there_is_given() {
        assert_eq!(get("/", "127.0.0.1:8787"), Asked::Page);
        assert_eq!(get("/events", "localhost:1"), Asked::Events);
        for path in ["/index.html", "/../etc/passwd", "/events/", "/?", "//"] {
            let refused = get(path, "localhost");
            assert_eq!(refused, Asked::Refused("404 Not Found"), "{path}");
        }
        for method in ["POST", "HEAD", "OPTIONS", "PUT"] {
            let asked = judge(format!("{method} / HTTP/1.1\r\nHost: [::1]\r\n\r\n").as_bytes());
            assert_eq!(asked, Asked::Refused("405 Method Not Allowed"), "{method}");
        }
    }

    #[test]
    fn a_name_that_somebody_else_may_own_is_refused() {
        for host in ["127.0.0.1", "localhost", "[::1]", "[::1]:80", "10.0.0.7:9"] {
            assert_eq!(get("/", host), Asked::Page, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8787",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:x",
            "",
            "[::1",
        ] {
            assert!(matches!(get("/", host), Asked::Refused(_)), "{host}");
        }
        let none = judge(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(none, Asked::Refused("400 Bad Request"));
        let two = judge(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n");
        assert_eq!(two, Asked::Refused("400 Bad Request"));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(judge(b"GET / HT"), Asked::Incomplete);
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(LONGEST));
        assert!(matches!(judge(long.as_bytes()), Asked::Refused(_)));
        let many = "X: y\r\n".repeat(65);
        let many = format!("GET / HTTP/1.1\r\n{many}\r\n");
        assert!(matches!(judge(many.as_bytes()), Asked::Refused(_)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            judge(&bytes);
        }
    }
}
