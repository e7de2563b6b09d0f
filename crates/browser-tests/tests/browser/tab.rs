//! A tab of the browser, driven over its debugging protocol.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::chromium::Chromium;

/// Longer than anything takes that is tested here.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Tab {
    socket: WebSocket<TcpStream>,
    last: u64,
    /// What went wrong in the page: exceptions, errors on the console, requests to anywhere.
    pub(crate) complaints: Vec<String>,
    loaded: bool,
    _browser: Chromium,
}

impl Tab {
    pub(crate) fn open(url: &str) -> Self {
        let mut tab = Self::new();
        tab.go(url);
        tab
    }

    /// An empty one.
    pub(crate) fn new() -> Self {
        let browser = Chromium::start();
        let address = &browser.address;
        let url = debugger_of_first_tab(address);
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        let mut tab = Self {
            socket,
            last: 0,
            complaints: Vec::new(),
            loaded: false,
            _browser: browser,
        };
        for domain in ["Page", "Runtime", "Log", "Network", "Performance"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab
    }

    /// Opens a page, and waits until it is there.
    pub(crate) fn go(&mut self, url: &str) {
        self.loaded = false;
        self.call("Page.navigate", json!({ "url": url }));
        let deadline = Instant::now() + PATIENCE;
        while !self.loaded {
            assert!(Instant::now() < deadline, "{url} does not load");
            self.read();
        }
    }

    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let message = json!({ "id": id, "method": method, "params": &parameters });
        self.socket
            .send(Message::text(message.to_string()))
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Other messages may keep coming.
            assert!(
                Instant::now() < deadline,
                "{method} {parameters}: no answer"
            );
            let message = self.read();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    fn read(&mut self) -> Value {
        let text = loop {
            // Fails when nothing has come for too long.
            if let Message::Text(text) = self.socket.read().unwrap() {
                break text;
            }
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded = true,
            Some("Runtime.exceptionThrown") => self.complaints.push(parameters.to_string()),
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.complaints.push(parameters.to_string());
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.complaints.push(parameters.to_string());
            }
            _ => {}
        }
        message
    }

    /// The value of an expression, waited for if it is a promise.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, selector: &str) -> String {
        let selector = json!(selector);
        let text = self.value(&format!("document.querySelector({selector}).textContent"));
        text.as_str().unwrap().to_owned()
    }

    pub(crate) fn number(&mut self, expression: &str) -> f64 {
        self.value(expression).as_f64().unwrap()
    }

    /// Waits, in the page, until an expression holds.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        self.value(&format!(
            "new Promise((done) => {{ const look = () => ({expression}) ? done() : requestAnimationFrame(look); look(); }})"
        ));
    }

    /// Waits until all that is to be drawn has been.
    pub(crate) fn drawn(&mut self) {
        self.value(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))",
        );
    }

    /// From here on the browser counts what scripts do.
    pub(crate) fn count_steps(&mut self) {
        self.call("Profiler.enable", json!({}));
        let parameters = json!({ "callCount": true, "detailed": true });
        self.call("Profiler.startPreciseCoverage", parameters);
    }

    /// How often a block of a script was run since this was last asked, all blocks together: the same on
    /// each machine, however busy that is.
    pub(crate) fn steps(&mut self) -> u64 {
        let coverage = self.call("Profiler.takePreciseCoverage", json!({}));
        let list = |of: &Value, name: &str| of[name].as_array().unwrap().clone();
        let scripts = list(&coverage, "result").into_iter();
        let functions = scripts.flat_map(|script| list(&script, "functions"));
        let blocks = functions.flat_map(|function| list(&function, "ranges"));
        blocks.map(|block| block["count"].as_u64().unwrap()).sum()
    }

    /// The figure that the browser itself keeps.
    pub(crate) fn metric(&mut self, name: &str) -> f64 {
        let metrics = self.call("Performance.getMetrics", json!({}));
        let metrics = metrics["metrics"].as_array().unwrap().clone();
        let metric = metrics.iter().find(|metric| metric["name"] == name);
        metric.unwrap()["value"].as_f64().unwrap()
    }

    pub(crate) fn mouse(&mut self, kind: &str, x: f64, y: f64, more: Value) {
        let mut parameters = json!({ "type": kind, "x": x, "y": y });
        for (key, value) in more.as_object().unwrap() {
            parameters[key] = value.clone();
        }
        self.call("Input.dispatchMouseEvent", parameters);
    }

    pub(crate) fn key(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call(
                "Input.dispatchKeyEvent",
                json!({ "type": kind, "key": key, "text": if key.len() == 1 && kind == "keyDown" { key } else { "" } }),
            );
        }
    }

    pub(crate) fn prefers(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    pub(crate) fn has_nothing_to_complain_of(&self) {
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
    }
}

/// Asks the browser how to talk to the tab that it begins with.
fn debugger_of_first_tab(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET /json/list HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // It may leave the connection open; the list ends with a bracket.
    while !answer.trim_ascii_end().ends_with(b"]") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the browser hung up");
        answer.extend(&piece[..read]);
    }
    let answer = String::from_utf8(answer).unwrap();
    let (_, list) = answer.split_once("\r\n\r\n").unwrap();
    let list: Value = serde_json::from_str(list).unwrap();
    let tabs = list.as_array().unwrap();
    let tab = tabs.iter().find(|tab| tab["type"] == "page").unwrap();
    tab["webSocketDebuggerUrl"].as_str().unwrap().to_owned()
}
