//! Rows posted to a host, as a client of its HTTP source does.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

/// An address on this machine at which nobody listens yet.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there is a free port")
}

/// Sends a body: the answer's status and text.
pub fn send(method: &str, url: &str, key: Option<&str>, body: impl Into<Vec<u8>>) -> (u16, String) {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build();
    let request = request.body(body.into()).expect("a request");
    let mut answer = ureq::Agent::new_with_config(config).run(request).expect("the host answers");
    let text = answer.body_mut().read_to_string().expect("an answer is text");
    (answer.status().as_u16(), text)
}

/// Posts a body that is taken: what the host answers.
pub fn post(url: &str, key: Option<&str>, body: impl Into<Vec<u8>>) -> Value {
    let (status, text) = send("POST", url, key, body);
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).expect("JSON")
}
