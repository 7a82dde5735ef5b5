//! What commands cost in the simulator, a line for each, and how long a session takes to be lived again.
//!
//! Each line is a script of its own on a machine that is ready for it, so the start of a shell is in every
//! figure; the first line tells how much that is. The aims: `docker run` of `true` under a millisecond, a
//! cached build of ten steps under three.

use criterion::{Criterion, criterion_group, criterion_main};
use cutaway_core::sim::session::{Config, Session};
use std::hint::black_box;
use std::time::Duration;

/// A machine with an image, a running container, a stopped one, a network, a volume, a project and a folder
/// with a Dockerfile of ten steps that has been built.
fn ready() -> Session {
    let session = Session::new(Config::default());
    let script = "docker pull -q busybox; mkdir -p app && cd app && printf 'FROM busybox\\n' > Dockerfile; \
        for i in 1 2 3 4 5 6 7 8 9; do echo \"RUN echo $i > /f$i\" >> Dockerfile; done; docker build -q -t ten . && \
        docker network create net && docker volume create data && docker run -d --name web -v data:/data busybox \
        sh -c 'seq 10; sleep 1000000' && docker run --name over busybox true && mkdir ../project && cd ../project && \
        printf 'services:\\n  a: {image: busybox, command: sleep 1000000}\\n  b: {image: busybox, command: \
        sleep 1000000, depends_on: [a]}\\n' > compose.yaml && docker compose up -d && docker save -o ../ten.tar ten";
    assert_eq!(session.script(script, |_| {}), 0, "the setup fails");
    session
}

/// What is measured. What changes the machine changes it back.
const LINES: &[&str] = &[
    "true",
    "docker version",
    "docker info",
    "docker run --rm busybox true",
    "docker run --rm --network none busybox true",
    "docker run -d --name new busybox sleep 1000; docker rm -f new",
    "docker create --name new busybox; docker rm new",
    "docker start over; docker wait over",
    "docker restart -t 0 web",
    "docker kill web; docker start web",
    "docker exec web true",
    "docker exec web sh -c 'echo hi > /tmp/f'",
    "docker ps -a",
    "docker ps -as --no-trunc --format json",
    "docker logs web",
    "docker inspect web",
    "docker top web",
    "docker stats --no-stream web",
    "docker diff web",
    "docker port web",
    "docker cp web:/etc/hosts hosts",
    "docker cp /etc/hosts web:/tmp/hosts",
    "docker pause web; docker unpause web",
    "docker rename web now; docker rename now web",
    "docker update --memory 64m --memory-swap 64m web",
    "docker commit over changed; docker rmi changed",
    "docker export web > /dev/null",
    "docker images",
    "docker history ten",
    "docker tag busybox other; docker rmi other",
    "docker pull -q busybox",
    "docker save busybox > /dev/null",
    "docker load -qi ten.tar",
    "cd app; docker build -q -t ten .",
    "cd app; docker build --no-cache -q -t ten .",
    "docker network create new; docker network rm new",
    "docker network connect net web; docker network disconnect net web",
    "docker network ls",
    "docker network inspect bridge",
    "docker volume create new; docker volume rm new",
    "docker volume ls",
    "docker events --since 1m --until 0s",
    "docker system df",
    "docker system prune -f",
    "cd project; docker compose up -d",
    "cd project; docker compose ps",
    "cd project; docker compose config",
    "cd project; docker compose restart -t 0",
];

/// On a machine that has the image and nothing else: each running container is looked at again after each step.
const BARE: &str = "docker run --rm busybox true";

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    let session = Session::new(Config::default());
    assert_eq!(session.script("docker pull -q busybox", |_| {}), 0, "the setup fails");
    group.bench_function(format!("{BARE} (nothing else runs)"), |bencher| {
        bencher.iter(|| black_box(session.script(BARE, |_| {})));
    });
    for line in LINES {
        let session = ready();
        let mut said = Vec::new();
        // `set -e`, because a line that fails is quick.
        let script = format!("set -e; {line}");
        let status = session.script(&script, |bytes| said.extend_from_slice(bytes));
        assert_eq!(status, 0, "{line}: {}", String::from_utf8_lossy(&said));
        group.bench_function(*line, |bencher| bencher.iter(|| black_box(session.script(&script, |_| {}))));
    }
    group.finish();
}

fn replay(criterion: &mut Criterion) {
    let session = Session::new(Config::default());
    session.script("docker pull -q busybox; for i in $(seq 1 100); do docker run --rm busybox true; done", |_| {});
    let log = session.log();
    let mut group = criterion.benchmark_group("simulator");
    group.sample_size(10);
    group.bench_function("living 100 commands again", |bencher| bencher.iter(|| Session::replay(black_box(&log))));
    group.finish();
}

criterion_group!(benches, commands, replay);
criterion_main!(benches);
