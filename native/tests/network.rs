//! Networks on the real kernel, as a person uses them: scripts in a network namespace of their own, with another one
//! behind a cable as the outside. Skipped where this user has no right to them.

use cutaway_tests::{is_root, skip};
use std::process::Command;

/// The outside is `out`, at 10.9.0.2 and fd09::2; the host is at 10.9.0.1 and fd09::1. `serve` starts a web server that
/// says who it is and who calls it.
const PRELUDE: &str = r#"
mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs none /run/netns; }
ip link set lo up; ip netns add out
ip link add up0 type veth peer name w0 netns out
ip addr add 10.9.0.1/24 dev up0; ip addr add fd09::1/64 dev up0 nodad; ip link set up0 up
ip -n out addr add 10.9.0.2/24 dev w0; ip -n out addr add fd09::2/64 dev w0 nodad
ip -n out link set lo up; ip -n out link set w0 up; ip -n out route add default via 10.9.0.1
docker() { "$CUTAWAY" "$@"; }
docker pull -q cutaway/base > /dev/null
serve() { name=$1; shift; docker run -d --name $name "$@" cutaway/base sh -c "mkdir /w; echo $name > /w/index.html; \
          dd if=/dev/zero of=/w/big bs=1000 count=1000 2>/dev/null; httpd -f -h /w" > /dev/null; sleep 0.3; }
fetch() { curl -sg -m 3 "$1" || echo none; }
outside() { ip netns exec out curl -sg -m 3 "$1" || echo none; }
"#;

/// What a script prints, both streams together.
fn script(name: &str, text: &str) -> Option<String> {
    let tools = ["nft", "ip", "curl", "tc"].iter().all(|t| Command::new(t).arg("-V").output().is_ok());
    if !is_root() || !tools {
        skip(name, "root, nft, ip, tc and curl are needed");
        return None;
    }
    let root = std::env::temp_dir().join(format!("cutaway-{name}-{}", std::process::id()));
    let whole =
        format!("exec 2>&1\n{PRELUDE}\n{text}\ndocker ps -aq | while read i; do docker rm -f $i; done > /dev/null");
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", &whole])
        .env("CUTAWAY", env!("CARGO_BIN_EXE_cutaway"))
        .env("CUTAWAY_ROOT", &root)
        .output()
        .expect("unshare runs");
    let _ = std::fs::remove_dir_all(&root);
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn ports_are_led_by_rules_and_by_the_proxy() {
    let text = r#"
        docker network create --ipv6 --subnet fd00:7::/64 --subnet 10.7.0.0/24 six > /dev/null
        serve one --network six -p 8080:80; serve two -p 8081:80
        for to in 10.9.0.1:8080 '[fd09::1]:8080' 10.9.0.1:8081 '[fd09::1]:8081' 10.7.0.2:80; do outside http://$to/; done
        for to in 127.0.0.1:8080 '[::1]:8080' 10.9.0.1:8080 127.0.0.1:8081; do fetch http://$to/; done
        docker run --rm cutaway/base sh -c 'wget -qO- http://10.9.0.1:8080/; wget -qO- http://10.9.0.1:8081/'
        nft list table inet cutaway | grep -c 'dnat ip'
        docker rm -f one > /dev/null; nft list table inet cutaway | grep -c 'chain in-'
        pid=$(docker inspect -f '{{.State.Pid}}' two); kill -9 $(awk '/^PPid/{print $2}' /proc/$pid/status); sleep 0.3
        serve three -p 8081:80; outside http://10.9.0.1:8081/; nft list table inet cutaway | grep -c 'chain in-'
        docker rm -f three > /dev/null; docker network rm six
        nft list table inet cutaway | grep -c 'chain.*br-'; ip -o link show type veth | grep -c veth"#;
    let wanted = "one\none\ntwo\ntwo\nnone\none\none\none\ntwo\none\ntwo\n6\n1\nthree\n1\nsix\n0\n0\n";
    if let Some(told) = script("net-ports", text) {
        assert_eq!(told, wanted);
    }
}

#[test]
fn a_refused_rule_is_named_and_a_missing_nft_is_told_once() {
    let text = r#"
        mkdir /run/netns/bin; PATH=/run/netns/bin:$PATH
        printf '#!/bin/sh\ncat > /dev/null; echo "/dev/stdin:4:1-9: Error: no chains today" >&2; exit 1\n' > /run/netns/bin/nft
        chmod +x /run/netns/bin/nft
        docker run --rm cutaway/base true | head -1; docker run --rm cutaway/base true 2>&1 | head -1
        ip -o link show type bridge | wc -l
        PATH=/nowhere "$CUTAWAY" run -d -p 8080:80 cutaway/base sh -c 'echo one > index.html; httpd -f' | tr -d 0-9a-f; sleep 0.3
        fetch http://127.0.0.1:8080/; outside http://10.9.0.1:8080/"#;
    if let Some(told) = script("net-nft", text) {
        let refused = "docker: Error response from daemon: failed to set up container networking: nft refused the rule \
                       \"add chain inet cutaway forward-cutaway0";
        assert_eq!(
            told.lines().filter(|l| l.starts_with(refused) && l.ends_with("no chains today")).count(),
            2,
            "{told}"
        );
        assert_eq!(told.matches("ports are published by a proxy only").count(), 1, "{told}");
        assert!(told.ends_with("\none\none\n") && told.contains("\n0\n"), "{told}");
    }
}

#[test]
fn a_rate_holds_back_in_both_directions() {
    let text = r#"
        docker network create net > /dev/null; serve free --network net; serve slow --network net --network-rate 4mbit
        get() { docker run --rm --network net $2 cutaway/base sh -c "time wget -qO /dev/null http://$1/big" | grep real; }
        get free; get slow; get free '--network-rate 4mbit'
        tc qdisc | grep -c 'tbf.*rate 4Mbit'; docker update --network-rate 0 slow; tc qdisc | grep -c tbf; get slow"#;
    let Some(told) = script("net-rate", text) else { return };
    let times = told.lines().filter_map(|l| l.strip_prefix("real\t")?.split_once("m ")?.1.strip_suffix('s'));
    let times: Vec<f64> = times.map(|s| s.parse().expect("seconds")).collect();
    // A megabyte at half a megabyte a second; how long it takes without a limit is the machine's.
    let [free, sent, received, freed] = times[..] else { panic!("{told}") };
    assert!(sent > 1.9 && received > 1.9 && free < sent && freed < sent, "{told}");
    assert!(told.contains("\n1\nslow\n0\n"), "{told}");
}

#[test]
fn names_of_both_versions_over_datagrams_and_streams() {
    let text = r#"
        docker network create --ipv6 --subnet fd00:7::/64 --subnet 10.7.0.0/24 six > /dev/null
        serve one --network six --ip 10.7.0.50 --ip6 fd00:7::50 --network-alias site
        docker run --rm --network six cutaway/base sh -c '
            nslookup site | grep ^Address:; nslookup 10.7.0.50 | grep name; nslookup fd00:7::50 | grep -o "name = .*"
            nslookup nosuch | grep -c NXDOMAIN; ping6 -c 1 -W 2 site | grep -c "1 packets received"
            wget -qO- http://[fd00:7::50]/; ip -6 route | grep -c "default via fd00:7::1"; grep -c fd00 /etc/hosts
            printf "\000\031\000\007\001\000\000\001\000\000\000\000\000\000\003one\003six\000\000\001\000\001" > /q
            (cat /q; sleep 1) | nc 127.0.0.11 53 | tail -c 4 | od -A n -t u1'
        docker network create -o com.docker.network.bridge.enable_icc=false apart > /dev/null; serve two --network apart
        docker run --rm --network apart cutaway/base sh -c 'ping -c 1 -W 1 two > /dev/null || echo apart; ip route | wc -l'"#;
    let wanted = "Address:\t127.0.0.11:53\nAddress: 10.7.0.50\nAddress: fd00:7::50\n\
                  50.0.7.10.in-addr.arpa\tname = one.six\nname = one.six\n2\n1\none\n1\n1\n  10   7   0  50\n";
    if let Some(told) = script("net-names", text) {
        assert!(told.starts_with(wanted), "{told}");
        assert!(told.ends_with("apart\n2\n"), "{told}");
    }
}

#[test]
fn the_wire_of_the_host_is_shared() {
    let make = "ip link add up1 type veth peer name w1 && ip link add m1 link up1 type macvlan";
    let made = Command::new("unshare").args(["-n", "sh", "-c", make]).output();
    if !made.is_ok_and(|o| o.status.success()) {
        return skip("macvlan", "the kernel has no macvlan interfaces");
    }
    let text = r#"
        docker network create -d macvlan --subnet 10.9.0.0/24 --ip-range 10.9.0.128/25 --gateway 10.9.0.2 -o parent=up0 wire > /dev/null
        serve one --network wire -p 8080:80; docker port one
        outside http://10.9.0.128/; fetch http://10.9.0.128/
        docker run --rm --network wire cutaway/base sh -c 'wget -qO- http://one/; ip route | head -1; ping -c 1 -W 2 10.9.0.2 > /dev/null && echo out'
        docker network create two > /dev/null; docker network connect two one; docker network disconnect wire one
        docker exec one ip -o -4 addr | grep -c eth; outside http://10.9.0.128/
        docker network create -d macvlan -o parent=nosuch x; docker network create -d macvlan -o parent=nosuch.7 x
        docker rm -f one; docker network rm wire two; ip -o link show up0 | grep -c up0"#;
    let wanted = "one\nnone\none\ndefault via 10.9.0.2 dev eth0 \nout\n1\nnone\n\
                  Error response from daemon: invalid subinterface vlan name nosuch, example formatting is eth0.10\n\
                  Error response from daemon: -o parent interface was not found on the host: nosuch\n\
                  one\nwire\ntwo\n1\n";
    if let Some(told) = script("net-macvlan", text) {
        assert_eq!(told, wanted);
    }
}

#[test]
fn callers_of_a_port_are_led_anew() {
    if cutaway_tests::program("python3").is_none() {
        return skip("callers of a UDP port", "python3 is not installed");
    }
    let text = r#"
        docker network create --subnet 10.7.0.0/24 net > /dev/null
        hear() { docker run -d --name $1 --network net --ip $2 -p 9000:90/udp cutaway/base sleep 100 > /dev/null
        nsenter -t $(docker inspect -f '{{.State.Pid}}' $1) -n python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 90)); s.settimeout(3)
print(s.recv(99).decode(), end='', flush=True)" & sleep 0.5; }
        send() { ip netns exec out python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('10.9.0.2', 7777))
s.sendto(b'$1\n', ('10.9.0.1', 9000))"; wait; }
        hear one 10.7.0.10; send first; docker rm -f one > /dev/null
        hear two 10.7.0.20; send second
        docker run -d --name any -p 80 -p 81/udp cutaway/base sleep 100 > /dev/null; docker port any | grep 0.0.0.0
        docker run -d --name s1 --network net -p 9999:99/sctp cutaway/base sleep 100 > /dev/null; docker port s1
        nft list table inet cutaway | grep -c 'sctp dport 9999 dnat ip to 10.7.0.2:99'
        docker rm -f s1 > /dev/null; nft list table inet cutaway | grep -c sctp"#;
    if let Some(told) = script("net-udp", text) {
        assert_eq!(
            told,
            "first\nsecond\n80/tcp -> 0.0.0.0:32768\n81/udp -> 0.0.0.0:32768\n99/sctp -> 0.0.0.0:9999\n99/sctp -> [::]:9999\n2\n0\n"
        );
    }
}

#[test]
fn interfaces_as_they_are_asked_for() {
    let text = r#"
        docker network create --internal -o com.docker.network.bridge.gateway_mode_ipv4=isolated \
            -o com.docker.network.bridge.name=br-own --subnet 10.6.0.0/24 apart > /dev/null
        O=com.docker.network.endpoint
        docker run --rm --network name=apart,driver-opt=$O.ifname=wan7,link-local-ip=169.254.3.4 cutaway/base sh -c \
            'ip -o -4 addr show wan7 | grep -oE "inet [0-9./]+"'
        docker run --rm --network "name=apart,\"driver-opt=$O.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0\"" \
            cutaway/base sh -c 'cat /proc/sys/net/ipv4/conf/eth0/log_martians /proc/sys/net/ipv4/conf/eth0/forwarding'
        ip -o -4 addr show br-own | wc -l
        mkdir /run/netns/x; echo kept > /run/netns/x/f
        docker volume create -o type=none -o device=/run/netns/x -o o=bind bound > /dev/null
        docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,mode=711 memory > /dev/null
        docker run --rm -v bound:/d -v memory:/m cutaway/base sh -c 'cat /d/f; stat -c %a /m; df /m | tail -1 | grep -c 1024'
        docker volume rm bound memory; cat /run/netns/x/f"#;
    if let Some(told) = script("net-asked", text) {
        assert_eq!(told, "inet 10.6.0.1/24\ninet 169.254.3.4/16\n1\n0\n0\nkept\n711\n1\nbound\nmemory\nkept\n");
    }
}
