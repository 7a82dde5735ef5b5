//! The scheduler: a first-in-first-out queue of futures, and timers on a virtual clock.
//!
//! Nothing here knows what a process is: tasks may carry whose they are, and whoever drives the queue decides
//! whether that process may run. Futures are only ever dropped here, with nothing borrowed, because
//! dropping one may close descriptors and wake others.

use crate::world::LocalFut;
use cutaway_userland::os::Pid;
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub(crate) type TaskId = u64;

/// The process that a task runs: the number of its machine, and its id there.
pub(crate) type Owner = (u32, Pid);

/// The tasks that were woken, in order. Behind a mutex only because a `Waker` must be `Send`.
#[derive(Default)]
struct Ready(Mutex<VecDeque<TaskId>>);

impl Ready {
    fn push(&self, id: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(id);
    }

    fn pop(&self) -> Option<TaskId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Wakes one task; a task that is queued already is not queued again.
struct TaskWaker {
    id: TaskId,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.id);
        }
    }
}

struct Task {
    /// Taken out while it is polled.
    future: Option<LocalFut<()>>,
    flag: Arc<TaskWaker>,
    owner: Option<Owner>,
    /// Woken while its process was stopped or frozen.
    parked: bool,
}

#[derive(Default)]
struct Timers {
    due: BTreeMap<(Duration, u64), Waker>,
    next: u64,
}

/// The queue, the timers and the clock.
pub(crate) struct Executor {
    ready: Arc<Ready>,
    tasks: RefCell<BTreeMap<TaskId, Task>>,
    next: Cell<TaskId>,
    timers: Rc<RefCell<Timers>>,
    clock: Rc<Cell<Duration>>,
    /// Those who wait until no task is ready.
    quiet: Rc<Waiters>,
    /// How often no task was ready.
    silences: Rc<Cell<u64>>,
}

/// What one turn did.
pub(crate) enum Turn {
    Ran,
    /// A task was ready whose process may not run now.
    Parked,
    Idle,
}

impl Executor {
    pub fn new(epoch: Duration) -> Executor {
        Executor {
            ready: Arc::default(),
            tasks: RefCell::default(),
            next: Cell::new(1),
            timers: Rc::default(),
            clock: Rc::new(Cell::new(epoch)),
            quiet: Rc::default(),
            silences: Rc::default(),
        }
    }

    pub fn clock(&self) -> Rc<Cell<Duration>> {
        self.clock.clone()
    }

    /// Adds a task at the end of the queue.
    pub fn spawn(&self, owner: Option<Owner>, future: LocalFut<()>) -> TaskId {
        let id = self.next.get();
        self.next.set(id + 1);
        let flag = Arc::new(TaskWaker { id, queued: AtomicBool::new(true), ready: self.ready.clone() });
        self.tasks.borrow_mut().insert(id, Task { future: Some(future), flag, owner, parked: false });
        self.ready.push(id);
        id
    }

    /// Drops tasks; one that is being polled is dropped when its poll returns.
    pub fn bury(&self, ids: Vec<TaskId>) {
        for id in ids {
            let task = self.tasks.borrow_mut().remove(&id);
            drop(task);
        }
    }

    /// Queues again what was woken while it could not run.
    pub fn unpark(&self, id: TaskId) {
        let flag = match self.tasks.borrow_mut().get_mut(&id) {
            Some(task) if task.parked => {
                task.parked = false;
                task.flag.clone()
            }
            _ => return,
        };
        flag.wake();
    }

    /// Polls the next ready task, if `may_run` allows its process.
    pub fn turn(&self, may_run: impl FnOnce(Owner) -> bool) -> Turn {
        self.fire();
        let (id, mut future, flag, owner) = loop {
            let Some(id) = self.ready.pop() else {
                self.silences.set(self.silences.get() + 1);
                if self.quiet.wake() {
                    continue;
                }
                return Turn::Idle;
            };
            let mut tasks = self.tasks.borrow_mut();
            let Some(task) = tasks.get_mut(&id) else { continue };
            task.flag.queued.store(false, Ordering::Relaxed);
            let Some(future) = task.future.take() else { continue };
            break (id, future, task.flag.clone(), task.owner);
        };
        if owner.is_some_and(|owner| !may_run(owner)) {
            if let Some(task) = self.tasks.borrow_mut().get_mut(&id) {
                task.future = Some(future);
                task.parked = true;
            }
            return Turn::Parked;
        }
        let waker = Waker::from(flag);
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if done {
            let task = self.tasks.borrow_mut().remove(&id);
            drop((task, future));
            return Turn::Ran;
        }
        let gone = match self.tasks.borrow_mut().get_mut(&id) {
            Some(task) => {
                task.future = Some(future);
                None
            }
            None => Some(future),
        };
        drop(gone);
        Turn::Ran
    }

    /// Ends when all tasks wait for something: what has just been started has come as far as it can.
    pub fn quiet(&self) -> impl Future<Output = ()> + use<> {
        let (quiet, silences) = (self.quiet.clone(), self.silences.clone());
        let before = silences.get();
        std::future::poll_fn(move |cx| {
            if silences.get() > before {
                return Poll::Ready(());
            }
            quiet.add(cx.waker());
            Poll::Pending
        })
    }

    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.borrow().due.keys().next().map(|(time, _)| *time)
    }

    pub fn advance_to(&self, time: Duration) {
        if time > self.clock.get() {
            self.clock.set(time);
        }
        self.fire();
    }

    fn fire(&self) {
        loop {
            let mut timers = self.timers.borrow_mut();
            if timers.due.first_key_value().is_none_or(|(due, _)| due.0 > self.clock.get()) {
                return;
            }
            let first = timers.due.pop_first();
            drop(timers);
            if let Some((_, waker)) = first {
                waker.wake();
            }
        }
    }

    pub fn sleep_until(&self, time: Duration) -> Sleep {
        Sleep { time, key: None, timers: self.timers.clone(), clock: self.clock.clone() }
    }
}

/// Ends when the clock reaches a time.
pub(crate) struct Sleep {
    time: Duration,
    key: Option<(Duration, u64)>,
    timers: Rc<RefCell<Timers>>,
    clock: Rc<Cell<Duration>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.clock.get() >= self.time {
            return Poll::Ready(());
        }
        let timers = self.timers.clone();
        let mut timers = timers.borrow_mut();
        let key = self.key.unwrap_or_else(|| {
            timers.next += 1;
            (self.time, timers.next)
        });
        self.key = Some(key);
        timers.due.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timers.borrow_mut().due.remove(&key);
        }
    }
}

/// Those who wait for something. Waking empties the list; who finds it not yet true registers again.
#[derive(Default)]
pub(crate) struct Waiters(RefCell<Vec<Waker>>);

impl Waiters {
    pub fn add(&self, waker: &Waker) {
        let mut list = self.0.borrow_mut();
        if !list.iter().any(|w| w.will_wake(waker)) {
            list.push(waker.clone());
        }
    }

    /// Whether there was one.
    pub fn wake(&self) -> bool {
        let list = self.0.take();
        let any = !list.is_empty();
        list.into_iter().for_each(Waker::wake);
        any
    }
}
