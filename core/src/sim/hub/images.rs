//! What each image of the hub holds: data, in the order in which a Dockerfile would make it.

use super::Files;
use super::files::host_tools;
use crate::sim::programs::{NGINX_VERSION, PYTHON_VERSION, REDIS_VERSION};
use serde_json::{Value, json};

/// A repository of the hub, as `docker search` tells it.
pub struct Shelf {
    pub name: &'static str,
    pub about: &'static str,
    pub stars: u32,
    /// Each tag, and the image it names.
    tags: &'static [(&'static str, &'static str)],
}

/// One step of an image: files, or only a setting that history tells of.
pub enum Step {
    Files(String, Files),
    Note(String),
}

/// How an image is made.
pub struct Recipe {
    pub base: Option<&'static str>,
    /// Seconds since the epoch.
    pub created: u64,
    pub steps: Vec<Step>,
    /// The `config` of the image configuration; what is missing comes from the base.
    pub settings: Value,
}

pub const SHELVES: &[Shelf] = &[
    Shelf {
        name: "alpine",
        about: "A minimal Docker image based on Alpine Linux",
        stars: 11000,
        tags: &[("latest", "alpine:latest"), ("3", "alpine:latest"), ("3.22", "alpine:latest")],
    },
    Shelf {
        name: "busybox",
        about: "Busybox base image.",
        stars: 3400,
        tags: &[
            ("latest", "busybox:latest"),
            ("1", "busybox:latest"),
            ("1.37", "busybox:latest"),
            ("stable", "busybox:latest"),
            ("musl", "busybox:latest"),
        ],
    },
    Shelf {
        name: "debian",
        about: "Debian is a Linux distribution that's composed of free software.",
        stars: 5200,
        tags: &[
            ("latest", "debian:latest"),
            ("stable", "debian:latest"),
            ("trixie", "debian:latest"),
            ("13", "debian:latest"),
            ("trixie-slim", "debian:latest"),
            ("stable-slim", "debian:latest"),
            ("bookworm", "debian:bookworm"),
            ("12", "debian:bookworm"),
            ("bookworm-slim", "debian:bookworm"),
        ],
    },
    Shelf {
        name: "hello-world",
        about: "Hello World! (an example of minimal Dockerization)",
        stars: 2400,
        tags: &[("latest", "hello-world:latest"), ("linux", "hello-world:latest")],
    },
    Shelf {
        name: "nginx",
        about: "Official build of Nginx.",
        stars: 21000,
        tags: &[
            ("latest", "nginx:latest"),
            ("1", "nginx:latest"),
            ("1.29", "nginx:latest"),
            ("1.29.3", "nginx:latest"),
            ("mainline", "nginx:latest"),
            ("stable", "nginx:latest"),
            ("alpine", "nginx:alpine"),
            ("1-alpine", "nginx:alpine"),
            ("1.29-alpine", "nginx:alpine"),
        ],
    },
    Shelf {
        name: "python",
        about: "Python is an interpreted, interactive, object-oriented, open-source programming language.",
        stars: 10000,
        tags: &[
            ("latest", "python:latest"),
            ("3", "python:latest"),
            ("3.13", "python:latest"),
            ("slim", "python:latest"),
            ("3-slim", "python:latest"),
            ("3.13-slim", "python:latest"),
            ("alpine", "python:alpine"),
            ("3-alpine", "python:alpine"),
            ("3.13-alpine", "python:alpine"),
        ],
    },
    Shelf {
        name: "redis",
        about: "Redis is an open source key-value store that functions as a data structure server.",
        stars: 13000,
        tags: &[
            ("latest", "redis:latest"),
            ("8", "redis:latest"),
            ("8.2", "redis:latest"),
            ("7", "redis:latest"),
            ("alpine", "redis:alpine"),
            ("8-alpine", "redis:alpine"),
            ("7-alpine", "redis:alpine"),
        ],
    },
    Shelf {
        name: "registry",
        about: "Distribution implementation for storing and distributing of container images and artifacts",
        stars: 4200,
        tags: &[("latest", "registry:2"), ("2", "registry:2"), ("2.8", "registry:2"), ("2.8.3", "registry:2")],
    },
    Shelf {
        name: "ubuntu",
        about: "Ubuntu is a Debian-based Linux operating system based on free software.",
        stars: 17000,
        tags: &[
            ("latest", "ubuntu:latest"),
            ("24.04", "ubuntu:latest"),
            ("noble", "ubuntu:latest"),
            ("22.04", "ubuntu:22.04"),
            ("jammy", "ubuntu:22.04"),
        ],
    },
];

/// The tags of a repository, each with the image it names.
pub fn tags(repository: &str) -> Vec<(&'static str, &'static str)> {
    SHELVES.iter().find(|s| s.name == repository).map_or_else(Vec::new, |s| s.tags.to_vec())
}

/// How the image of this name is made.
pub fn recipe(image: &str) -> Option<Recipe> {
    Some(match image {
        "busybox:latest" => busybox(),
        "alpine:latest" => alpine(),
        "debian:latest" => debian("13", "trixie", "Debian GNU/Linux 13 (trixie)"),
        "debian:bookworm" => debian("12", "bookworm", "Debian GNU/Linux 12 (bookworm)"),
        "ubuntu:latest" => ubuntu("24.04", "noble", "Ubuntu 24.04.3 LTS"),
        "ubuntu:22.04" => ubuntu("22.04", "jammy", "Ubuntu 22.04.5 LTS"),
        "hello-world:latest" => hello_world(),
        "nginx:latest" => nginx("debian:bookworm"),
        "nginx:alpine" => nginx("alpine:latest"),
        "python:latest" => python("debian:latest"),
        "python:alpine" => python("alpine:latest"),
        "redis:latest" => redis("debian:bookworm"),
        "redis:alpine" => redis("alpine:latest"),
        "registry:2" => registry(),
        _ => return None,
    })
}

/// 2025-10-08 08:00 UTC and some days: images are not all of the same age.
fn made(days: u64) -> u64 {
    1_759_910_400 + days * 86400
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn files(words: &str, files: Files) -> Step {
    Step::Files(words.to_string(), files)
}

fn note(words: &str) -> Step {
    Step::Note(format!("{words} # buildkit"))
}

fn busybox() -> Recipe {
    let tree = Files::new()
        .folders("bin dev etc home proc root sys usr/bin var")
        .folder("tmp", 0o1777)
        .busybox("bin")
        .text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
        .text("etc/group", "root:x:0:\nnogroup:x:65534:\n");
    Recipe { base: None, created: made(0), steps: vec![files("", tree)], settings: json!({ "Cmd": ["sh"] }) }
}

fn alpine() -> Recipe {
    let release = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.22.2\nPRETTY_NAME=\"Alpine Linux v3.22\"\nHOME_URL=\"https://alpinelinux.org/\"\n";
    let users = "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
    let tree = Files::new()
        .folders("bin dev etc home lib media mnt opt proc run sbin srv sys usr/bin usr/sbin usr/lib usr/local/bin")
        .folders("usr/share var/cache/apk var/lib var/log var/tmp etc/apk")
        .folder("root", 0o700)
        .folder("tmp", 0o1777)
        .busybox("bin")
        .program("sbin/apk", "packages")
        .text("etc/alpine-release", "3.22.2\n")
        .text("etc/os-release", release)
        .text("etc/passwd", users)
        .text("etc/group", "root:x:0:root\nbin:x:1:root\nnogroup:x:65533:\nnobody:x:65534:\n")
        .text("etc/apk/repositories", "https://dl-cdn.alpinelinux.org/alpine/v3.22/main\n");
    Recipe {
        base: None,
        created: made(0),
        steps: vec![files("ADD alpine-minirootfs-3.22.2-x86_64.tar.gz / # buildkit", tree), note("CMD [\"/bin/sh\"]")],
        settings: json!({ "Env": [PATH], "Cmd": ["/bin/sh"], "WorkingDir": "/" }),
    }
}

fn debian_files(id: &str, version: &str, codename: &str, pretty: &str) -> Files {
    let name = if id == "ubuntu" { "Ubuntu" } else { "Debian GNU/Linux" };
    let like = if id == "ubuntu" { "ID_LIKE=debian\n" } else { "" };
    let release = format!(
        "PRETTY_NAME=\"{pretty}\"\nNAME=\"{name}\"\nVERSION_ID=\"{version}\"\nVERSION=\"{version} ({codename})\"\nVERSION_CODENAME={codename}\nID={id}\n{like}"
    );
    host_tools()
        .program("usr/bin/apt", "packages")
        .program("usr/bin/apt-get", "packages")
        .folders("etc/apt var/lib/apt/lists var/lib/dpkg")
        .text("usr/lib/os-release", &release)
        .link("etc/os-release", "../usr/lib/os-release")
        .text("etc/debian_version", &format!("{version}\n"))
}

fn debian(version: &str, codename: &str, pretty: &str) -> Recipe {
    Recipe {
        base: None,
        created: made(if codename == "trixie" { 12 } else { 13 }),
        steps: vec![files(
            &format!("# debian.sh --arch 'amd64' out/ '{codename}' '@1760918400'"),
            debian_files("debian", version, codename, pretty),
        )],
        settings: json!({ "Env": [PATH], "Cmd": ["bash"] }),
    }
}

fn ubuntu(version: &str, codename: &str, pretty: &str) -> Recipe {
    let tree = debian_files("ubuntu", version, codename, pretty);
    let steps = vec![
        Step::Note("/bin/sh -c #(nop)  ARG RELEASE".into()),
        Step::Note(format!("/bin/sh -c #(nop)  LABEL org.opencontainers.image.version={version}")),
        files("/bin/sh -c #(nop) ADD file:c61f8ca3 in / ", tree),
        Step::Note("/bin/sh -c #(nop)  CMD [\"/bin/bash\"]".into()),
    ];
    let labels = json!({ "org.opencontainers.image.ref.name": "ubuntu", "org.opencontainers.image.version": version });
    Recipe {
        base: None,
        created: made(2),
        steps,
        settings: json!({ "Env": [PATH], "Cmd": ["/bin/bash"], "Labels": labels }),
    }
}

fn hello_world() -> Recipe {
    Recipe {
        base: None,
        created: made(1),
        steps: vec![files("COPY hello / # buildkit", Files::new().program("hello", "hello")), note("CMD [\"/hello\"]")],
        settings: json!({ "Env": [PATH], "Cmd": ["/hello"], "WorkingDir": "/" }),
    }
}

const NGINX_ENTRYPOINT: &str = r#"#!/bin/sh
set -e
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
    if [ -n "$(ls -A /docker-entrypoint.d/ 2>/dev/null)" ]; then
        echo "$0: /docker-entrypoint.d/ is not empty, will attempt to perform configuration"
        echo "$0: Looking for shell scripts in /docker-entrypoint.d/"
        for f in /docker-entrypoint.d/*.sh; do
            if [ -x "$f" ]; then
                echo "$0: Launching $f"
                "$f"
            fi
        done
        echo "$0: Configuration complete; ready for start up"
    else
        echo "$0: No files found in /docker-entrypoint.d/, skipping configuration"
    fi
fi
exec "$@"
"#;

const NGINX_CONFIG: &str = "user  nginx;
worker_processes  1;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/conf.d/*.conf;
}
";

const NGINX_SITE: &str = "server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }
}
";

const NGINX_WELCOME: &str = "<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
body { width: 35em; margin: 0 auto; font-family: sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page says that the web server is there and works. To show your own, put files into
/usr/share/nginx/html, or mount a folder or a volume there.</p>
</body>
</html>
";

fn nginx(base: &'static str) -> Recipe {
    let ready = "#!/bin/sh\n# Scripts in this folder are run before the server starts.\necho \"$0: info: IPv6 listen is not used here\"\n";
    let server = Files::new()
        .program("usr/sbin/nginx", "nginx")
        .folders("etc/nginx/conf.d usr/share/nginx/html var/cache/nginx docker-entrypoint.d run")
        .text("etc/nginx/nginx.conf", NGINX_CONFIG)
        .text("etc/nginx/conf.d/default.conf", NGINX_SITE)
        .text("usr/share/nginx/html/index.html", NGINX_WELCOME)
        .link("var/log/nginx/access.log", "/dev/stdout")
        .link("var/log/nginx/error.log", "/dev/stderr")
        .text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnginx:x:101:101:nginx user:/nonexistent:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        .text("etc/group", "root:x:0:\nnginx:x:101:\nnogroup:x:65534:\n");
    let version = format!("NGINX_VERSION={NGINX_VERSION}");
    Recipe {
        base: Some(base),
        created: made(20),
        steps: vec![
            note("LABEL maintainer=NGINX Docker Maintainers <docker-maint@nginx.com>"),
            note(&format!("ENV {version}")),
            files("RUN /bin/sh -c install nginx # buildkit", server),
            files(
                "COPY docker-entrypoint.sh / # buildkit",
                Files::new().script("docker-entrypoint.sh", NGINX_ENTRYPOINT),
            ),
            files(
                "COPY 10-listen-on-ipv6-by-default.sh /docker-entrypoint.d # buildkit",
                Files::new().script("docker-entrypoint.d/10-listen-on-ipv6-by-default.sh", ready),
            ),
            note("ENTRYPOINT [\"/docker-entrypoint.sh\"]"),
            note("EXPOSE map[80/tcp:{}]"),
            note("STOPSIGNAL SIGQUIT"),
            note("CMD [\"nginx\" \"-g\" \"daemon off;\"]"),
        ],
        settings: json!({
            "Env": [PATH, version],
            "Entrypoint": ["/docker-entrypoint.sh"],
            "Cmd": ["nginx", "-g", "daemon off;"],
            "ExposedPorts": { "80/tcp": {} },
            "Labels": { "maintainer": "NGINX Docker Maintainers <docker-maint@nginx.com>" },
            "StopSignal": "SIGQUIT",
        }),
    }
}

fn python(base: &'static str) -> Recipe {
    let program = Files::new()
        .program("usr/local/bin/python3.13", "python3")
        .link("usr/local/bin/python3", "python3.13")
        .link("usr/local/bin/python", "python3")
        .program("usr/local/bin/pip", "packages")
        .link("usr/local/bin/pip3", "pip");
    Recipe {
        base: Some(base),
        created: made(16),
        steps: vec![
            note("ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            note(&format!("ENV PYTHON_VERSION={PYTHON_VERSION}")),
            files("RUN /bin/sh -c install python # buildkit", program),
            note("CMD [\"python3\"]"),
        ],
        settings: json!({
            "Env": [
                "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                format!("PYTHON_VERSION={PYTHON_VERSION}"),
            ],
            "Cmd": ["python3"],
        }),
    }
}

const REDIS_ENTRYPOINT: &str = r#"#!/bin/sh
set -e
# Options alone are for the server.
case "$1" in
    -*|*.conf) set -- redis-server "$@" ;;
esac
exec "$@"
"#;

fn redis(base: &'static str) -> Recipe {
    let programs = Files::new()
        .program("usr/local/bin/redis-server", "redis-server")
        .program("usr/local/bin/redis-cli", "redis-cli")
        .folder_of("data", 0o755, 999, 999);
    let entry = Files::new().script("usr/local/bin/docker-entrypoint.sh", REDIS_ENTRYPOINT);
    Recipe {
        base: Some(base),
        created: made(10),
        steps: vec![
            note(&format!("ENV REDIS_VERSION={REDIS_VERSION}")),
            files("RUN /bin/sh -c install redis # buildkit", programs),
            note("VOLUME [/data]"),
            note("WORKDIR /data"),
            files("COPY docker-entrypoint.sh /usr/local/bin/ # buildkit", entry),
            note("ENTRYPOINT [\"docker-entrypoint.sh\"]"),
            note("EXPOSE map[6379/tcp:{}]"),
            note("CMD [\"redis-server\"]"),
        ],
        settings: json!({
            "Env": [PATH, format!("REDIS_VERSION={REDIS_VERSION}")],
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["redis-server"],
            "ExposedPorts": { "6379/tcp": {} },
            "Volumes": { "/data": {} },
            "WorkingDir": "/data",
        }),
    }
}

const REGISTRY_ENTRYPOINT: &str = r#"#!/bin/sh
set -e
case "$1" in
    *.yaml|*.yml) set -- registry serve "$@" ;;
    serve|garbage-collect|help|-*) set -- registry "$@" ;;
esac
exec "$@"
"#;

const REGISTRY_CONFIG: &str = "version: 0.1
storage:
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
";

fn registry() -> Recipe {
    let program = Files::new()
        .program("bin/registry", "docker-registry")
        .text("etc/docker/registry/config.yml", REGISTRY_CONFIG)
        .folders("var/lib/registry");
    Recipe {
        base: Some("alpine:latest"),
        created: made(5),
        steps: vec![
            files("RUN /bin/sh -c install registry # buildkit", program),
            note("VOLUME [/var/lib/registry]"),
            note("EXPOSE map[5000/tcp:{}]"),
            files(
                "COPY docker-entrypoint.sh /entrypoint.sh # buildkit",
                Files::new().script("entrypoint.sh", REGISTRY_ENTRYPOINT),
            ),
            note("ENTRYPOINT [\"/entrypoint.sh\"]"),
            note("CMD [\"/etc/docker/registry/config.yml\"]"),
        ],
        settings: json!({
            "Env": [PATH],
            "Entrypoint": ["/entrypoint.sh"],
            "Cmd": ["/etc/docker/registry/config.yml"],
            "ExposedPorts": { "5000/tcp": {} },
            "Volumes": { "/var/lib/registry": {} },
        }),
    }
}
