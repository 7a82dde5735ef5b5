//! The distribution protocol: requests and answers as values, so that a server is a function of a
//! request and a store, and a client a sequence of them. Source: OCI distribution specification 1.1.

/// One HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// As `localhost:5000` or `registry-1.docker.io`.
    pub host: String,
    /// Whether it goes over TLS.
    pub tls: bool,
    /// With its query, as `/v2/`.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
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
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}
