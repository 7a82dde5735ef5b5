//! The distribution protocol: requests and answers as values, so that a server is a function of a
//! request and a store, and a client a sequence of them. Source: OCI distribution specification 1.1.

mod auth;
mod range;
mod respond;
pub mod server;
mod store;
mod uploads;

pub use auth::Challenge;
pub use store::{MemoryStore, Store};

/// One HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// As `localhost:5000` or `registry-1.docker.io`.
    pub host: String,
    /// Whether it goes over TLS.
    pub tls: bool,
    /// Whether any certificate will do.
    pub any_certificate: bool,
    /// With its query, as `/v2/`.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: &str, host: &str, tls: bool, path: &str) -> Request {
        Request {
            method: method.to_string(),
            host: host.to_string(),
            tls,
            any_certificate: false,
            path: path.to_string(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    #[must_use]
    pub fn with_body(mut self, body: Vec<u8>) -> Request {
        self.body = body;
        self
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// As `http://localhost:5000/v2/`.
    pub fn url(&self) -> String {
        format!("{}://{}{}", if self.tls { "https" } else { "http" }, self.host, self.path)
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The status with its words, as Go's clients print it: `502 Bad Gateway`. Source: RFC 9110, section 15.
    pub fn status_line(&self) -> String {
        let words = match self.status {
            400 => " Bad Request",
            403 => " Forbidden",
            405 => " Method Not Allowed",
            429 => " Too Many Requests",
            500 => " Internal Server Error",
            502 => " Bad Gateway",
            503 => " Service Unavailable",
            504 => " Gateway Timeout",
            _ => "",
        };
        format!("{}{words}", self.status)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}
