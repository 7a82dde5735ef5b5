//! `docker port`.

use super::find;
use crate::cli::Args;
use crate::container::spec::parse_port;
use crate::container::status::host_text;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use cutaway_userland::sorted::Arrange;

/// `docker port`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let record = find(ctx, args.word(0)).await?;
    let mut ports = record.ports.clone();
    ports.arrange_by_key(|p| (p.container_port, p.protocol.name(), p.host));
    let Some(asked) = args.positionals.get(1) else {
        for p in &ports {
            let line = format!("{}/{} -> {}:{}\n", p.container_port, p.protocol.name(), host_text(p), p.host_port);
            ctx.print(line).await;
        }
        return Ok(0);
    };
    let number = asked.split('/').next().unwrap_or_default();
    if number.parse::<u16>().is_err() {
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let why = if digits { "value out of range" } else { "invalid syntax" };
        return Err(Error::Client(format!(
            "Error: invalid port ({number}): strconv.ParseUint: parsing {number:?}: {why}"
        )));
    }
    let wanted = parse_port(asked);
    let mut found = false;
    for p in ports.iter().filter(|p| Some((p.container_port, p.protocol)) == wanted) {
        found = true;
        ctx.print(format!("{}:{}\n", host_text(p), p.host_port)).await;
    }
    if found {
        return Ok(0);
    }
    Err(Error::Client(format!("Error: No public port '{asked}' published for {}", args.word(0))))
}
