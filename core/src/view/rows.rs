//! The kinds of row that Docker prints: their fields' headings, and the format where none is asked for.
//! Source: docker/cli, cli/command/formatter.

use super::template::{Shape, Zero};

/// One kind of row.
#[derive(Debug)]
pub struct Kind {
    /// Go's type, for errors.
    pub type_name: &'static str,
    /// What comes before an error in parsing and in executing a template.
    pub errors: (&'static str, &'static str),
    /// The table where no format is asked for.
    pub table: &'static str,
    /// What `--quiet` prints of a row.
    pub quiet: &'static str,
    /// What the format `raw` prints of a row, and with `--quiet`; empty where there is no such format.
    pub raw: &'static str,
    pub quiet_raw: &'static str,
    /// Fields and their headings.
    pub heads: &'static [(&'static str, &'static str)],
}

impl Kind {
    /// How templates see a row.
    pub(super) fn shape(&self) -> Shape {
        Shape { type_name: Some(self.type_name), optional: &[("Platform", Zero::Pointer)], ..Shape::default() }
    }
}

const USUAL: (&str, &str) = ("template parsing error", "template parsing error");

const CONTAINER_HEADS: &[(&str, &str)] = &[
    ("ID", "CONTAINER ID"),
    ("Names", "NAMES"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Ports", "PORTS"),
    ("State", "STATE"),
    ("Status", "STATUS"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
    // Compose's own.
    ("Name", "NAME"),
    ("Project", "PROJECT"),
    ("Service", "SERVICE"),
    ("Health", "HEALTH"),
    ("ExitCode", "EXIT CODE"),
    ("Publishers", "PUBLISHERS"),
];

/// `docker ps`.
pub const CONTAINERS: Kind = Kind {
    type_name: "*formatter.ContainerContext",
    errors: ("failed to parse template", "failed to execute template"),
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
    quiet: "{{.ID}}",
    raw: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{.State}}\nstatus: {{.Status}}\nnames: {{.Names}}\nlabels: {{.Labels}}\nports: {{.Ports}}\n",
    quiet_raw: "container_id: {{.ID}}",
    heads: CONTAINER_HEADS,
};

/// `docker ps --size`.
pub const CONTAINERS_WITH_SIZE: Kind = Kind {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}",
    raw: "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{.State}}\nstatus: {{.Status}}\nnames: {{.Names}}\nlabels: {{.Labels}}\nports: {{.Ports}}\nsize: {{.Size}}\n",
    ..CONTAINERS
};

/// The containers of `docker system df -v`.
pub const CONTAINER_USAGE: Kind = Kind {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
    ..CONTAINERS
};

/// `docker compose ps`.
pub const COMPOSE_CONTAINERS: Kind = Kind {
    table: "{{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}",
    ..CONTAINERS
};

const IMAGE_HEADS: &[(&str, &str)] = &[
    ("ID", "IMAGE ID"),
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("Containers", "CONTAINERS"),
    ("VirtualSize", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
];

/// `docker images`.
pub const IMAGES: Kind = Kind {
    type_name: "*formatter.imageContext",
    errors: USUAL,
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
    quiet: "{{.ID}}",
    raw: "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
    quiet_raw: "image_id: {{.ID}}",
    heads: IMAGE_HEADS,
};

/// `docker images --digests`.
pub const IMAGES_WITH_DIGEST: Kind = Kind {
    table: "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
    raw: "repository: {{.Repository}}\ntag: {{.Tag}}\ndigest: {{.Digest}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
    ..IMAGES
};

/// The images of `docker system df -v`.
pub const IMAGE_USAGE: Kind = Kind {
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
    ..IMAGES
};

const HISTORY_HEADS: &[(&str, &str)] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];

/// `docker history`.
pub const HISTORY: Kind = Kind {
    type_name: "*image.historyContext",
    errors: USUAL,
    table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    quiet: "{{.ID}}",
    raw: "",
    quiet_raw: "",
    heads: HISTORY_HEADS,
};

/// `docker history --human=false`.
pub const HISTORY_EXACT: Kind =
    Kind { table: "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", ..HISTORY };

/// `docker network ls`.
pub const NETWORKS: Kind = Kind {
    type_name: "*network.networkContext",
    errors: USUAL,
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    quiet: "{{.ID}}",
    raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
    quiet_raw: "network_id: {{.ID}}",
    heads: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
};

const VOLUME_HEADS: &[(&str, &str)] = &[
    ("Name", "VOLUME NAME"),
    ("Driver", "DRIVER"),
    ("Scope", "SCOPE"),
    ("Availability", "AVAILABILITY"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Size", "SIZE"),
    ("Group", "GROUP"),
    ("Status", "STATUS"),
];

/// `docker volume ls`.
pub const VOLUMES: Kind = Kind {
    type_name: "*formatter.volumeContext",
    errors: USUAL,
    table: "{{.Driver}}\t{{.Name}}",
    quiet: "{{.Name}}",
    raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
    quiet_raw: "name: {{.Name}}",
    heads: VOLUME_HEADS,
};

/// The volumes of `docker system df -v`.
pub const VOLUME_USAGE: Kind = Kind { table: "{{.Name}}\t{{.Links}}\t{{.Size}}", ..VOLUMES };

/// `docker stats`.
pub const STATS: Kind = Kind {
    type_name: "*container.statsContext",
    errors: USUAL,
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    quiet: "{{.ID}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("Container", "CONTAINER"),
        ("Name", "NAME"),
        ("ID", "CONTAINER ID"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
};

/// `docker search`.
pub const SEARCH: Kind = Kind {
    type_name: "*registry.searchContext",
    errors: USUAL,
    table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
    quiet: "{{.Name}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("StarCount", "STARS"),
        ("IsOfficial", "OFFICIAL"),
        ("IsAutomated", "AUTOMATED"),
    ],
};

/// `docker context ls`.
pub const CONTEXTS: Kind = Kind {
    type_name: "*formatter.clientContextContext",
    errors: USUAL,
    table: "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
    quiet: "{{.Name}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("DockerEndpoint", "DOCKER ENDPOINT"),
        ("Error", "ERROR"),
        ("Current", ""),
    ],
};

/// `docker system df`.
pub const DISK_USAGE: Kind = Kind {
    type_name: "*formatter.diskUsageImagesContext",
    errors: USUAL,
    table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    quiet: "{{.Type}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
};

/// The build cache of `docker system df -v`.
pub const CACHE_USAGE: Kind = Kind {
    type_name: "*formatter.buildCacheContext",
    errors: USUAL,
    table: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
    quiet: "{{.ID}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("ID", "CACHE ID"),
        ("Parent", "PARENT"),
        ("CacheType", "CACHE TYPE"),
        ("Description", "DESCRIPTION"),
        ("Size", "SIZE"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedSince", "CREATED"),
        ("LastUsedAt", "LAST USED AT"),
        ("LastUsedSince", "LAST USED"),
        ("UsageCount", "USAGE"),
        ("InUse", "IN USE"),
        ("Shared", "SHARED"),
    ],
};

/// `docker buildx history ls`.
pub const BUILD_HISTORY: Kind = Kind {
    type_name: "*history.lsContext",
    errors: USUAL,
    table: "{{.Ref}}\t{{.Name}}\t{{.Status}}\t{{.CreatedAt}}\t{{.Duration}}\t{{.Link}}",
    quiet: "{{.Ref}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("Ref", "BUILD ID"),
        ("Name", "NAME"),
        ("Status", "STATUS"),
        ("CreatedAt", "CREATED AT"),
        ("Duration", "DURATION"),
        ("Link", ""),
    ],
};

/// `docker builder du`.
pub const BUILDER_CACHE: Kind = Kind {
    type_name: "*commands.diskusageContext",
    errors: USUAL,
    table: "{{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsedAt}}",
    quiet: "{{.ID}}",
    raw: "",
    quiet_raw: "",
    heads: &[
        ("CreatedAt", "CREATED AT"),
        ("Description", "DESCRIPTION"),
        ("ID", "ID"),
        ("LastUsedAt", "LAST ACCESSED"),
        ("Mutable", "MUTABLE"),
        ("Parents", "PARENTS"),
        ("Reclaimable", "RECLAIMABLE"),
        ("Shared", "SHARED"),
        ("Size", "SIZE"),
        ("Type", "TYPE"),
        ("UsageCount", "USAGE COUNT"),
    ],
};
