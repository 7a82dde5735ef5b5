//! The flags of `docker-machine`, how help shows them, and those of `create`, which each driver adds to.

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Switch,
    Text,
    Number,
    /// A text; it may be given several times.
    List,
}

#[derive(Debug)]
pub struct Flag {
    /// `long, s`.
    spelled: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    about: &'static str,
    /// The variable that is its value where it is not given; empty for none.
    pub env: &'static str,
}

impl Flag {
    pub const fn from(self, env: &'static str) -> Flag {
        Flag { env, ..self }
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.spelled.split(", ")
    }

    /// The first, which it is known by.
    pub fn name(&self) -> &'static str {
        self.names().next().unwrap_or_default()
    }
}

const fn flag(spelled: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Flag {
    Flag { spelled, kind, default, about, env: "" }
}

pub const fn switch(spelled: &'static str, about: &'static str) -> Flag {
    flag(spelled, Kind::Switch, "false", about)
}

pub const fn text(spelled: &'static str, default: &'static str, about: &'static str) -> Flag {
    flag(spelled, Kind::Text, default, about)
}

pub const fn number(spelled: &'static str, default: &'static str, about: &'static str) -> Flag {
    flag(spelled, Kind::Number, default, about)
}

pub const fn list(spelled: &'static str, about: &'static str) -> Flag {
    flag(spelled, Kind::List, "", about)
}

/// A flag's line of help.
pub fn shown(flag: &Flag, default: &str) -> String {
    let dashed = |name: &str| format!("{}{name}", if name.len() == 1 { "-" } else { "--" });
    let names: Vec<String> = flag.names().map(dashed).collect();
    let value = match (flag.kind, default) {
        (Kind::Switch, _) => String::new(),
        (Kind::List, _) => format!(" [{0} option {0} option]", names[0]),
        (_, "") => " ".into(),
        (_, default) => format!(" \"{default}\""),
    };
    let env = if flag.env.is_empty() { String::new() } else { format!(" [${}]", flag.env) };
    format!("{}{value}\t{}{env}", names.join(", "), flag.about)
}

/// What stands before a line's tab is filled up with tabs of 8, as wide as the lines around it need.
pub fn tabbed(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out = Vec::new();
    for run in lines.chunk_by(|a, b| a.contains('\t') == b.contains('\t')) {
        let cells = || run.iter().map(|line| line.split_once('\t').unwrap_or((line, "")));
        let width = cells().map(|(cell, _)| cell.len() / 8 + 1).max().unwrap_or_default();
        out.extend(cells().zip(run).map(|((cell, rest), line)| match line.contains('\t') {
            true => format!("{cell}{}{rest}", "\t".repeat(width - cell.len() / 8)),
            false => line.to_string(),
        }));
    }
    out.join("\n")
}

pub const CREATE: [Flag; 19] = [
    text("driver, d", "virtualbox", "Driver to create machine with.").from("MACHINE_DRIVER"),
    text("engine-install-url", "https://get.docker.com", "Custom URL to use for engine installation")
        .from("MACHINE_DOCKER_INSTALL_URL"),
    list("engine-opt", "Specify arbitrary flags to include with the created engine in the form flag=value"),
    list("engine-insecure-registry", "Specify insecure registries to allow with the created engine"),
    list("engine-registry-mirror", "Specify registry mirrors to use").from("ENGINE_REGISTRY_MIRROR"),
    list("engine-label", "Specify labels for the created engine"),
    text("engine-storage-driver", "", "Specify a storage driver to use with the engine"),
    list("engine-env", "Specify environment variables to set in the engine"),
    switch("swarm", "Configure Machine to join a Swarm cluster"),
    text("swarm-image", "swarm:latest", "Specify Docker image to use for Swarm").from("MACHINE_SWARM_IMAGE"),
    switch("swarm-master", "Configure Machine to be a Swarm master"),
    text("swarm-discovery", "", "Discovery service to use with Swarm"),
    text("swarm-strategy", "spread", "Define a default scheduling strategy for Swarm"),
    list("swarm-opt", "Define arbitrary flags for Swarm master"),
    list("swarm-join-opt", "Define arbitrary flags for Swarm join"),
    text("swarm-host", "tcp://0.0.0.0:3376", "ip/socket to listen on for Swarm master"),
    text("swarm-addr", "", "addr to advertise for Swarm (default: detect and use the machine IP)"),
    switch("swarm-experimental", "Enable Swarm experimental features"),
    list("tls-san", "Support extra SANs for TLS certs"),
];

const VIRTUALBOX: [Flag; 16] = [
    number("virtualbox-memory", "1024", "Size of memory for host in MB").from("VIRTUALBOX_MEMORY_SIZE"),
    number("virtualbox-cpu-count", "1", "number of CPUs for the machine (-1 to use the number of CPUs available)")
        .from("VIRTUALBOX_CPU_COUNT"),
    number("virtualbox-disk-size", "20000", "Size of disk for host in MB").from("VIRTUALBOX_DISK_SIZE"),
    text(
        "virtualbox-boot2docker-url",
        "",
        "The URL of the boot2docker image. Defaults to the latest available version",
    )
    .from("VIRTUALBOX_BOOT2DOCKER_URL"),
    text("virtualbox-import-boot2docker-vm", "", "The name of a Boot2Docker VM to import")
        .from("VIRTUALBOX_BOOT2DOCKER_IMPORT_VM"),
    switch("virtualbox-host-dns-resolver", "Use the host DNS resolver").from("VIRTUALBOX_HOST_DNS_RESOLVER"),
    text("virtualbox-nat-nictype", "82540EM", "Specify the Network Adapter Type").from("VIRTUALBOX_NAT_NICTYPE"),
    text("virtualbox-hostonly-cidr", "192.168.99.1/24", "Specify the Host Only CIDR").from("VIRTUALBOX_HOSTONLY_CIDR"),
    text("virtualbox-hostonly-nictype", "82540EM", "Specify the Host Only Network Adapter Type")
        .from("VIRTUALBOX_HOSTONLY_NIC_TYPE"),
    text("virtualbox-hostonly-nicpromisc", "deny", "Specify the Host Only Network Adapter Promiscuous Mode")
        .from("VIRTUALBOX_HOSTONLY_NIC_PROMISC"),
    text("virtualbox-ui-type", "headless", "Specify the UI Type: (gui|sdl|headless|separate)")
        .from("VIRTUALBOX_UI_TYPE"),
    switch("virtualbox-hostonly-no-dhcp", "Disable the Host Only DHCP Server").from("VIRTUALBOX_HOSTONLY_NO_DHCP"),
    switch("virtualbox-no-share", "Disable the mount of your home directory").from("VIRTUALBOX_NO_SHARE"),
    switch("virtualbox-no-dns-proxy", "Disable proxying all DNS requests to the host").from("VIRTUALBOX_NO_DNS_PROXY"),
    switch(
        "virtualbox-no-vtx-check",
        "Disable checking for the availability of hardware virtualization before the vm is started",
    )
    .from("VIRTUALBOX_NO_VTX_CHECK"),
    text(
        "virtualbox-share-folder",
        "",
        "Mount the specified directory instead of the default home location. Format: dir:name",
    )
    .from("VIRTUALBOX_SHARE_FOLDER"),
];

const GENERIC: [Flag; 5] = [
    number("generic-engine-port", "2376", "Docker engine port").from("GENERIC_ENGINE_PORT"),
    text("generic-ip-address", "", "IP Address of machine").from("GENERIC_IP_ADDRESS"),
    text("generic-ssh-user", "root", "SSH user").from("GENERIC_SSH_USER"),
    text("generic-ssh-key", "", "SSH private key path (if not provided, default SSH key will be used)")
        .from("GENERIC_SSH_KEY"),
    number("generic-ssh-port", "22", "SSH port").from("GENERIC_SSH_PORT"),
];

const NONE: [Flag; 1] = [text("url", "", "URL of host when no driver is selected")];

/// What a driver adds to `create`.
pub fn driver_flags(driver: &str) -> &'static [Flag] {
    match driver {
        "virtualbox" => &VIRTUALBOX,
        "generic" => &GENERIC,
        "none" => &NONE,
        _ => &[],
    }
}
