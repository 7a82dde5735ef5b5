//! Control groups: limits that kill, refuse, slow down and freeze.

use super::*;
use crate::sim::kernel::{CgroupId, ExitWatch};
use crate::world::acts::{CgroupLimit, DeviceRule};
use cutaway_userland::Errno;
use cutaway_userland::os::{Cost, FileKind, OpenFlags};
use std::time::Duration;

fn in_group(machine: &Machine, limit: CgroupLimit) -> CgroupId {
    let group = machine.make_cgroup(Machine::ROOT_CGROUP, "test");
    machine.limit_cgroup(group, &limit).unwrap();
    group
}

/// Starts a process in the group that computes in steps.
fn worker(machine: &Machine, group: CgroupId, steps: u32, cost: Cost) -> ExitWatch {
    let pid = machine.spawn(Spawn { cgroup: group, ..plain(StdStream::Null) }).unwrap();
    let watch = machine.watch_exit(pid).unwrap();
    machine.start(pid, move |os| {
        Box::pin(async move {
            for _ in 0..steps {
                os.charge(cost).await;
            }
            os.sleep(Duration::from_secs(1)).await.map_or(1, |()| 0)
        })
    });
    watch
}

fn end(machine: &Machine, watch: ExitWatch) -> (i32, bool) {
    let info = machine.run_until(FUEL, async move { watch.wait().await }).unwrap();
    (info.status.code(), info.oom_killed)
}

#[test]
fn the_biggest_is_killed_for_memory() {
    let machine = machine();
    let group = in_group(&machine, CgroupLimit::Memory(64 << 20));
    let small = worker(&machine, group, 1, Cost { cpu: 0, memory: 8 << 20 });
    let big = worker(&machine, group, 100, Cost { cpu: 1, memory: 1 << 20 });
    assert_eq!((end(&machine, big), end(&machine, small)), ((137, true), (0, false)));
    let usage = machine.cgroup_usage(group);
    assert_eq!((usage.oom_kills, usage.pids, usage.memory), (1, 0, 0));
    assert!(usage.memory_peak > 60 << 20);
}

#[test]
fn no_more_processes_than_allowed() {
    let machine = machine();
    let group = in_group(&machine, CgroupLimit::Pids(Some(2)));
    let first = machine.spawn(Spawn { cgroup: group, ..plain(StdStream::Null) }).unwrap();
    let os = machine.os(first);
    assert!(os.fork(|_| Box::pin(async { 0 })).is_ok());
    assert_eq!(os.fork(|_| Box::pin(async { 0 })), Err(Errno::EAGAIN));
    assert_eq!(machine.spawn(Spawn { cgroup: group, ..plain(StdStream::Null) }), Err(Errno::EAGAIN));
}

#[test]
fn a_quota_slows_down() {
    for (quota, seconds) in [(None, 1), (Some(50_000), 2), (Some(10_000), 10)] {
        let machine = machine();
        let group = match quota {
            Some(quota) => in_group(&machine, CgroupLimit::CpuQuota { quota, period: 100_000 }),
            None => machine.make_cgroup(Machine::ROOT_CGROUP, "free"),
        };
        let before = machine.now();
        let watch = worker(&machine, group, 1000, Cost { cpu: 1000, memory: 0 });
        end(&machine, watch);
        // The worker sleeps for a second at its end.
        let took = (machine.now() - before).as_secs_f32() - 1.0;
        assert!((took - seconds as f32).abs() < 0.2, "{quota:?} {took}");
        assert_eq!(machine.cgroup_usage(group).cpu, Duration::from_secs(1));
    }
}

#[test]
fn frozen_means_frozen() {
    let machine = machine();
    let group = machine.make_cgroup(Machine::ROOT_CGROUP, "cold");
    let watch = worker(&machine, group, 1, Cost::default());
    machine.run(100);
    machine.freeze_cgroup(group, true);
    machine.advance_to(machine.now() + Duration::from_secs(100));
    machine.run(100);
    assert_eq!(watch.now(), None);
    machine.freeze_cgroup(group, false);
    assert_eq!(end(&machine, watch), (0, false));
}

#[test]
fn devices_need_a_rule() {
    let machine = machine();
    let rule = |allow, minor| DeviceRule { allow, kind: 'c', major: Some(1), minor, access: "rwm".into() };
    let deny = DeviceRule { allow: false, kind: 'a', major: None, minor: None, access: "rwm".into() };
    let group = in_group(&machine, CgroupLimit::Devices(vec![deny, rule(true, Some(3))]));
    let pid = machine.spawn(Spawn { cgroup: group, ..plain(StdStream::Null) }).unwrap();
    let os = machine.os(pid);
    assert_eq!(os.mknod("/n", FileKind::CharDevice, 0o666, (1, 3)), Ok(()));
    assert_eq!(os.mknod("/z", FileKind::CharDevice, 0o666, (1, 5)), Err(Errno::EPERM));
    let opened = machine.run_until(FUEL, async move {
        (os.open("/dev/null", OpenFlags::READ, 0).await.is_ok(), os.open("/dev/zero", OpenFlags::READ, 0).await)
    });
    assert_eq!(opened, Some((true, Err(Errno::EPERM))));
}

#[test]
fn the_groups_are_files_too() {
    let machine = machine();
    let group = in_group(&machine, CgroupLimit::Memory(32 << 20));
    let spawn = |out| Spawn { cgroup: group, ..plain(out) };
    let text = "cat /proc/self/cgroup; cat /sys/fs/cgroup/test/memory.max; echo 5 > /sys/fs/cgroup/test/pids.max; cat /sys/fs/cgroup/test/pids.max";
    let (out, _) = script_in(&machine, spawn, text);
    assert_eq!(out, "0::/test\n33554432\n5\n");
}
