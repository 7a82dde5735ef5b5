//! `docker network connect` and `disconnect`: what they read from the line; the work is the container's.

use super::find::find;
use crate::cli::Invocation;
use crate::container::spec::NetworkRequest;
use crate::engine::{Ctx, Error, Result, container};
use crate::network::NetworkRecord;
use crate::world::World;

pub(super) async fn connect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let mut request = NetworkRequest {
        name: args.word(0).to_string(),
        aliases: args.values("alias").to_vec(),
        ip: args.value("ip").unwrap_or("").to_string(),
        ip6: args.value("ip6").unwrap_or("").to_string(),
        links: args.values("link").to_vec(),
        link_local_ips: args.values("link-local-ip").to_vec(),
        gw_priority: args.number("gw-priority").unwrap_or(0),
        ..NetworkRequest::default()
    };
    for option in args.values("driver-opt") {
        let Some((key, value)) = option.split_once('=') else {
            return Err(Error::Client("invalid key/value pair format in driver options".into()));
        };
        request.driver_opts.insert(key.to_string(), value.to_string());
    }
    let network = find(ctx, args.word(0))?;
    let record = container::find(ctx, args.word(1)).await?;
    container::connect(ctx, &record, &network, &request).await?;
    Ok(0)
}

pub(super) async fn disconnect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let network: NetworkRecord = find(ctx, args.word(0))?;
    let record = match container::find(ctx, args.word(1)).await {
        Ok(record) => record,
        // With --force a container that is gone is as good as disconnected.
        Err(_) if args.flag("force") => return Ok(0),
        Err(error) => return Err(error),
    };
    container::disconnect(ctx, &record, &network).await?;
    Ok(0)
}
