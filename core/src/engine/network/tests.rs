//! Networks from beginning to end, on the simulated machine.

use crate::sim::session::{Config, Session};

/// What a script of the simulated host prints, both streams together. Its servers have a page and a megabyte.
fn shell(script: &str) -> String {
    const SERVER: &str = "serve() { docker run -d -q \"$@\" busybox sh -c 'mkdir /w; cd /w; echo page > index.html; \
                          dd if=/dev/zero of=big bs=1000 count=1000 2>/dev/null; httpd -f' > /dev/null; sleep 1; }";
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    let whole = format!("{{ docker pull -q busybox > /dev/null; {SERVER}\n{script}\n}} 2>&1");
    session.script(&whole, |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

/// The seconds that `time` told, one for each time.
fn seconds(text: &str) -> Vec<f64> {
    let times = text.lines().filter_map(|l| l.strip_prefix("real\t")?.split_once("m ")?.1.strip_suffix('s'));
    times.map(|s| s.parse().expect("seconds")).collect()
}

#[test]
fn a_rate_holds_back_in_both_directions() {
    let script = "docker network create net > /dev/null; serve --name web --network net\n\
        get() { docker run --rm --network net $2 busybox sh -c \"time wget -qO /dev/null http://$1/big\"; }\n\
        get web; get web '--network-rate 1mbit'\n\
        serve --name slow --network net --network-rate 125kb; get slow\n\
        docker update --network-rate 8mbit slow; get slow; docker inspect -f '{{.HostConfig.NetworkRate}}' slow\n\
        docker update --network-rate 0 slow; get slow; docker inspect slow | grep -c NetworkRate";
    let text = shell(script);
    // A megabyte and its headers at a megabit a second.
    let (least, most) = (8.2, 8.5);
    let [free, received, sent, faster, freed] = seconds(&text)[..] else { panic!("{text}") };
    assert!(free < 0.1 && freed < 0.1, "{text}");
    assert!((least..most).contains(&received) && (least..most).contains(&sent), "{text}");
    assert!((0.9..1.2).contains(&faster), "{text}");
    assert!(text.contains("\n8000000\n") && text.ends_with("\n0\n"), "{text}");
}

#[test]
fn a_rate_is_a_step_of_its_own() {
    for (rate, told) in [("10mbit", "Let 10mbit a second through eth0"), ("64kb", "Let 512kbit a second through eth0")]
    {
        let session = Session::new(Config::default());
        session.script(&format!("docker run -q --rm --network-rate {rate} busybox true"), |_| {});
        let steps = session.steps(0);
        let step = &steps.iter().find(|m| m.step.story.act == "shape-traffic").expect("a step").step;
        assert!(step.story.what.starts_with(told), "{}", step.story.what);
        assert!(step.story.syscalls.iter().any(|c| c.contains("RTM_NEWQDISC") && c.ends_with("dev eth0)")));
    }
}

#[test]
fn pings_wait_for_a_slow_wire_too() {
    let text =
        shell("docker run --rm --network-rate 8kbit busybox ping -c 2 -s 1400 -i 0.01 172.17.0.1 | grep -c ' time='");
    assert_eq!(text, "2\n");
    let text = shell("docker run --rm --network-rate 8kbit busybox ping -c 6 -s 1400 -i 0.01 172.17.0.1 | tail -1");
    let most: f64 =
        text.trim().trim_end_matches(" ms").rsplit('/').next().and_then(|n| n.parse().ok()).expect("a time");
    assert!(most > 1_000.0, "{text}");
}

#[test]
fn both_versions_of_addresses() {
    let script = "docker network create --ipv6 --subnet fd00:7::/64 --subnet 10.7.0.0/24 six > /dev/null\n\
        serve --name web --network six --ip6 fd00:7::50 --network-alias site\n\
        docker network inspect -f '{{json .IPAM.Config}} {{.EnableIPv6}}' six\n\
        F='{{.IPAddress}} {{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}} {{json .IPAMConfig}}'\n\
        docker inspect -f \"{{with .NetworkSettings.Networks.six}}$F{{end}}\" web\n\
        docker exec web grep -c fd00:7::50 /etc/hosts\n\
        in() { docker run --rm --network six busybox sh -c \"$1\"; }\n\
        in 'ping6 -c1 web | sed -n 1p; wget -qO- http://[fd00:7::50]/; wget -qO- http://site/; ip -6 route | head -1'\n\
        in 'nslookup -type=aaaa site | grep ^Address:; nslookup fd00:7::50 | grep name; echo over | nc -w 1 fd00:7::50 81'\n\
        docker run --rm --network six --ip6 fd00:8::1 busybox true | head -3";
    assert_eq!(
        shell(script),
        "[{\"Subnet\":\"10.7.0.0/24\"},{\"Subnet\":\"fd00:7::/64\"}] true\n\
         10.7.0.2 fd00:7::50/64 fd00:7::1 {\"IPv6Address\":\"fd00:7::50\"}\n1\n\
         PING web (fd00:7::50): 56 data bytes\npage\npage\ndefault via fd00:7::1 dev eth0 \n\
         Address:\t127.0.0.11:53\nAddress: 10.7.0.2\nAddress: fd00:7::50\n\
         0.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.0.0.0.0.d.f.ip6.arpa\tname = web.six\n\
         nc: can't connect to remote host (fd00:7::50): Connection refused\n\
         docker: Error response from daemon: invalid config for network six: \
         invalid endpoint settings:\nno configured subnet or ip-range contain the IP address fd00:8::1\n\n\
         Run 'docker run --help' for more information\n"
    );
}

#[test]
fn subnets_are_chosen_and_refused() {
    let script = "docker network create --ipv6 auto > /dev/null; docker network create --ipv4=false --ipv6 six > /dev/null\n\
        docker network inspect -f '{{.EnableIPv4}} {{.EnableIPv6}} {{len .IPAM.Config}}' auto six\n\
        docker network create --subnet 172.18.3.0/24 x\n\
        docker network create --subnet 10.0.0.0/24 --subnet 10.1.0.0/24 x\n\
        docker network create --subnet 10.0.0.7/24 x\n\
        docker network create -o com.docker.network.driver.mtu=big x\n\
        docker network create --ipv4=false x\n\
        docker network create -d nosuch x\n\
        docker network ls -q --filter name=^x$";
    assert_eq!(
        shell(script),
        "true true 2\nfalse true 1\n\
         Error response from daemon: invalid pool request: Pool overlaps with other one on this address space\n\
         Error response from daemon: bridge driver doesn't support multiple subnets\n\
         Error response from daemon: invalid network config:\ninvalid subnet 10.0.0.7/24: it should be 10.0.0.0/24\n\
         Error response from daemon: failed to parse com.docker.network.driver.mtu value: big (strconv.Atoi: parsing \"big\": invalid syntax)\n\
         Error response from daemon: IPv4 or IPv6 must be enabled\n\
         Error response from daemon: could not find plugin nosuch in v1 plugin registry: plugin \"nosuch\" not found\n"
    );
}

#[test]
fn a_running_container_changes_networks() {
    let script = "docker network create one > /dev/null; docker network create --internal two > /dev/null\n\
        docker run -d -q --name c1 busybox sleep 1000 > /dev/null; ways() { docker exec c1 ip route | grep default; }\n\
        ways; docker network connect --ip 172.18.0.77 --alias al one c1; ways; docker network connect two c1\n\
        docker exec c1 sh -c 'ip -o -4 addr | wc -l; grep -c 172.18.0.77 /etc/hosts'\n\
        docker run --rm --network one busybox ping -c 1 al | head -1\n\
        docker network disconnect bridge c1; ways; docker network disconnect one c1; ways || echo none\n\
        docker network connect bridge c1; ways; docker network connect two c1; docker network disconnect one c1 2>&1 | sed -E 's/[0-9a-f]{64}/ID/'\n\
        docker network connect --ip 172.18.0.1 one c1; docker network connect --ip 1.2.3.4 one c1";
    assert_eq!(
        shell(script).replace(" dev ", " "),
        "default via 172.17.0.1 eth0 \ndefault via 172.17.0.1 eth0 \n4\n1\nPING al (172.18.0.77): 56 data bytes\n\
         default via 172.18.0.1 eth1 \nnone\ndefault via 172.17.0.1 eth0 \n\
         Error response from daemon: endpoint with name c1 already exists in network two\n\
         Error response from daemon: container ID is not connected to network one\n\
         Error response from daemon: Address already in use\n\
         Error response from daemon: invalid endpoint settings:\n\
         no configured subnet or ip-range contain the IP address 1.2.3.4\n"
    );
}

#[test]
fn links_of_the_default_network() {
    let script = "serve --name db -e PW=x --expose 80 --hostname dbhost\n\
        docker run --rm --name app --link db:the-db busybox sh -c 'grep the-db /etc/hosts; wget -qO- http://the-db/; env | grep ^THE_DB | sort'\n\
        docker run --rm --link db busybox grep -c 'db dbhost$' /etc/hosts\n\
        docker create --link nosuch busybox; docker stop -t 0 db > /dev/null; docker run --name app --link db:x busybox 2>&1 | head -1";
    assert_eq!(
        shell(script),
        "172.17.0.2\tthe-db dbhost db\npage\nTHE_DB_ENV_PW=x\nTHE_DB_NAME=/app/the-db\n\
         THE_DB_PORT=tcp://172.17.0.2:80\nTHE_DB_PORT_80_TCP=tcp://172.17.0.2:80\nTHE_DB_PORT_80_TCP_ADDR=172.17.0.2\n\
         THE_DB_PORT_80_TCP_PORT=80\nTHE_DB_PORT_80_TCP_PROTO=tcp\n1\n\
         Error response from daemon: could not get container for nosuch: No such container: nosuch\n\
         docker: Error response from daemon: Cannot link to a non running container: /db AS /app/x\n"
    );
}

#[test]
fn ports_that_are_taken() {
    let script = "docker run -d -q --name p1 -p 7000-7001:70-71 busybox sleep 1000 > /dev/null\n\
        docker run -q -p 7001:80 busybox true 2>&1 | grep -o '0.0.0.0:7.* failed: port is already allocated'\n\
        docker run -q -p 7100:80 -p 7100:81 busybox true 2>&1 | grep -o '0.0.0.0:7.* failed: port is already allocated'\n\
        docker run -d -q --name p2 -p 7000-7010:80 busybox sleep 1000 > /dev/null; docker port p2 80\n\
        docker run -q -p 7000-7001:80 busybox true 2>&1 | grep -o ': all ports are allocated'\n\
        docker run -q -p 1.2.3.4:80:80 busybox true 2>&1 | grep -o 'failed to bind.*'; nc -l -p 7300 & sleep 0.1\n\
        docker run -q -p 7300:80 busybox true 2>&1 | grep -o 'failed to bind.*'\n\
        docker rm -f p1 > /dev/null; docker run -q --rm -p 7000:1 busybox echo free; kill %1";
    assert_eq!(
        shell(script),
        "0.0.0.0:7001 failed: port is already allocated\n0.0.0.0:7100 failed: port is already allocated\n\
         0.0.0.0:7002\n[::]:7002\n: all ports are allocated\n\
         failed to bind host port for 1.2.3.4:80:172.17.0.4:80/tcp: cannot assign requested address\n\
         failed to bind host port for 0.0.0.0:7300:172.17.0.4:80/tcp: address already in use\nfree\n"
    );
}

#[test]
fn names_come_over_connections_too() {
    let script = "docker network create net > /dev/null\n\
        for i in 1 2 3; do docker run -d -q --name c$i --network net --network-alias all busybox sleep 1000 > /dev/null; done\n\
        docker run --rm --network net busybox sh -c 'nslookup all | grep -c ^Address:\n\
        printf \"\\\\000\\\\024\\\\000\\\\007\\\\001\\\\000\\\\000\\\\001\\\\000\\\\000\\\\000\\\\000\\\\000\\\\000\\\\002c2\\\\000\\\\000\\\\001\\\\000\\\\001\" > /q\n\
        (cat /q; sleep 1) | nc 127.0.0.11 53 | tail -c 4 | od -A n -t u1'";
    assert_eq!(shell(script), "4\n 172  18   0   3\n");
}

#[test]
fn options_of_a_bridge() {
    let script = "O=com.docker.network.bridge; docker network create -o $O.enable_icc=false apart > /dev/null\n\
        serve --name a1 --network apart -p 8001:80\n\
        docker run --rm --network apart busybox ping -c 1 -W 1 a1 > /dev/null || echo apart\n\
        wget -qO- http://127.0.0.1:8001/\n\
        docker network create -o $O.host_binding_ipv4=127.0.0.1 -o $O.name=br-own -o com.docker.network.driver.mtu=1400 own > /dev/null\n\
        serve --name b1 --network own -p 8002:80; docker port b1; docker exec b1 cat /sys/class/net/eth0/mtu\n\
        ip -o addr show br-own | grep -c inet\n\
        docker network create --internal closed > /dev/null; serve --name c1 --network closed -p 8003:80\n\
        docker port c1; wget -qO- -T 1 http://127.0.0.1:8003/ || echo closed; docker exec c1 ip route | grep -c default";
    assert_eq!(
        shell(script),
        "apart\npage\n80/tcp -> 127.0.0.1:8002\n1400\n1\n\
         wget: can't connect to remote host (127.0.0.1): Connection refused\nclosed\n0\n"
    );
}

#[test]
fn configurations_that_are_lent() {
    let script = "docker network create --config-only --subnet 10.5.0.0/24 --gateway 10.5.0.9 --label a=b -o x=y conf > /dev/null\n\
        docker network inspect -f '{{.Driver}} {{.Scope}} {{.ConfigOnly}} {{json .IPAM.Config}} {{json .Labels}}' conf\n\
        docker network create --config-from conf -d macvlan --internal net > /dev/null\n\
        docker network inspect -f '{{.Driver}} {{.ConfigFrom.Network}} {{json .IPAM.Config}} {{json .Labels}} {{json .Options}}' net\n\
        docker network rm conf; docker network ls --format '{{.Name}} {{.Driver}}' --filter type=custom\n\
        docker run -q --network conf busybox true 2>&1 | head -1\n\
        docker network create --config-only --internal x 2>&1 | cut -c -90\n\
        docker network create --config-from conf --label c=d x\n\
        docker network create --config-from conf -o c=d x\n\
        docker network create --config-from conf --config-only x\n\
        docker network create --config-from net x\n\
        docker network rm net; docker network prune -f; docker network rm conf";
    assert_eq!(
        shell(script),
        "null local true [{\"Subnet\":\"10.5.0.0/24\",\"Gateway\":\"10.5.0.9\"}] {\"a\":\"b\"}\n\
         macvlan conf [{\"Subnet\":\"10.5.0.0/24\",\"Gateway\":\"10.5.0.9\"}] {\"a\":\"b\"} {\"x\":\"y\"}\n\
         Error response from daemon: error while removing network: configuration network \"conf\" is in use\n\
         exit status 1\nconf null\nnet macvlan\n\
         docker: Error response from daemon: failed to set up container networking: \
         cannot create endpoint on configuration-only network\n\
         Error response from daemon: configuration network can only contain network specific fields\n\
         Error response from daemon: user-specified configurations are not supported if the network depends on a configuration network\n\
         Error response from daemon: network driver options are not supported if the network depends on a configuration network\n\
         Error response from daemon: a configuration network cannot depend on another configuration network\n\
         Error response from daemon: configuration network \"net\" does not exist\nnet\nconf\n"
    );
}

#[test]
fn wires_of_the_host_are_shared() {
    let script = "docker network create -d macvlan --subnet 10.0.2.0/24 --gateway 10.0.2.2 --ip-range 10.0.2.128/25 \
            --aux-address spare=10.0.2.128 -o parent=eth0 wire > /dev/null\n\
        serve --name m1 --network wire -p 8080:80; docker port m1; ping -c 1 -W 1 10.0.2.129 | grep -c '1 packets transmitted, 0'\n\
        docker run --rm --network wire busybox sh -c 'ip -o -4 addr show eth0 | grep -o \"inet [0-9./]*\"; ip route | head -1; wget -qO- http://m1/; ping -c 1 -W 1 10.0.2.15 | tail -1; ping -c 1 10.0.2.2 | tail -2 | head -1'\n\
        docker inspect -f '{{json .NetworkSettings.Ports}} {{.NetworkSettings.Networks.wire.Gateway}}' m1\n\
        docker network create -d macvlan --internal --subnet 10.8.0.0/24 --subnet 10.9.0.0/30 alone > /dev/null; ip -o link | grep -c ' dm-'\n\
        docker network connect alone m1; docker exec m1 ip -o -4 addr | wc -l; docker network disconnect wire m1; docker exec m1 ip -o -4 addr show | grep -c 10.8.0.1/24\n\
        docker exec m1 ip route | grep -c default; docker rm -f m1 > /dev/null; docker network rm alone wire; ip -o link | grep -c ' dm-'";
    assert_eq!(
        shell(script),
        "1\ninet 10.0.2.130/24\ndefault via 10.0.2.2 dev eth0 \npage\n\
         1 packets transmitted, 0 packets received, 100% packet loss\n\
         1 packets transmitted, 1 packets received, 0% packet loss\n\
         {} 10.0.2.2\n1\n3\n1\n0\nalone\nwire\n0\n"
    );
}

#[test]
fn wires_are_routed_and_marked() {
    let script = "docker network create -d ipvlan --subnet 10.3.0.0/24 --subnet 10.4.0.0/24 -o parent=eth0.30 -o ipvlan_mode=l3 routed > /dev/null\n\
        ip -o link | grep -o 'eth0.30@[a-z0-9]*'; docker network inspect -f '{{json .IPAM.Config}}' routed\n\
        serve --name i1 --network routed; serve --name i2 --network routed --ip 10.4.0.7\n\
        docker exec i2 sh -c 'ip route; wget -qO- http://i1/'; docker inspect -f '{{.NetworkSettings.Networks.routed.MacAddress}}.' i1\n\
        docker network create -d ipvlan -o parent=eth0.30 x 2>&1 | sed -E 's/dm-[0-9a-f]{12}/dm-ID/'\n\
        for p in eth7 eth0.5000 eth7.1 lo; do docker network create -d macvlan -o parent=$p x; done; docker network ls -q --filter name=^x$\n\
        docker rm -f i1 i2 > /dev/null; docker network rm routed; ip -o link | grep -c eth0.30";
    assert_eq!(
        shell(script),
        "eth0.30@if2\n[{\"Subnet\":\"10.3.0.0/24\"},{\"Subnet\":\"10.4.0.0/24\"}]\n\
         default dev eth0 scope link \n10.4.0.0/24 dev eth0 scope link  src 10.4.0.7 \npage\n.\n\
         Error response from daemon: network dm-ID is already using parent interface eth0.30\n\
         Error response from daemon: invalid subinterface vlan name eth7, example formatting is eth0.10\n\
         Error response from daemon: vlan id must be between 1-4094, received: 5000\n\
         Error response from daemon: -o parent interface was not found on the host: eth7\n\
         Error response from daemon: loopback interface is not a valid macvlan parent link\nrouted\n0\n"
    );
}

#[test]
fn who_may_come_and_go() {
    let script = "docker network create --subnet 10.6.0.0/24 one > /dev/null; id() { sed -E 's/[0-9a-f]{64}/ID/'; }\n\
        docker create -q --name c1 busybox sleep 1000 > /dev/null\n\
        docker network connect nosuch nosuch; docker network connect one c1; docker network connect one c1\n\
        docker network connect later c1; docker start c1 2>&1 | grep -o 'network later not found'; docker network disconnect later c1\n\
        docker network disconnect one c1; docker network disconnect one c1 2>&1 | id\n\
        docker network connect none c1; docker network connect host c1; docker network connect --alias x bridge c1\n\
        docker start c1 > /dev/null; docker network connect nosuch c1; docker network connect one c1; docker network connect one c1\n\
        docker network connect --ip 10.7.0.1 one c1; docker network disconnect -f one gone; docker network disconnect nosuch c1\n\
        docker run -d -q --name h1 --network host busybox sleep 1000 > /dev/null\n\
        docker network connect one h1; docker network disconnect host h1; docker network connect host h1\n\
        docker run --network one --network bridge busybox true 2>&1 | head -1; docker run --network one --ip 10.7.0.1 busybox true 2>&1 | head -2\n\
        docker ps -a --format '{{.Names}}'";
    assert_eq!(
        shell(script),
        "Error response from daemon: No such container: nosuch\nnetwork later not found\n\
         Error response from daemon: container ID is not connected to the network one\n\
         Error response from daemon: container cannot be connected to multiple networks with one of the networks in private (none) mode\n\
         Error response from daemon: container cannot be disconnected from host network or connected to host network\n\
         Error response from daemon: invalid endpoint settings:\n\
         network-scoped alias is supported only for containers in user defined networks\n\
         Error response from daemon: network nosuch not found\n\
         Error response from daemon: endpoint with name c1 already exists in network one\n\
         Error response from daemon: invalid endpoint settings:\n\
         no configured subnet or ip-range contain the IP address 10.7.0.1\n\
         Error response from daemon: endpoint gone not found\nError response from daemon: network nosuch not found\n\
         Error response from daemon: container sharing network namespace with another container or host cannot be connected to any other network\n\
         Error response from daemon: container cannot be disconnected from host network or connected to host network\n\
         Error response from daemon: endpoint with name h1 already exists in network host\n\
         docker: conflicting options: cannot attach both user-defined and non-user-defined network-modes\n\
         docker: Error response from daemon: invalid config for network one: invalid endpoint settings:\n\
         no configured subnet or ip-range contain the IP address 10.7.0.1\nh1\nc1\n"
    );
}

#[test]
fn interfaces_as_they_are_asked_for() {
    let script = "docker network create --internal -o com.docker.network.bridge.gateway_mode_ipv4=isolated \
            -o com.docker.network.container_iface_prefix=lan --subnet 10.6.0.0/24 apart > /dev/null; O=com.docker.network.endpoint\n\
        in() { docker run --rm --network $1 busybox sh -c \"$2\" 2>&1 | head -2; }; A='ip -o -4 addr | grep -v 127 | grep -oE \"[a-z]+[0-9]+ +inet [0-9.]+/[0-9]+\" | tr -s \" \"'\n\
        in apart \"$A\"; in name=apart,driver-opt=$O.ifname=wan7 \"$A\"; in name=apart,link-local-ip=169.254.3.4 \"$A\"\n\
        in name=apart,link-local-ip=1.2.3.4 true; in name=apart,driver-opt=$O.sysctls=net.ipv4.conf.eth0.x=1 true | tail -1 | cut -c -61\n\
        docker network create -o com.docker.network.bridge.gateway_mode_ipv4=isolated x\n\
        docker network create -o com.docker.network.bridge.gateway_mode_ipv4=foo x\n\
        docker network create -o com.docker.network.bridge.name=br0 a1 > /dev/null; docker network create -o com.docker.network.bridge.name=br0 a2 2>&1 | sed -E 's/[0-9a-f]{64}/ID/g'\n\
        docker run --rm --hostname a.b.c busybox sh -c 'tail -1 /etc/hosts; wc -l < /etc/hostname'";
    assert_eq!(
        shell(script),
        "lan0 inet 10.6.0.1/24\nwan7 inet 10.6.0.1/24\nlan0 inet 10.6.0.1/24\nlan0 inet 169.254.3.4/16\n\
         docker: Error response from daemon: failed to set up container networking: invalid link local IP address: 1.2.3.4\n\n\
         unrecognised network interface sysctl 'net.ipv4.conf.eth0.x=1\n\
         Error response from daemon: gateway mode 'isolated' can only be used for an internal network\n\
         Error response from daemon: failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: foo (unknown gateway mode foo)\n\
         Error response from daemon: cannot create network ID (br0): conflicts with network ID (br0): networks have same bridge name\n\
         172.17.0.2\ta.b.c a\n1\n"
    );
}
