//! The acts: everything that the engine can ask a world to do, one type each.
//!
//! Fields name things by the engine's own ids and types. Each act tells its own story: a sentence for a
//! person and the system calls that do it on Linux.

mod content;
mod network;
mod parent;
mod process;
mod setup;
mod snapshot;

pub use content::{CheckOutGit, CheckedOut, FetchBlob, PushBlob, PutBlob, RemoveBlob, SendRequest};
pub use network::{
    AddAddress, AddRoute, AddVethPair, AttachToBridge, CreateBridge, LinkName, MoveLink, Protocol, PublishPort,
    RemoveBridge, RemoveLink, ServeNames, ShapeTraffic, UnpublishPort, WriteNetworkFiles,
};
pub use parent::{AddSubInterface, EnsureParent, IpvlanFlag, IpvlanMode, MacvlanMode, Parent, Share};
pub use process::{
    CgroupLimit, CloneInit, CreateCgroup, DeliverSignal, DeviceRule, Exec, ExecId, ExecIn, Freeze, LogDriver,
    Namespace, NamespaceKind, NamespaceSource, ReleaseContainer, RemoveCgroup, Stdio, WriteLimit,
};
pub use setup::{CAPABILITIES, Capabilities, DeviceNode, Seccomp, Setup, SetupOp};
pub use snapshot::{
    CommitSnapshot, CommittedLayer, CreateVolume, ImportTree, MakeHostDirectory, PrepareSnapshot, RemoveLayer,
    RemoveSnapshot, RemoveVolume, SeedVolume, SnapshotKey, UnpackLayer,
};

use crate::world::{Story, Subject};

/// Builds a [`Story`] from its parts.
fn story(act: &str, what: String, on: Vec<Subject>, syscalls: Vec<String>) -> Story {
    Story { act: act.to_string(), what, on, syscalls }
}

/// The first 12 characters of an id.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
