//! The driver's side: turns, timers, determinism.

use super::*;
use crate::sim::kernel::Activity;
use std::time::Duration;

#[test]
fn time_goes_only_as_the_driver_says() {
    let machine = Machine::new(MachineConfig::default());
    let start = machine.now();
    let (one, two) = (machine.clone(), machine.clone());
    machine.spawn_task(Box::pin(async move {
        one.sleep(Duration::from_secs(5)).await;
        one.sleep(Duration::from_secs(5)).await;
    }));
    machine.spawn_task(Box::pin(async move { two.sleep(Duration::from_secs(7)).await }));
    let mut seen = Vec::new();
    while let Activity::Waiting(Some(time)) = machine.run(100) {
        assert_eq!(machine.next_timer(), Some(time));
        seen.push((time - start).as_secs());
        machine.advance_to(time);
    }
    assert_eq!(seen, [5, 7, 10]);
    machine.advance_to(start);
    assert_eq!((machine.now() - start).as_secs(), 10);
}

#[test]
fn it_is_quiet_when_nobody_can_go_on_though_somebody_sleeps() {
    let machine = Machine::new(MachineConfig::default());
    let start = machine.now();
    let (sleeper, listener) = (machine.clone(), machine.clone());
    machine.spawn_task(Box::pin(async move { sleeper.sleep(Duration::from_secs(5)).await }));
    let quiet = machine.run_until(FUEL, async move {
        listener.quiet().await;
        listener.now()
    });
    assert_eq!(quiet, Some(start));
}

#[test]
fn fuel_runs_out_of_a_runaway_loop() {
    let machine = machine();
    let pid = machine.spawn(plain(StdStream::Null)).unwrap();
    machine.exec(pid, "/bin/sh", &words(&["sh", "-c", "while :; do :; done"]), &env()).unwrap();
    assert_eq!(machine.run(500), Activity::Busy);
}

#[test]
fn the_same_seed_is_the_same_machine() {
    let text = "for i in 1 2 3; do (sleep 0.$i; echo $i; od -An -N4 -tx1 /dev/urandom) & done; wait; date +%s%N; ps; cat /proc/uptime";
    let (first, second) = (script(&machine(), text), script(&machine(), text));
    assert_eq!(first, second);
    assert!(first.0.len() > 60, "{}", first.0);
}

#[test]
fn nothing_to_wait_for_is_told() {
    let machine = Machine::new(MachineConfig::default());
    assert_eq!(machine.run_until(FUEL, std::future::pending::<()>()), None);
}
