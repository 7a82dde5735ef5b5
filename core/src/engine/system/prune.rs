//! `docker system prune`: all that nothing uses, in Docker's order.

use super::{Pruned, confirm, prune_cache, total};
use crate::cli::{Args, Invocation};
use crate::engine::{Ctx, Error, Result, container, image, network, volume};
use crate::view::filter::Filters;
use crate::world::World;
use cutaway_userland::sorted::Arrange;

pub(super) async fn prune<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let filters = Filters::parse(args.values("filter"));
    if args.flag("volumes") && filters.has("until") {
        return Err(Error::Client("ERROR: The \"until\" filter is not supported with \"--volumes\"".into()));
    }
    if !args.flag("force") && !confirm(ctx, &warning(args)).await {
        return Ok(0);
    }
    let (ids, freed) = container::prune_stopped(ctx, &filters).await?;
    let mut reclaimed = freed;
    ctx.print(Pruned { lines: ids, reclaimed: freed }.text("Deleted Containers")).await;
    let networks = network::prune(ctx, &filters).await?;
    ctx.print(networks.text("Deleted Networks")).await;
    if args.flag("volumes") {
        let volumes = volume::prune(ctx, false, &filters).await?;
        reclaimed += volumes.reclaimed;
        ctx.print(volumes.text("Deleted Volumes")).await;
    }
    let images = image::prune_images(ctx, args.flag("all"), args.values("filter")).await?;
    reclaimed += images.bytes;
    ctx.print(images.text()).await;
    // Labels mean nothing to the build cache: Docker leaves it alone then.
    if !filters.has("label") && !filters.has("label!") {
        let cache = prune_cache(ctx, args.flag("all"), &filters, 0).await?;
        reclaimed += cache.reclaimed;
        ctx.print(cache.text("Deleted build cache objects")).await;
    }
    ctx.print(total(reclaimed)).await;
    Ok(0)
}

/// The question, with what would go.
fn warning(args: &Args) -> String {
    let mut lines = vec!["all stopped containers", "all networks not used by at least one container"];
    if args.flag("volumes") {
        lines.push("all anonymous volumes not used by at least one container");
    }
    lines.extend(match args.flag("all") {
        true => ["all images without at least one container associated to them", "all build cache"],
        false => ["all dangling images", "unused build cache"],
    });
    let list = |lines: &[String]| lines.iter().map(|line| format!("  - {line}\n")).collect::<String>();
    let lines: Vec<String> = lines.into_iter().map(str::to_string).collect();
    let mut text = format!("WARNING! This will remove:\n{}", list(&lines));
    let told = ["label=", "label!=", "until="];
    let mut filters = args.values("filter").to_vec();
    filters.retain(|filter| told.iter().any(|name| filter.starts_with(name)));
    filters.arrange();
    if !filters.is_empty() {
        text += &format!("\n  Items to be pruned will be filtered with:\n{}", list(&filters));
    }
    text + "\nAre you sure you want to continue?"
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn what_would_go() {
        let ask = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_string).collect();
            warning(&crate::cli::parse(&words).expect(line).args)
        };
        assert_eq!(
            ask("system prune"),
            "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one \
             container\n  - all dangling images\n  - unused build cache\n\nAre you sure you want to continue?"
        );
        let all = ask("system prune -a --volumes --filter label=x");
        for part in ["  - all anonymous volumes", "  - all build cache\n", "filtered with:\n  - label=x\n"] {
            assert!(all.contains(part), "{part}");
        }
        assert_eq!(ask("system prune --filter type=x"), ask("system prune"));
    }
}
