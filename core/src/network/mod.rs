//! Networks: their records, the choice of addresses, rates, and what name servers say.

mod allocate;
pub mod dns;
mod rate;
mod record;
pub mod subnet;

pub use allocate::{Refusal, free_subnet, local_subnet};
pub use rate::Rate;
pub use record::{NetworkDriver, NetworkRecord, Pool, Versions, ipvlan, macvlan};
pub use subnet::Subnet;
