//! The hub: a registry inside the simulator, with miniatures of the images that everybody starts with.
//!
//! An image is described in `images` as files and settings, built when it is first asked for (`pack`) as
//! real layers with real digests, and served by the same function as any other registry.

mod files;
mod images;
mod pack;

pub use files::{Files, host_tools};
pub use pack::Packed;

use crate::image::wire::media;
use crate::registry::{MemoryStore, Request, Response, server};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;

/// Where the hub sends those who come without a token: everybody gets one, for reading.
const CHALLENGE: &str = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\"";

/// The registry that stands for Docker Hub.
#[derive(Default)]
pub struct Hub {
    store: RefCell<MemoryStore>,
    packed: RefCell<BTreeMap<String, Rc<Packed>>>,
}

impl Hub {
    pub fn answer(&self, request: &Request) -> Response {
        let path = request.path.split('?').next().unwrap_or("");
        if path == "/v1/search" {
            return search(&request.path);
        }
        // Nobody has an account here.
        if request.header("authorization").is_some_and(|a| a.starts_with("Basic ")) {
            return refused(401, "UNAUTHORIZED", "incorrect username or password");
        }
        if path == "/token" {
            return plain(200, &json!({ "token": "anonymous", "access_token": "anonymous", "expires_in": 300 }));
        }
        if path.trim_end_matches('/') == "/v2" && request.header("authorization").is_none() {
            let mut answer = refused(401, "UNAUTHORIZED", "authentication required");
            answer.headers.push(("Www-Authenticate".into(), CHALLENGE.into()));
            return answer;
        }
        let Some(repository) = repository(path) else {
            return server::serve(request, &mut *self.store.borrow_mut());
        };
        if !matches!(request.method.as_str(), "GET" | "HEAD") || !self.fill(&repository) {
            let mut answer = refused(401, "UNAUTHORIZED", "authentication required");
            let scope = format!("{CHALLENGE},scope=\"repository:{repository}:pull\",error=\"insufficient_scope\"");
            answer.headers.push(("Www-Authenticate".into(), scope));
            return answer;
        }
        server::serve(request, &mut *self.store.borrow_mut())
    }

    /// An image by its name in the hub, as `busybox:latest`; built where that has not been done yet.
    pub fn image(&self, name: &str) -> Option<Rc<Packed>> {
        if let Some(packed) = self.packed.borrow().get(name) {
            return Some(packed.clone());
        }
        let recipe = images::recipe(name)?;
        let base = match recipe.base {
            Some(base) => Some(self.image(base)?),
            None => None,
        };
        let packed = Rc::new(pack::pack(&recipe, base.as_deref()));
        self.packed.borrow_mut().insert(name.to_string(), packed.clone());
        Some(packed)
    }

    /// Puts all tags of a repository into the store; whether there is such a repository.
    fn fill(&self, repository: &str) -> bool {
        let Some(short) = repository.strip_prefix("library/") else { return false };
        let tags = images::tags(short);
        for (tag, image) in &tags {
            let Some(packed) = self.image(image) else { continue };
            let blobs: Vec<&[u8]> = packed.blobs().collect();
            let mut store = self.store.borrow_mut();
            server::publish(&mut *store, repository, tag, media::OCI_MANIFEST, &packed.manifest, &blobs);
        }
        !tags.is_empty()
    }
}

/// `library/busybox` of `/v2/library/busybox/manifests/latest`.
fn repository(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/v2/")?;
    let end = ["/manifests/", "/blobs/", "/tags/", "/referrers/"].iter().find_map(|part| rest.find(part))?;
    Some(rest[..end].to_string())
}

fn plain(status: u16, body: &serde_json::Value) -> Response {
    let headers = vec![("Content-Type".to_string(), "application/json".to_string())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    plain(status, &json!({ "errors": [{ "code": code, "message": message, "detail": null }] }))
}

/// What `docker search` asks: the repositories whose name or description has the term in it.
fn search(path: &str) -> Response {
    let term = path.split(['?', '&']).find_map(|part| part.strip_prefix("q=")).unwrap_or("").to_lowercase();
    let fits = |row: &&images::Shelf| row.name.contains(&term) || row.about.to_lowercase().contains(&term);
    let results: Vec<serde_json::Value> = images::SHELVES
        .iter()
        .filter(fits)
        .map(|row| {
            json!({ "name": row.name, "description": row.about, "star_count": row.stars,
                "is_official": true, "is_automated": false })
        })
        .collect();
    let count = results.len();
    plain(
        200,
        &json!({ "num_pages": 1, "num_results": count, "page": 1, "page_size": 25, "query": term, "results": results }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_the_same_each_time() {
        let (one, two) = (Hub::default(), Hub::default());
        for shelf in images::SHELVES {
            for (tag, image) in images::tags(shelf.name) {
                let (a, b) = (one.image(image).unwrap(), two.image(image).unwrap());
                assert_eq!(a.manifest, b.manifest, "{}:{tag}", shelf.name);
            }
        }
    }

    #[test]
    fn manifests_and_refusals() {
        let hub = Hub::default();
        let ask = |method: &str, path: &str| hub.answer(&Request::new(method, "registry-1.docker.io", true, path));
        assert_eq!(ask("GET", "/v2/").status, 401);
        assert_eq!(ask("GET", "/v2/library/busybox/manifests/latest").status, 200);
        assert_eq!(ask("GET", "/v2/library/busybox/manifests/nosuch").status, 404);
        assert_eq!(ask("GET", "/v2/library/nosuch/manifests/latest").status, 401);
        assert_eq!(ask("PUT", "/v2/library/busybox/manifests/mine").status, 401);
        let found: serde_json::Value = serde_json::from_slice(&ask("GET", "/v1/search?q=ngin&n=25").body).unwrap();
        assert_eq!(found["results"][0]["name"], "nginx");
    }

    #[test]
    fn layers_are_shared() {
        let hub = Hub::default();
        let (debian, nginx) = (hub.image("debian:bookworm").unwrap(), hub.image("nginx:latest").unwrap());
        assert_eq!(debian.layers[0].diff_id, nginx.layers[0].diff_id);
    }
}
