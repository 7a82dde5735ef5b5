//! An application of several containers on the real kernel, as a person uses Compose: scripts in namespaces of their
//! own. Skipped by name where this user has no right to them.

use cutaway_tests::{is_root, skip};
use std::process::Command;

/// A shop of three services, of which one is built, one is to be healthy first, and one is done at once.
const SHOP: &str = r#"
ip link set lo up
docker() { "$CUTAWAY" "$@"; }
docker pull -q cutaway/base > /dev/null
mkdir shop && cd shop && mkdir site && echo a page > site/index.html
printf 'FROM cutaway/base\nCOPY site /w\n' > Dockerfile
cat > compose.yaml <<'Y'
services:
  web:
    build: .
    command: httpd -f -p 80 -h /w
    stop_grace_period: 100ms
    ports: ['8088:80']
    networks: {front: , back: {aliases: [shop]}}
    depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}}
    secrets: [token]
    develop: {watch: [{path: site, action: sync, target: /w}]}
  db:
    image: cutaway/base
    command: sh -c 'sleep 0.3; touch /data/ready; exec sleep 300'
    stop_grace_period: 100ms
    healthcheck: {test: test -f /data/ready, interval: 200ms, retries: 50}
    volumes: [data:/data]
    networks: {back: }
    environment: {MODE: "${MODE:-dev}"}
  init: {image: cutaway/base, command: echo ready to go, networks: [back]}
  tool: {image: cutaway/base, profiles: [tools], entrypoint: [echo, tool], network_mode: none}
networks: {front: , back: {internal: true}}
volumes: {data: }
secrets: {token: {environment: TOKEN}}
Y
export TOKEN=t0k
"#;

/// What a script in the shop's folder prints, both streams together.
fn script(name: &str, text: &str) -> Option<String> {
    let tools = ["ip", "curl", "unshare"].iter().all(|t| Command::new(t).arg("-V").output().is_ok());
    if !is_root() || !tools {
        skip(name, "root, ip, curl and unshare are needed");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("cutaway-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", &format!("exec 2>&1\n{SHOP}\n{text}\ndocker compose down -v > /dev/null 2>&1")])
        .current_dir(&folder)
        .env("CUTAWAY", env!("CARGO_BIN_EXE_cutaway"))
        .env("CUTAWAY_ROOT", folder.join("store"))
        .output()
        .expect("unshare runs");
    let _ = std::fs::remove_dir_all(&folder);
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Each of these in its turn.
fn in_turn(told: &str, steps: &[&str]) {
    let mut rest = told;
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{told}"));
        rest = &rest[at + step.len()..];
    }
}

#[test]
fn an_application_comes_works_and_goes() {
    let text = r#"
        docker compose up -d --quiet-build; docker compose ps --format '{{.Service}} {{.State}} {{.Health}}'
        curl -sm 3 http://127.0.0.1:8088/; docker compose port web 80
        docker compose exec -T db sh -c 'wget -qO- http://web/; wget -qO- http://shop/; echo $MODE'
        docker compose exec -T web cat /run/secrets/token; echo
        docker compose logs --no-color init; docker compose run --rm tool x 2> /dev/null
        docker compose up -d --scale db=2 > /dev/null 2>&1; echo dbs $(docker compose ps -q db | wc -l)
        docker compose up -d --scale db=1 > /dev/null 2>&1; echo dbs $(docker compose ps -q db | wc -l)
        docker compose restart web 2> /dev/null; sleep 0.3; curl -sm 3 http://127.0.0.1:8088/
        docker compose stop db 2> /dev/null; docker compose ps -a --status exited --format '{{.Name}}'
        docker compose down -v
        echo left $(docker ps -aq | wc -l) $(docker volume ls -q | wc -l) $(docker network ls -q -f name=shop | wc -l) \
            $(ip -o link show type veth | wc -l) $(grep -c "$CUTAWAY_ROOT" /proc/mounts)"#;
    let Some(told) = script("compose-whole", text) else { return };
    in_turn(
        &told,
        &[
            " Network shop_back  Created\n",
            " Volume shop_data  Created\n",
            " Container shop-db-1  Healthy\n",
            " Container shop-web-1  Started\n",
            "db running healthy\nweb running \na page\n0.0.0.0:8088\na page\na page\ndev\nt0k\n",
            "init-1  | ready to go\ntool x\ndbs 2\ndbs 1\na page\nshop-db-1\nshop-init-1\n",
            " Container shop-web-1  Removed\n",
            " Container shop-db-1  Removed\n",
            " Network shop_front  Removed\n",
            " Volume shop_data  Removed\nleft 0 0 0 0 0\n",
        ],
    );
}

#[test]
fn what_changes_reaches_the_containers() {
    let text = r#"
        docker compose up -d --quiet-build > /dev/null 2>&1
        "$CUTAWAY" compose watch --no-up > watch.log 2>&1 & P=$!
        sleep 1.5; echo changed > site/index.html; sleep 2.5; curl -sm 3 http://127.0.0.1:8088/
        kill -INT $P; wait $P; echo status $?; cat watch.log
        sed -i 's/back: {internal: true}/back: {internal: true, labels: {k: v}}/' compose.yaml
        docker compose up -d; docker compose exec -T db wget -qO- http://shop/
        sed -i 's/data: }/data: {labels: {k: v}}}/' compose.yaml; echo n | docker compose up -d web 2> /dev/null; echo
        docker compose up -d -y 2>&1 | grep data"#;
    let Some(told) = script("compose-changes", text) else { return };
    in_turn(
        &told,
        &[
            "changed\nstatus 130\n",
            "Watch enabled\nSyncing service \"web\" after 1 changes were detected\n",
            " Network shop_back  Removed\n Network shop_back  Creating\n Network shop_back  Created\n",
            " Container shop-web-1  Started\nchanged\n",
            "Volume \"shop_data\" exists but doesn't match configuration in compose file. Recreate (data will be lost)?\n",
            " Volume shop_data  Created\n",
        ],
    );
}

#[test]
fn keys_steer_what_is_attached() {
    if Command::new("script").arg("-V").output().is_err() {
        return skip("compose-keys", "there is no script(1)");
    }
    let text = r#"
        docker compose up -d --quiet-build > /dev/null 2>&1
        up() { script -qec '"$CUTAWAY" compose up' /dev/null; }
        { sleep 2; printf w; sleep 2; printf d; sleep 1; } | TERM=dumb up | tr -d '\r'; echo; docker compose ps -q | wc -l
        { sleep 2; printf '\003'; sleep 3; } | TERM=dumb up | tr -d '\r'; docker compose ps -q | wc -l"#;
    let Some(told) = script("compose-keys", text) else { return };
    in_turn(
        &told,
        &[
            "Attaching to db-1, init-1, web-1\n",
            " Enable Watch",
            "Watch enabled\n",
            " Disable Watch",
            "\n2\n",
            " Enable Watch",
            "Gracefully Stopping... press Ctrl+C again to force\n",
            "shop-web-1",
            "exited with code 137\n",
            "0\n",
        ],
    );
}
