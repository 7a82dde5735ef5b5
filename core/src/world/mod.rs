//! The seam between the engine and the machine under it.
//!
//! The engine decides, a world does. What a world does is divided into *acts*: one act is one thing that
//! a person could watch (fetch a blob, mount an overlay, write a limit, start a process). Each act is a
//! plain value, a type in [`acts`], and a world is what [`Performs`] all of them and answers the
//! questions of `queries`. Because acts are values, what is laid around a world (recording, pausing,
//! injected failures) is written once for all of them, in [`watch`].
//!
//! `SimWorld` and `LinuxWorld` implement this; nothing above it asks which of the two it has.

pub mod acts;
mod client;
mod fault;
mod queries;
mod records;
mod step;
pub mod watch;

pub use client::{Client, FileFacts, Ran, Stream};
pub use fault::Fault;
pub use queries::{Change, ChangeKind, Chunk, Console, Exit, HostFacts, KeyAgent, LogLine, ProcessRow, Queries, Usage};
pub use records::{Kind, Record, Records, Transaction};
pub use step::{Outcome, Step, Story, Subject};
pub use watch::{Watched, Watcher};

use std::future::Future;
use std::pin::Pin;

/// A future that stays on the thread it was made on.
pub type LocalFut<T> = Pin<Box<dyn Future<Output = T>>>;

/// One observable thing that a world can be asked to do.
pub trait Act: Clone + std::fmt::Debug + 'static {
    /// What the world hands back.
    type Output: 'static;
    /// What this act is, for a person: told the same way in both worlds.
    fn story(&self) -> Story;
}

/// A world's ability to do one kind of act.
pub trait Performs<A: Act> {
    async fn perform(&self, act: A) -> Result<A::Output, Fault>;
}

macro_rules! world_of {
    ($($act:ident)*) => {
        /// A machine that the engine can run on. Clones are handles on the same machine.
        pub trait World: Clone + Queries + Records + 'static $(+ Performs<acts::$act>)* {}
        impl<W> World for W where W: Clone + Queries + Records + 'static $(+ Performs<acts::$act>)* {}
    };
}

world_of! {
    PutBlob RemoveBlob SendRequest FetchBlob PushBlob CheckOutGit
    UnpackLayer PrepareSnapshot CommitSnapshot RemoveSnapshot RemoveLayer ImportTree
    CreateVolume SeedVolume RemoveVolume MakeHostDirectory
    CreateCgroup WriteLimit Freeze RemoveCgroup
    CloneInit Setup Exec ExecIn DeliverSignal ReleaseContainer
    CreateBridge RemoveBridge AddVethPair AttachToBridge MoveLink AddAddress AddRoute RemoveLink ShapeTraffic
    EnsureParent AddSubInterface PublishPort UnpublishPort ServeNames WriteNetworkFiles
}
