//! What a component may send: requests to the origins that the pipeline grants, and no others.
//!
//! The address that is checked is the very one that is sent to, parsed once. A redirect is an answer like others: whoever
//! wants to follow it sends another request, which is held to the same grants.

use std::io::Read;
use std::time::Duration;

use ureq::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use ureq::{Agent, Body, Error};

use crate::operator::{Http, HttpError, HttpRequest, HttpResponse};
use crate::origin::Origin;
use crate::sink::http::{agent, passes};

/// How much of an answer's body a guest is given.
const ANSWER_BYTES: u64 = 1 << 20;

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Headers that say where a request goes and where it ends: a guest that could set them could reach what it is not granted.
const OWN_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends what is granted.
#[derive(Debug)]
pub struct Granted {
    /// What grants it, for people.
    by: String,
    /// What to do where that is not enough.
    remedy: String,
    allow: Vec<Origin>,
    agent: Agent,
}

impl Granted {
    /// What a pipeline grants a sink.
    pub fn of_sink(name: &str, allow: &[Origin], timeout: Duration) -> Self {
        Self::new(format!("`allow` of [sinks.{name}]"), allow.to_vec(), timeout)
    }

    /// What the last swap of a sink grants it, in place of what its pipeline does.
    pub fn of_swap(name: &str, component: &str, allow: &[Origin], timeout: Duration) -> Self {
        let by = format!(
            "what the last swap of the sink has granted (`weir swap {name} {component} --allow …`), which goes before `allow` of \
             [sinks.{name}]"
        );
        let remedy = "when anything that the pipeline file says has changed, its `allow` holds again; a host that runs can also \
                      be told with another swap"
            .to_owned();
        Self { remedy, ..Self::new(by, allow.to_vec(), timeout) }
    }

    /// Grants these origins; an answer may take as long as `timeout`. `by` names where they are listed.
    pub fn new(by: String, allow: Vec<Origin>, timeout: Duration) -> Self {
        let remedy = "add it there if the component is meant to send to it".to_owned();
        Self { by, remedy, allow, agent: agent(timeout) }
    }

    fn check(&self, origin: &Origin) -> Result<(), HttpError> {
        if self.allow.contains(origin) {
            return Ok(());
        }
        Err(HttpError::Denied(format!("{origin} is not among {}: {}", self.by, self.remedy)))
    }

    fn run(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, Error> {
        let takes_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
        if request.body().is_empty() && !takes_body {
            return self.agent.run(request.map(drop));
        }
        self.agent.run(request)
    }
}

impl Http for Granted {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (origin, request) = sound(request)?;
        self.check(&origin)?;
        if origin.is_https() {
            return Err(HttpError::Invalid(format!(
                "{origin} wants TLS, which sinks do not have yet: send to a proxy on this machine that adds TLS"
            )));
        }
        answer(self.run(request).map_err(|error| failed(&origin, &error))?)
    }
}

/// A guest's request as the client takes it, and its origin; or what is wrong with it.
pub fn sound(request: HttpRequest) -> Result<(Origin, Request<Vec<u8>>), HttpError> {
    let invalid = |text: String| Err(HttpError::Invalid(text));
    let HttpRequest { method, url, headers, body } = request;
    // The address is not told, as there may be a secret in it.
    let address: Uri = url.parse().map_err(|error| HttpError::Invalid(format!("the URL cannot be read: {error}")))?;
    let origin =
        Origin::of(&address).map_err(|why| HttpError::Invalid(format!("the URL is no address to send to: {why}")))?;
    let Some(method) = METHODS.into_iter().find(|known| known.as_str() == method) else {
        return invalid(format!(
            "the method `{}` cannot be sent; there is {}",
            method.escape_debug(),
            METHODS.map(|m| m.to_string()).join(", ")
        ));
    };
    let mut sound = Request::builder().method(method).uri(address);
    for (name, value) in headers {
        let shown = name.escape_debug();
        if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            return invalid(format!("the header `{shown}` is set by the host"));
        }
        let Ok(value) = HeaderValue::from_str(&value) else {
            return invalid(format!("the value of the header `{shown}` cannot stand in one: is there a line break?"));
        };
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return invalid(format!("`{shown}` cannot be the name of a header"));
        };
        sound = sound.header(header, value);
    }
    let sound = sound.body(body).map_err(|error| HttpError::Invalid(error.to_string()))?;
    Ok((origin, sound))
}

fn answer(answer: Response<Body>) -> Result<HttpResponse, HttpError> {
    let (head, body) = answer.into_parts();
    let mut bytes = Vec::new();
    let read = body.into_reader().take(ANSWER_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| HttpError::Unanswered(format!("the answer, {}, breaks off: {error}", head.status)))?;
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Ok(HttpResponse { status: head.status.as_u16(), headers: head.headers.iter().map(header).collect(), body: bytes })
}

fn failed(origin: &Origin, error: &Error) -> HttpError {
    let text = format!("{origin}: {error}");
    if passes(error) { HttpError::Unanswered(text) } else { HttpError::Invalid(text) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should say where")]

    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn granted(allow: &[&str]) -> Granted {
        let allow = allow.iter().map(|origin| origin.parse().unwrap()).collect();
        Granted::new("`allow`".to_owned(), allow, Duration::from_secs(60))
    }

    fn request(url: &str) -> HttpRequest {
        HttpRequest { method: "GET".to_owned(), url: url.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// A receiver that gives this answer once: its origin, and the head of the request.
    fn receiver(answer: Vec<u8>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let head = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map(Result::unwrap);
            let head = lines.take_while(|line| !line.is_empty()).collect();
            // A client that has seen enough may be gone.
            let _ = connection.write_all(&answer);
            head
        });
        (origin, head)
    }

    #[test]
    fn given_a_request_that_is_granted_when_sent_then_the_answer_comes_back_with_at_most_a_mebibyte() {
        let mut answer = b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nX-A: b\r\n\r\n".to_vec();
        answer.resize(answer.len() + (2 << 20), b'x');
        let (origin, head) = receiver(answer);
        let mut request = request(&format!("{origin}/a?b=c"));
        request.headers.push(("X-Mine".to_owned(), "1".to_owned()));
        let answer = granted(&[&origin]).send(request).unwrap();
        assert_eq!((answer.status, answer.body.len()), (302, 1 << 20));
        assert!(answer.headers.contains(&("location".to_owned(), "http://other.example/".to_owned())));
        let head = head.join().unwrap();
        assert_eq!(head[0], "GET /a?b=c HTTP/1.1");
        assert!(head.iter().any(|line| line.eq_ignore_ascii_case("X-Mine: 1")), "{head:?}");
    }

    #[test]
    fn given_grants_of_a_swap_when_denied_then_the_swap_is_named_and_how_to_grant_again() {
        let swapped = Granted::of_swap("out", "hook@2.0.0", &[], Duration::from_secs(60));
        let HttpError::Denied(text) = swapped.send(request("http://example.com/secret")).unwrap_err() else {
            panic!("it is denied")
        };
        let says = "http://example.com is not among what the last swap of the sink has granted (`weir swap out hook@2.0.0 \
                    --allow …`), which goes before `allow` of [sinks.out]: when anything that the pipeline file says \
                    has changed, its `allow` holds again; a host that runs can also be told with another swap";
        assert_eq!(text, says);
    }

    #[test]
    fn given_a_request_that_cannot_be_sent_when_sent_then_the_guest_is_told_why() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = format!("http://{nobody}");
        let granted = granted(&[&nobody, "https://127.0.0.1:1"]);
        let denied = |text: &str| HttpError::Denied(text.to_owned());
        assert_eq!(
            granted.send(request("http://Example.com/secret")).unwrap_err(),
            denied("http://example.com is not among `allow`: add it there if the component is meant to send to it")
        );
        let error = granted.send(request(&format!("{nobody}/secret"))).unwrap_err();
        let HttpError::Unanswered(text) = error else { panic!("{error:?}") };
        assert!(text.starts_with(&nobody) && !text.contains("secret"), "{text}");
        let invalid = |request: HttpRequest, says: &str| {
            let error = granted.send(request).unwrap_err();
            let HttpError::Invalid(text) = error else { panic!("{error:?}") };
            assert!(text.contains(says) && !text.contains("secret"), "{text}");
        };
        invalid(request("https://127.0.0.1:1/secret"), "wants TLS");
        invalid(request("/secret"), "it has no scheme");
        invalid(request("ftp://127.0.0.1/secret"), "neither http nor https");
        invalid(request("http://secret@127.0.0.1/"), "it has a user in it");
        invalid(request("http://a b/"), "cannot be read");
        for (name, value, says) in [
            ("Content-Length", "3", "set by the host"),
            ("hOST", "a", "set by the host"),
            ("a b", "c", "cannot be the name of a header"),
            ("X", "a\nb", "is there a line break?"),
        ] {
            let headers = vec![(name.to_owned(), value.to_owned())];
            invalid(HttpRequest { headers, ..request(&nobody) }, says);
        }
        for method in ["CONNECT", "get", "POST / HTTP/1.1\r\n", ""] {
            invalid(
                HttpRequest { method: method.to_owned(), ..request(&nobody) },
                "cannot be sent; there is GET, HEAD",
            );
        }
    }
}
