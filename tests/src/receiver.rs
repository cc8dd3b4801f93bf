//! Somebody who takes rows over HTTP, and answers as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Channel, channel};
use std::thread;

use crate::PATIENCE;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method and path.
    pub line: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map_or_else(|| panic!("no header `{name}` in {self:?}"), |(_, value)| value)
    }
}

/// An HTTP server on a free port, for as long as the test runs.
#[derive(Debug)]
pub struct Receiver {
    address: String,
    requests: Channel<Request>,
}

impl Receiver {
    /// Answers each request with status line and headers, as in `"503 Busy\r\nRetry-After: 1"`, and with a body.
    pub fn answering(answer: impl FnMut(&Request) -> (String, String) + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", answer)
    }

    /// The same at an address.
    pub fn at(address: &str, mut answer: impl FnMut(&Request) -> (String, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("the address is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (sender, requests) = channel();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.expect("a client connects");
                let request = read(&connection);
                let (head, body) = answer(&request);
                // The test may have seen enough.
                let _ = sender.send(request);
                let length = body.len();
                let _ = write!(
                    &connection,
                    "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                );
            }
        });
        Self { address, requests }
    }

    /// Where it listens.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits for the next request.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// The requests that came so far and were not asked for.
    pub fn rest(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

fn read(connection: &TcpStream) -> Request {
    let mut reader = BufReader::new(connection);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a client sends text");
        line.trim_end().to_owned()
    };
    let first = line();
    let mut headers = Vec::new();
    while let Some((name, value)) = line().split_once(": ") {
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request { line: first, headers, body: String::new() };
    let length: u64 = request.header("content-length").parse().expect("a number of bytes");
    reader.take(length).read_to_string(&mut request.body).expect("a client sends text");
    request
}
