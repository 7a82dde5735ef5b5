//! Networks: their records and the choice of addresses.

mod allocate;
mod record;
pub mod subnet;

pub use allocate::{Refusal, free_subnet};
pub use record::{NetworkDriver, NetworkRecord};
pub use subnet::Subnet;
