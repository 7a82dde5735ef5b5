//! What commands cost in the simulator, and how many steps it makes in a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cutaway_core::sim::session::{Config, Session};
use std::hint::black_box;

/// A machine that has its images already.
fn ready() -> Session {
    let session = Session::new(Config::default());
    let script = "docker pull -q busybox; mkdir -p app && cd app && printf 'FROM busybox\\n' > Dockerfile; \
        for i in 1 2 3 4 5 6 7 8 9; do echo \"RUN echo $i > /f$i\" >> Dockerfile; done; docker build -q -t ten .";
    assert_eq!(session.script(script, |_| {}), 0, "the setup fails");
    session
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    for (name, line) in [
        ("a shell and echo", "echo hi"),
        ("docker run --rm busybox true", "docker run --rm busybox true"),
        ("a build of 10 steps, cached", "cd app && docker build -q -t ten ."),
        ("docker ps -a", "docker ps -a"),
    ] {
        let session = ready();
        let before = session.step_count();
        session.script(line, |_| {});
        let steps = session.step_count() - before;
        if steps > 0 {
            group.throughput(Throughput::Elements(steps as u64));
        }
        group.bench_function(name, |bencher| bencher.iter(|| black_box(session.script(line, |_| {}))));
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
