//! Networks: their records and the choice of addresses.

mod record;
pub mod subnet;

pub use record::{NetworkDriver, NetworkRecord};
pub use subnet::Subnet;
