//! What is understood but not done, and why: told instead of failing in some other way.

/// Groups of commands that the table does not hold, because they are of no use without a swarm.
pub(super) const SWARM_GROUPS: [&str; 6] = ["config", "node", "secret", "service", "stack", "swarm"];

/// Why a canonical command is not supported; `None` where it is.
pub(super) fn refusal(command: &str) -> Option<&'static str> {
    let mut words = command.split(' ');
    match (words.next()?, words.next().unwrap_or("")) {
        ("config" | "node" | "secret" | "service" | "stack" | "swarm", _) => {
            Some("swarm mode is not supported: this engine runs containers on one machine")
        }
        ("volume", "update") => Some("cluster volumes are not supported: they belong to swarm mode"),
        ("plugin", _) => Some("engine plugins are not supported: volumes and networks are built in"),
        ("checkpoint", _) => Some("checkpoints are not supported: a process can't be frozen to disk here"),
        ("trust", _) => Some("content trust is not supported: images are identified by their digests only"),
        ("manifest", _) => Some("manifest lists are not supported: push and pull use one platform"),
        ("compose", "bridge") => Some("compose bridge is not supported"),
        ("compose", "publish") => Some("publishing a compose application is not supported"),
        ("buildx", "imagetools" | "history" | "dial-stdio" | "create" | "rm" | "stop" | "bake") => {
            Some("there is one builder here, the engine's own; other builders are not supported")
        }
        _ => None,
    }
}
