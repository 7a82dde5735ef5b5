//! Compose files as many hands wrote them: what `docker compose config` made of them is what we make of them. And
//! whole applications on the simulated machine: what compose makes of them, and what is left afterwards.

use cutaway_core::compose::{self, LoadError, Request};
use cutaway_core::sim::session::{Config, Session};
use serde_json::Value;

/// Loads as `docker compose -p demo -f compose.yaml config --no-path-resolution` does.
fn config(folder: &str) -> Result<Value, String> {
    let mut contents = compose::Contents::new();
    loop {
        let request = Request {
            name: Some("demo".into()),
            resolve_paths: false,
            ..Request::whole(vec![format!("{folder}/compose.yaml")], folder, &|_| None, &contents)
        };
        match compose::load(&request) {
            Ok(project) => return Ok(serde_json::from_str(&compose::json(&project)).expect("it is JSON")),
            Err(LoadError::Needs(path)) => {
                let bytes = std::fs::read(&path).ok();
                contents.insert(path, bytes);
            }
            Err(LoadError::Invalid(text)) => return Err(text),
        }
    }
}

#[test]
fn each_is_read_as_compose_reads_it() {
    let Some(corpus) = cutaway_tests::shared("each_is_read_as_compose_reads_it", "corpus/compose") else { return };
    let mut count = 0;
    let mut differing = Vec::new();
    for entry in std::fs::read_dir(corpus).expect("a folder") {
        let folder = entry.expect("readable").path();
        let expected = std::fs::read_to_string(folder.join("expected.json")).expect("recorded");
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        let actual = config(&folder.to_string_lossy());
        if actual.as_ref() != Ok(&expected["config"]) {
            differing.push(format!("{}\n  is     {actual:?}\n  wanted {}", folder.display(), expected["config"]));
        }
        count += 1;
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(count > 0, "the corpus is empty");
}

/// Runs a script on a fresh machine; all that it prints, and its status.
fn script(text: &str) -> (String, i32) {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    let status = session.script(text, |bytes| seen.extend_from_slice(bytes));
    (String::from_utf8_lossy(&seen).into_owned(), status)
}

const SHOP: &str = "mkdir shop && cd shop && cat > compose.yaml <<'X'
services:
  web:
    image: busybox
    command: httpd -f -p 80 -h /w
    ports: ['8088:80']
    depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}}
    configs: [{source: page, target: /w/index.html}]
  db:
    image: busybox
    command: sh -c 'sleep 2; touch /ready; sleep 300'
    healthcheck: {test: test -f /ready, interval: 1s, retries: 20}
    volumes: [data:/var/db]
  init:
    image: busybox
    command: echo ready to go
  tool: {image: busybox, profiles: [tools], entrypoint: [echo, tool]}
volumes: {data: }
configs: {page: {content: a page}}
X
";

#[test]
fn an_application_comes_and_goes() {
    let (out, status) = script(&format!(
        "{SHOP}docker compose up -d --quiet-pull 2>&1 && sleep 1 && wget -qO- http://localhost:8088/; echo
         docker compose logs --no-color init; docker compose run --rm tool x 2>/dev/null
         docker compose down -v 2>&1; docker ps -aq | wc -l; docker volume ls -q | wc -l"
    ));
    let steps = [
        " Network shop_default  Created",
        " Volume shop_data  Created",
        " Container shop-db-1  Waiting",
        " Container shop-db-1  Healthy",
        " Container shop-init-1  Exited",
        " Container shop-web-1  Started",
        "a page",
        "init-1  | ready to go",
        "tool x",
        " Container shop-web-1  Stopped",
        " Network shop_default  Removed",
        " Volume shop_data  Removed",
        "0\n0",
    ];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
    assert_eq!(status, 0);
}

#[test]
fn only_what_changed_is_made_anew() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: busybox, command: sleep 99}\\n  b: {image: busybox, command: sleep 99}\\n' > compose.yaml
         docker compose up -d 2>/dev/null; echo second; docker compose up -d 2>&1
         sed -i '2s/99/98/' compose.yaml; echo third; docker compose up -d 2>&1",
    );
    let (second, third) = out.split_once("third").expect("all of it ran");
    assert!(second.contains("t-a-1  Running") && !second.contains("Recreate"), "{out}");
    assert!(third.contains("t-a-1  Recreated") && third.contains("t-b-1  Running"), "{out}");
}

#[test]
fn a_changed_network_or_volume_is_made_anew() {
    let (out, _) = script(
        "mkdir t && cd t && cat > compose.yaml <<'X'
services:
  a: {image: busybox, command: sleep 99, networks: [n], volumes: ['v:/v']}
  b: {image: busybox, command: sleep 99, networks: [n, o]}
networks: {n: {labels: {k: one}}, o: }
volumes: {v: {labels: {k: one}}}
X
         docker compose up -d --quiet-pull 2>/dev/null; docker compose exec -T a touch /v/kept
         sed -i '/^networks/s/one/two/' compose.yaml; echo network; docker compose up -d 2>&1; docker compose exec -T b ping -c1 a | head -1
         sed -i '/^volumes/s/one/two/' compose.yaml; echo refused; echo n | docker compose up -d 2>&1; docker compose exec -T a ls /v
         echo agreed; docker compose up -d -y 2>&1; docker compose exec -T a ls /v; docker volume inspect t_v -f '{{index .Labels \"k\"}}'
         docker network disconnect t_o t-b-1; echo lacking; docker compose up -d 2>&1
         echo gone; docker compose rm -f 2>&1; docker compose stop b 2>/dev/null; echo y | docker compose rm 2>&1
         docker compose down a 2>&1; docker network ls -q -f name=t_ | wc -l; docker compose down 2>&1",
    );
    let steps = [
        "network\n",
        " Container t-a-1  Stopped",
        " Network t_n  Removed\n Network t_n  Creating\n Network t_n  Created\n",
        " Container t-a-1  Started",
        "PING a (",
        "refused\nVolume \"t_v\" exists but doesn't match configuration in compose file. Recreate (data will be lost)?",
        " Container t-a-1  Running",
        "kept\n",
        "agreed\n",
        " Container t-a-1  Removed",
        " Volume t_v  Created",
        " Container t-a-1  Started",
        "two\nlacking\n",
        " Container t-b-1  Recreated",
        "gone\nNo stopped containers\nGoing to remove t-b-1",
        " Container t-b-1  Removed\n",
        " Container t-a-1  Removed\n Network t_n  Removing\n Network t_n  Removed\n1\n",
        " Network t_o  Removed\n",
    ];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
    assert!(!out.contains("t-b-1  Recreate\n Container t-b-1  Recreated\n Container t-b-1  Recreate\n"), "{out}");
}

#[test]
fn attached_until_a_signal() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: busybox, command: sh -c \"echo hello; sleep 99\"}\\n' > compose.yaml
         docker compose up --quiet-pull 2>&1 & P=$!; sleep 3; kill -TERM $P; wait $P; echo status $?
         docker compose ps -a --format '{{.State}}'",
    );
    for part in ["a-1  | hello", "Gracefully Stopping", "t-a-1  Stopped", "status 130", "exited"] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn keys_below_the_output_steer_it() {
    let session = Session::new(Config::default());
    let type_in = |keys: &str, seconds: u64| {
        session.input(keys.as_bytes());
        for _ in 0..seconds * 4 {
            session.tick(std::time::Duration::from_millis(250));
            session.run(200_000);
        }
        String::from_utf8_lossy(&session.take_output()).into_owned()
    };
    type_in("mkdir t && cd t && mkdir src && echo one > src/m\n", 1);
    let file = "services:\n  a:\n    image: busybox\n    command: sh -c 'while true; do date; sleep 1; done'\n    develop: {watch: [{path: src, action: sync, target: /app}]}\n";
    session.write_host_file("/root/t/compose.yaml", file.as_bytes()).expect("written");
    let steps: [(&str, u64, &[&str]); 6] = [
        (
            "docker compose up\n",
            12,
            &["\x1b8\x1b[36ma-1  | \x1b[0m", " UTC 2026\r\n", " Enable Watch\x1b[0m", " Detach\x1b[0m"],
        ),
        ("w", 2, &["Watch enabled", " Disable Watch\x1b[0m"]),
        ("w", 2, &["Watch disabled", " Enable Watch\x1b[0m"]),
        ("d", 2, &["\x1b[?25h"]),
        ("docker compose up --menu=false\n", 3, &["a-1  | "]),
        (
            "\x03",
            12,
            &["Gracefully Stopping... press Ctrl+C again to force", "Container t-a-1  \x1b[32mStopped\x1b[0m"],
        ),
    ];
    for (keys, seconds, parts) in steps {
        let out = type_in(keys, seconds);
        for part in parts {
            assert!(out.contains(part), "{part:?} is missing after {keys:?} in\n{out:?}");
        }
        let without = keys.contains("false") && out.contains("Watch");
        assert!(!without, "there is no menu: {out:?}");
    }
    let out = type_in("docker compose ps -a --format '{{.State}}'\n", 2);
    assert!(out.contains("exited"), "{out:?}");
    let out = type_in("docker compose up\n", 4) + &type_in("\x03", 12) + &type_in("echo status $?\n", 1);
    assert!(out.contains(" Enable Watch") && out.contains("Stopped") && out.contains("status 130"), "{out:?}");
}

#[test]
fn what_would_be_done_is_told_and_not_done() {
    let (out, _) = script(&format!(
        "{SHOP}docker compose --dry-run up -d 2>&1; echo left $(docker ps -aq | wc -l) $(docker volume ls -q | wc -l)
         docker compose --progress json up -d web 2>&1 | grep '\"Container shop-web-1\"'
         docker compose --dry-run down -v 2>&1; docker compose ps -q | wc -l"
    ));
    for part in [
        " DRY-RUN MODE -  Volume shop_data  Created",
        " DRY-RUN MODE -  Container shop-db-1  Healthy",
        " DRY-RUN MODE -  Container shop-web-1  Started",
        "left 0 0",
        "{\"id\":\"Container shop-web-1\",\"status\":\"Started\"}",
        " DRY-RUN MODE -  Network shop_default  Removed",
        "\n2\n",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn changes_are_watched_for() {
    let (out, _) = script(
        "mkdir t && cd t && mkdir src hooks && echo one > src/m && printf 'FROM busybox\\nCOPY src /app\\n' > Dockerfile
         cat > compose.yaml <<'X'
services:
  web:
    build: .
    command: sh -c 'while true; do cat /app/m; sleep 2; done'
    develop:
      watch:
        - {path: ./src, action: sync, target: /app, ignore: [tmp/]}
        - {path: ./Dockerfile, action: rebuild}
        - {path: ./hooks, action: sync+exec, target: /hooks, exec: {command: [cat, /hooks/h]}}
X
         docker compose watch > out 2>&1 & P=$!; sleep 6
         echo two > src/m; mkdir src/tmp; echo x > src/tmp/x; sleep 3; docker compose exec -T web sh -c 'cat /app/m; ls /app'
         rm src/m; sleep 3; docker compose exec -T web ls -A /app; echo the hook > hooks/h; sleep 3
         echo three > src/m; echo 'RUN echo built > /b' >> Dockerfile; sleep 15; docker compose exec -T web cat /b /app/m
         docker image ls -qf dangling=true | wc -l; kill -INT $P; wait $P; echo status $?; cat out",
    );
    let steps = [
        "two\nm\n",
        "built\nthree\n0\nstatus 130\n",
        "Watch enabled\nSyncing service \"web\" after 1 changes were detected\n",
        "the hook\n",
        "Rebuilding service(s) [\"web\"] after changes were detected...\n",
        "service(s) [\"web\"] successfully built\n",
    ];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
}

#[test]
fn a_volume_without_a_name_survives_a_new_container() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: busybox, command: sleep 99, volumes: [/d], stop_grace_period: 1s}\\n' > compose.yaml
         docker compose up -d 2>/dev/null; docker compose exec -T a sh -c 'echo kept > /d/f'
         docker compose up -d --force-recreate 2>/dev/null; docker compose up -d --force-recreate 2>/dev/null
         docker compose exec -T a cat /d/f
         docker compose up -d --force-recreate -V 2>/dev/null; docker compose exec -T a ls -A /d; echo end",
    );
    assert!(out.ends_with("kept\nend\n"), "{out}");
}

#[test]
fn later_files_reset_and_override() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: x, ports: [\"80:80\"], command: one, environment: {A: 1, B: 2}, cap_add: [X]}\\n' > compose.yaml
         printf 'services:\\n  a:\\n    ports: !override [\"81:80\"]\\n    environment: !reset {}\\n    cap_add: !reset null\\n' > compose.override.yaml
         docker compose config",
    );
    assert!(out.contains("published: \"81\"") && !out.contains("published: \"80\""), "{out}");
    assert!(!out.contains("environment") && !out.contains("cap_add") && out.contains("- one"), "{out}");
}

#[test]
fn hooks_run_and_the_end_of_one_ends_all() {
    let (out, _) = script(
        "mkdir t && cd t && cat > compose.yaml <<'X'
services:
  a:
    image: busybox
    command: sh -c 'sleep 2; exit 3'
    post_start: [{command: [echo, begun]}]
  b: {image: busybox, command: sleep 99, stop_grace_period: 1s, attach: false}
X
         docker compose up --quiet-pull --abort-on-container-exit 2>&1; echo status $?",
    );
    let steps =
        ["Attaching to a-1\n", "a-1 ->  | begun\n", "a-1 exited with code 3\n", "Aborting on container exit...\n"];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
    assert!(rest.contains("b-1  Stopped") && rest.ends_with("status 3\n"), "{out}");
}

#[test]
fn what_a_file_asks_for_is_listed() {
    let (out, _) = script(
        "mkdir t && cd t && cat > compose.yaml <<'X'
services:
  a:
    image: busybox:${TAG:-latest}
    environment: {B: '${NEED:?say it}', C: '${ALT:+alt}', D: 'a$$b'}
X
         docker compose config --variables; docker compose config 2>&1; NEED=x docker compose config | grep D:
         NEED=x docker compose config --environment; NEED=x docker compose config --lock-image-digests",
    );
    for part in [
        "NAME                REQUIRED            DEFAULT VALUE       ALTERNATE VALUE\n",
        "ALT                 false                                   alt\n",
        "NEED                true                                    \n",
        "TAG                 false               latest              \n",
        "error while interpolating services.a.environment.B: required variable NEED is missing a value: say it\n",
        "D: a$$b\n",
        "COMPOSE_PROJECT_NAME=t\nHOME=/root\n",
        "\nNEED=x\n",
        "services:\n  a:\n    image: busybox:latest@sha256:",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn limits_hold_for_exec_and_files_are_put_in() {
    let (out, _) = script(
        "mkdir t && cd t && echo from-dotenv > f && echo TOKEN=t0k > .env && cat > compose.yaml <<'X'
services:
  a:
    image: busybox
    command: sleep 99
    ulimits: {nofile: {soft: 77, hard: 88}}
    secrets: [file, {source: env, target: e, mode: 0400}]
    configs: [{source: inline, target: /c}]
    env_file: [{path: raw.env, format: raw}, {path: none.env, required: false}]
secrets: {file: {file: ./f}, env: {environment: TOKEN}}
configs: {inline: {content: \"in ${TOKEN}\"}}
X
         printf 'R=\"$X\"\\n' > raw.env; docker compose up -d 2>/dev/null
         docker compose exec -T a sh -c 'ulimit -n; ulimit -Hn; cat /run/secrets/file /run/secrets/e /c; echo; echo $R'
         docker compose cp f a:/tmp/f 2>&1; docker compose exec -T a cat /tmp/f; docker compose port a 80; docker compose ls",
    );
    for part in [
        "77\n88\nfrom-dotenv\nt0kin t0k\n\"$X\"\n",
        " t-a-1 copy f to t-a-1:/tmp/f Copied\nfrom-dotenv\n",
        "no port 80/tcp for container t-a-1: \n",
        "NAME                STATUS              CONFIG FILES\nt                   running(1)          /root/t/compose.yaml\n",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn events_and_ends_in_composes_words() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: busybox, command: sh -c \"sleep 2; exit 4\"}\\n  b: {image: busybox, command: sleep 1}\\n' > compose.yaml
         docker compose up -d 2>/dev/null; docker compose wait a b; echo status $?
         docker compose events --since 1m --until 0s a; docker compose events --json --since 1m --until 0s b | tail -1
         docker compose exec x ls; docker compose scale a=x; docker compose up --wait --detach --attach a",
    );
    for part in [
        " exited with status code 0\ncontainer \"",
        " exited with status code 4\nstatus 4\n",
        " container create ",
        " (image=busybox, name=t-a-1)\n\n",
        "{\"action\":\"die\",\"attributes\":{\"execDuration\":",
        "service \"x\" is not running\n",
        "invalid scale specifier: can't parse replica value as int: a=x\n",
        "--wait cannot be combined with ",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    assert!(!out.contains("name=t-b-1)"), "{out}");
}

#[test]
fn what_steers_compose_may_stand_in_dotenv() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: busybox, command: sleep 9}\\n  b: {image: busybox, command: sleep 9, profiles: [x]}\\n' > one.yaml
         printf 'services:\\n  a: {command: sleep 8}\\n' > two.yaml
         printf 'COMPOSE_FILE=one.yaml:two.yaml\\nCOMPOSE_PROFILES=x\\nCOMPOSE_PROJECT_NAME=named\\n' > .env
         docker compose config --services; docker compose up -d 2>/dev/null; docker compose ps --format '{{.Name}} {{.Command}}'
         docker compose down -t 0 2>/dev/null; docker compose --compatibility up -d 2>&1 | grep Started
         echo 'services: {}' > compose.yaml; echo 'services: {}' > docker-compose.yml; rm .env; docker compose config 2>&1",
    );
    for part in [
        "a\nb\nnamed-a-1 \"sleep 8\"\nnamed-b-1 ",
        " Container named_a_1  Started\n",
        "Found multiple config files with supported names: /root/t/compose.yaml, /root/t/docker-compose.yml\"",
    ] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn a_project_is_known_by_its_containers() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  b: {image: busybox, command: sleep 9, depends_on: [a]}\\n  a: {image: busybox, command: sleep 9}\\n' > compose.yaml
         docker compose up -d 2>/dev/null; cd ..; docker compose -p t down -t 0 2>&1",
    );
    let (first, last) = (out.find("t-b-1  Removed"), out.find("t-a-1  Stopping"));
    assert!(first.is_some() && last.is_some() && first < last, "{out}");
}

/// What is wrong with a file of one service, `a`, that has these attributes.
fn fault(service: &str) -> String {
    let text = format!("services: {{a: {{image: x, {service}}}}}");
    let contents = compose::Contents::from([
        ("/p/compose.yaml".to_string(), Some(text.into_bytes())),
        ("/p/.env".to_string(), None),
    ]);
    let request = Request::whole(vec!["/p/compose.yaml".into()], "/p", &|_| None, &contents);
    match compose::load(&request) {
        Ok(project) => compose::unique_names(&project).err().unwrap_or_default(),
        Err(LoadError::Invalid(text)) => text,
        Err(LoadError::Needs(path)) => format!("needs {path}"),
    }
}

#[test]
fn what_a_service_cannot_be_is_told_with_its_place() {
    let undecoded = "decoding failed due to the following error(s):\n\n";
    for (service, told) in [
        ("stop_grace_period: foo", format!("{undecoded}'services[a].stop_grace_period' time: invalid duration \"foo\"")),
        (
            "healthcheck: {test: x, interval: 5x}",
            format!("{undecoded}'services[a].healthcheck.interval' time: unknown unit \"x\" in duration \"5x\""),
        ),
        ("stop_grace_period: 1d", String::new()),
        ("mem_limit: foo", format!("{undecoded}'services[a].mem_limit' invalid size: 'foo'")),
        (
            "deploy: {replicas: foo}",
            "error while interpolating services.a.deploy.replicas: failed to cast to expected type: strconv.Atoi: parsing \"foo\": invalid syntax".into(),
        ),
        (
            "privileged: maybe",
            "error while interpolating services.a.privileged: failed to cast to expected type: invalid boolean: maybe".into(),
        ),
        ("tty: \"yes\"", String::new()),
        (
            "ulimits: {nofile: foo}",
            "error while interpolating services.a.ulimits.nofile: failed to cast to expected type: strconv.Atoi: parsing \"foo\": invalid syntax".into(),
        ),
        (
            "container_name: -x",
            "validating /p/compose.yaml: services.a.container_name '-x' does not match pattern '[a-zA-Z0-9][a-zA-Z0-9_.-]+'".into(),
        ),
        (
            "pull_policy: foo",
            "validating /p/compose.yaml: services.a.pull_policy 'foo' does not match pattern 'always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+'".into(),
        ),
        ("pull_policy: every_12h", String::new()),
        (
            "depends_on: {b: {condition: service_started, required: false}}",
            "service \"a\" depends on undefined service \"b\": invalid compose project".into(),
        ),
        (
            "platform: linux/arm64, build: {context: ., platforms: [linux/amd64]}",
            "service.build.platforms MUST include service.platform \"linux/arm64\": invalid compose project".into(),
        ),
        (
            "gpus: [{count: 1, device_ids: [a]}]",
            "services.a.gpus.[]: \"count\" and \"device_ids\" attributes are exclusive".into(),
        ),
        ("ports: [{target: 80, host_ip: x}]", "services.a.ports.[]: invalid ip address: x".into()),
        (
            "container_name: xx}, b: {image: x, container_name: xx",
            "services.b: container name \"xx\" is already in use by service {}\"".into(),
        ),
    ] {
        assert_eq!(fault(service), told, "{service}");
    }
}

#[test]
fn what_is_asked_of_the_files() {
    let (out, _) = script(
        "mkdir p sub && cd p && cat > compose.yaml <<'X'
services:
  a: {image: x, profiles: [q]}
  b: {image: 'y:${T:-1}', networks: [n], volumes: [v:/v], secrets: [{source: s, mode: 0400}]}
  c: {image: z, networks: [o], depends_on: [b]}
networks: {n: , o: }
volumes: {v: , w: }
secrets: {s: {environment: HOME}}
X
         echo T=5 > .env
         docker compose config --no-interpolate | grep image; docker compose config | grep -A2 mode
         echo networks $(docker compose config --networks); echo of b $(docker compose config b | grep name:)
         docker compose config --hash nosuch 2>&1; docker compose config --variables --format yaml
         COMPOSE_PARALLEL_LIMIT=x docker compose ps 2>&1; docker compose --project-directory /root/sub config 2>&1
         docker compose -f / config 2>&1; COMPOSE_FILE=no.yaml docker compose config 2>&1
         COMPOSE_PROJECT_NAME=zz docker compose config | head -1; docker compose config -o out --services; cat out
         cd ../sub; docker compose -f ../p/compose.yaml config --images; echo T=6 > .env
         docker compose -f ../p/compose.yaml --project-directory . config --images",
    );
    let steps = [
        "    image: x\n    image: y:${T:-1}\n    image: z\n",
        "mode: \"0400\"\n",
        "networks n o\nof b name: p name: p_n name: p_v name: p_s\n",
        "no such service: nosuch\n",
        "T:\n    name: T\n    defaultvalue: \"1\"\n    presencevalue: \"\"\n    required: false\n",
        "COMPOSE_PARALLEL_LIMIT must be an integer (found: \"x\")\n",
        "no configuration file provided: not found\n",
        "read /: is a directory\n",
        "stat /root/p/no.yaml: no such file or directory\n",
        "name: zz\n",
        "b\nc\n",
        "y:5\nz\n",
        "y:6\nz\n",
    ];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
}

#[test]
fn each_command_looks_where_compose_looks() {
    let (out, _) = script(
        "mkdir p && cd p && cat > compose.yaml <<'X'
services:
  web: {image: busybox, command: sleep 300, ports: ['80'], stop_grace_period: 1s, attach: false,
        depends_on: {db: {condition: service_healthy}}}
  db: {image: busybox, command: sh -c 'echo told >&2; exec sleep 300', volumes: [v:/v], stop_grace_period: 1s,
       healthcheck: {test: 'true', interval: 1s}}
  job: {image: busybox, command: sh -c 'exit 3', profiles: [job]}
volumes: {v: }
X
         docker compose up -d --quiet-pull >/dev/null 2>&1; echo again; docker compose up -d 2>&1
         echo lists; docker compose port web foo 2>&1; docker compose port no 80 2>&1; docker compose top no; docker compose images no
         docker compose volumes web; docker compose volumes -q db; docker compose logs --index 1 2>&1
         docker compose logs --no-color 2>/dev/null; docker compose wait no 2>&1; docker compose ps no 2>&1
         echo one; docker compose run -T -l foo web 2>&1; docker compose run -d --no-deps --name gone db true 2>/dev/null | wc -c
         sleep 1; docker inspect gone -f '{{index .Config.Labels \"com.docker.compose.container-number\"}}.'
         docker compose up -d 2>&1 | grep -o 'orphan containers ([a-z]*. \\|orphan containers (.gone.)'
         echo pause; docker compose pause db 2>&1; docker compose pause db 2>&1 | sed 's/[0-9a-f]\\{64\\}/ID/'; docker compose unpause db 2>/dev/null
         echo start; docker compose --profile job start job 2>&1; docker compose cp '' x 2>&1; docker compose cp no:/f . 2>&1
         docker compose commit web img 2>&1 | sed 's/:[0-9a-f]*$//'; docker compose foo >/dev/null 2>&1; echo status $?
         docker compose down --rmi foo 2>&1; docker compose ps -q | wc -l
         echo down; docker compose down --remove-orphans -t 0 --rmi all -v 2>&1 | grep -c 'Image busybox:latest  Removing'
         docker compose down 2>&1; docker compose -p other down 2>&1",
    );
    let steps = [
        "again\n",
        " Container p-db-1  Waiting\n Container p-db-1  Healthy\n",
        "lists\nstrconv.ParseUint: parsing \"foo\": invalid syntax\nservice \"no\" is not running\nCONTAINER  ",
        "DRIVER    VOLUME NAME\np_v\n--index requires one service to be selected\ndb-1  | told\n",
        "no containers for project \"p\"\nno such service: no\n",
        "one\nlabel must be set as KEY=VALUE\n65\n.\norphan containers ([gone])\n",
        "pause\n Container p-db-1  Paused\nError response from daemon: container ID is already paused\n",
        "start\nsource can not be empty\nno container found for service \"no\"\n p-web-1 Commit p-web-1 Committing\n",
        " p-web-1 Commit p-web-1 Committed as sha256\nstatus 1\ninvalid value for --rmi: \"foo\"\n2\n",
        "down\n1\n",
    ];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
    assert!(
        rest.contains("No resource found to remove for project \\\"other\\\"") && !rest.contains("\\\"p\\\""),
        "{out}"
    );
}

#[test]
fn logs_go_on_with_those_that_come_later() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'services:\\n  a: {image: busybox, command: sh -c \"echo hello; sleep 99\", stop_grace_period: 0s}\\n' > compose.yaml
         docker compose up -d --quiet-pull 2>/dev/null
         docker compose logs -f > log 2>&1 & P=$!
         sleep 2; docker compose up -d --scale a=2 2>/dev/null; sleep 2
         docker compose up -d --scale a=2 --force-recreate 2>/dev/null; sleep 2
         docker compose stop 2>/dev/null; sleep 2
         kill $P 2>/dev/null && echo it still listens; wait $P; cat log",
    );
    assert!(!out.contains("still listens"), "{out}");
    assert_eq!(out.matches("a-1  | hello").count(), 2, "{out}");
    assert_eq!(out.matches("a-2  | hello").count(), 2, "{out}");
    for part in ["a-1 exited with code 137", "a-2 has been recreated"] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
}

#[test]
fn a_restart_waits_for_what_restarts_with_it() {
    let (out, status) = script(
        "mkdir t && cd t && cat > compose.yaml <<'X'
services:
  db:
    image: busybox
    command: sh -c 'rm -f /ready; sleep 2; touch /ready; sleep 300'
    stop_grace_period: 0s
    healthcheck: {test: test -f /ready, interval: 1s, retries: 20}
  web: {image: busybox, command: sleep 300, stop_grace_period: 0s, depends_on: {db: {condition: service_healthy, restart: true}}}
  apart: {image: busybox, command: sleep 300, stop_grace_period: 0s, depends_on: {db: {condition: service_healthy}}}
X
docker compose up -d --quiet-pull 2>/dev/null; docker compose restart db 2>&1",
    );
    assert_eq!(status, 0, "{out}");
    let mut rest = out.as_str();
    for step in ["t-db-1  Started", "t-db-1  Waiting", "t-db-1  Healthy", "t-web-1  Restarting", "t-web-1  Started"] {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
    assert!(!out.contains("apart"), "{out}");
}

#[test]
fn images_go_by_who_built_them() {
    let (out, _) = script(
        "mkdir t && cd t
         printf 'FROM busybox\\nENV A=1\\n' > Dockerfile
         printf 'services:\\n  a: {build: ., image: mine:1}\\n  b: {image: alpine, command: sleep 99}\\n  c: {build: .}\\n' > compose.yaml
         docker compose up -d --quiet-pull > /dev/null 2>&1
         docker compose down -t 0 --rmi local 2>&1; docker images --format '{{.Repository}}:{{.Tag}}'
         docker compose down --rmi some; echo status $?",
    );
    for part in ["Image mine:1  Removed", "Image t-c:latest  Removed", "alpine:latest", "invalid value for --rmi"] {
        assert!(out.contains(part), "{part:?} is missing in\n{out}");
    }
    assert!(!out.contains("Image alpine"), "{out}");
}

#[test]
fn files_beside_a_file_are_told_of_in_composes_words() {
    let one = |rest: &str| format!("services: {{a: {{image: x, {rest}}}}}");
    let cases = [
        (one("extends: b"), "", "cannot extend service \"a\" in /root/t/compose.yaml: service \"b\" not found\n"),
        (
            one("extends: {file: o.yaml, service: b}"),
            "services: {c: {image: x}}",
            "cannot extend service \"a\" in /root/t/compose.yaml: service \"b\" not found in o.yaml\n",
        ),
        (
            one("extends: {file: o.yaml, service: b}"),
            "volumes: {c: }",
            "cannot extend service \"a\" in /root/t/o.yaml: no services section\n",
        ),
        (one("extends: {file: no.yaml, service: b}"), "", "open /root/t/no.yaml: no such file or directory\n"),
        (
            "services: {a: {image: x, extends: b}, b: {image: y, extends: a}}".into(),
            "",
            "Circular reference:\n  a in /root/t/compose.yaml\n  extends b in /root/t/compose.yaml\n  extends a in /root/t/compose.yaml\n",
        ),
        (
            one("extends: {file: o.yaml, service: c}"),
            "services: {c: {image: y, extends: {file: compose.yaml, service: a}}}",
            "Circular reference:\n  a in o.yaml\n  extends c in compose.yaml\n  extends a in o.yaml\n",
        ),
        (format!("include: o.yaml\n{}", one("tty: true")), "", "`include` must be a list, got o.yaml\n"),
        (
            format!("include: [{{path: o.yaml, env_file: no.env}}]\n{}", one("tty: true")),
            "services: {b: {image: y}}",
            "stat /root/t/no.env: no such file or directory\n",
        ),
        (
            one("env_file: [{path: o.yaml, format: raw}]"),
            "export A=1",
            "failed to parse env_file /root/t/o.yaml: variable 'export A' contains whitespaces\n",
        ),
        (one("env_file: o.yaml"), "A B=1", "failed to read /root/t/o.yaml: line 1: key cannot contain a space\n"),
        (
            one("tty: \"yes\", init: On, read_only: \"true\", labels: {x: y}"),
            "",
            "level=warning msg=\"\\\"yes\\\" for boolean is not supported by YAML 1.2, please use `true`\"\n",
        ),
    ];
    for (file, other, wanted) in cases {
        let (out, _) = script(&format!(
            "mkdir t && cd t && cat > compose.yaml <<'X'\n{file}\nX\ncat > o.yaml <<'X'\n{other}\nX\ndocker compose config 2>&1"
        ));
        assert!(out.contains(wanted), "{file}\n{out}");
    }
}

#[test]
fn images_are_built_all_in_one() {
    let (out, _) = script(
        "mkdir -p t/a t/b && cd t && echo 'FROM busybox' > a/Dockerfile
         printf 'FROM base\\nARG WHO\\nRUN echo by $WHO > /who\\n' > b/Dockerfile
         cat > compose.yaml <<'X'
services:
  a: {build: ./a}
  b: {build: {context: ./b, args: {WHO: me}, additional_contexts: {base: 'service:a'}}, image: mine:1, command: cat /who}
  c: {build: ./no, profiles: [c]}
  d: {build: {context: ., dockerfile_inline: \"FROM busybox\\nRUN exit 3\"}, profiles: [d]}
X
         docker compose build --build-arg WHO=you b 2>/dev/null
         echo run; docker compose run --rm -T b 2>/dev/null
         docker compose build -q b; echo quiet $?; docker compose build --ssh foo b 2>&1; docker compose build --builder no b 2>&1
         echo missing; docker compose build c 2>&1; echo failing; docker compose build d 2>/dev/null; docker compose build d 2>&1 >/dev/null; echo status $?",
    );
    let steps = [
        "#1 [internal] load local bake definitions\n#1 reading from stdin 943B done\n",
        "[a internal] load build definition from Dockerfile",
        "RUN echo by you > /who",
        "run\nby you\n",
        "quiet 0\ninvalid ssh key \"foo\"\nno builder \"no\" found\n\n",
        "missing\n#1 [internal] load local bake definitions",
        "unable to prepare context: path \"/root/t/no\" not found\n\n",
        "failing\n",
        "ERROR: process \"/bin/sh -c exit 3\"",
        "------\nDockerfile:2\n\n--------------------\n\n",
        "failed to solve: process \"/bin/sh -c exit 3\" did not complete successfully: exit code: 3\n\nstatus 1\n",
    ];
    let mut rest = out.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step:?} is missing, or too early, in\n{out}"));
        rest = &rest[at + step.len()..];
    }
    assert!(!out.contains("building with"), "{out}");
}
