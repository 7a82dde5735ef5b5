//! Several hosts in one session: machines, what is reached across the network, contexts, and looking back.

use crate::sim::session::{Activity, Config, Session};

/// What a script prints, run in a session.
fn printed(session: &Session, script: &str) -> String {
    let mut seen = Vec::new();
    session.script(script, |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

fn session() -> Session {
    Session::new(Config::default())
}

/// A session with a machine `dev`.
fn with_machine() -> Session {
    let session = session();
    let text = printed(&session, "docker-machine create dev");
    assert!(text.contains("Docker is up and running!"), "{text}");
    session
}

const AT_DEV: &str = "eval $(docker-machine env dev)\n";

#[test]
fn a_machine_has_containers_images_networks_and_volumes_of_its_own() {
    let session = with_machine();
    printed(&session, "docker run -d --name here nginx; docker volume create v1; docker network create n1");
    let script = "docker run -d --name there busybox sleep 900 2>/dev/null >&2
        docker ps --format '{{.Names}}'; docker images --format '{{.Repository}}'; docker volume ls -q
        docker network ls --format '{{.Name}}'; docker info --format '{{.Name}} {{.NCPU}} {{.MemTotal}}'
        docker version | grep Context; docker exec there hostname >/dev/null && echo runs";
    let text = printed(&session, &format!("{AT_DEV}{script}"));
    assert_eq!(text, "there\nbusybox\nbridge\nhost\nnone\ndev 1 1073741824\n Context:           default\nruns\n");
    assert_eq!(printed(&session, "docker ps --format '{{.Names}}'"), "here\n");
    // Processes are its own, too.
    let text = printed(&session, "docker-machine ssh dev ps -o comm; ps -o comm");
    let (there, here) = text.rsplit_once("COMMAND").unwrap();
    assert!(there.contains("dockerd") && there.contains("sleep") && !there.contains("nginx"), "{text}");
    assert!(here.contains("nginx") && !here.contains("sleep"), "{text}");
}

#[test]
fn ports_are_reached_across_and_only_where_they_are_published() {
    let session = with_machine();
    printed(&session, &format!("{AT_DEV}docker run -d -p 8080:80 nginx"));
    let text = printed(
        &session,
        "curl -s http://$(docker-machine ip dev):8080 | grep -c Welcome; curl -s localhost:8080 || echo no",
    );
    assert_eq!(text, "2\nno\n");
    // From a container of the one host to the other; and the same port of the one is free.
    let text = printed(
        &session,
        "docker run --rm -p 8080:80 busybox wget -qO- http://192.168.99.100:8080 2>/dev/null | grep -c Welcome",
    );
    assert_eq!(text, "2\n");
    let text = printed(&session, "docker-machine ssh dev ping -c 1 192.168.99.1 | grep transmitted");
    assert!(text.contains("0% packet loss"), "{text}");
}

#[test]
fn machines_are_listed_shown_switched_and_removed() {
    let session = with_machine();
    for (script, expected) in [
        (
            "docker-machine ls",
            "NAME   ACTIVE   DRIVER       STATE     URL                         SWARM   DOCKER    ERRORS\n\
            dev    -        virtualbox   Running   tcp://192.168.99.100:2376           v28.5.2   \n",
        ),
        (
            "eval $(docker-machine env dev); docker-machine ls --format '{{.Name}} {{.Active}}'; docker-machine active",
            "dev *\ndev\n",
        ),
        (
            "docker-machine ls -q; docker-machine ls -q --filter state=stopped; docker-machine ls -q --filter name=^d",
            "dev\ndev\n",
        ),
        ("docker-machine ls --filter colour=blue", "Unsupported filter key 'colour'\n"),
        (
            "docker-machine ip dev; docker-machine url dev; docker-machine status dev",
            "192.168.99.100\ntcp://192.168.99.100:2376\nRunning\n",
        ),
        ("docker-machine env --shell fish dev | head -1", "set -gx DOCKER_TLS_VERIFY \"1\";\n"),
        (
            "docker-machine env -u",
            "unset DOCKER_TLS_VERIFY\nunset DOCKER_HOST\nunset DOCKER_CERT_PATH\nunset DOCKER_MACHINE_NAME\n\
            # Run this command to configure your shell: \n# eval $(docker-machine env -u)\n",
        ),
        (
            "docker-machine inspect --format '{{.DriverName}} {{.Driver.IPAddress}} {{.Driver.Memory}}' dev",
            "virtualbox 192.168.99.100 1024\n",
        ),
        ("docker $(docker-machine config dev) ps -q && echo fine", "fine\n"),
        ("docker-machine ssh dev 'cat; exit 3' < /etc/hostname; echo $?", "cutaway\nexit status 3\n1\n"),
        ("docker-machine ip; echo $?", "Error: No machine name(s) specified and no \"default\" machine exists\n1\n"),
        (
            "docker-machine create dev; docker-machine create 'a b'",
            "Docker machine \"dev\" already exists\nError creating machine: \
            Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -\n",
        ),
        (
            "docker-machine nope; echo $?",
            "docker-machine: 'nope' is not a docker-machine command. See 'docker-machine --help'.\n1\n",
        ),
        (
            "docker-machine stop dev; docker-machine stop dev",
            "Stopping \"dev\"...\nMachine \"dev\" was stopped.\n\
            Stopping \"dev\"...\nMachine \"dev\" is already stopped.\n",
        ),
        (
            "docker-machine ip dev; docker-machine env dev; docker-machine status dev",
            "Error getting IP address: Host is not running\n\
            Error checking TLS connection: Host is not running\nStopped\n",
        ),
        ("docker-machine ssh dev ls", "Error: Cannot run SSH command: Host \"dev\" is not running\n"),
        (
            "docker-machine start dev | tail -1; docker-machine ssh dev hostname",
            "Started machines may have new IP addresses. You may \
            need to re-run the `docker-machine env` command.\ndev\n",
        ),
        (
            "echo n | docker-machine rm dev; docker-machine ls -q",
            "About to remove dev\nWARNING: This action will delete both local \
            reference and remote instance.\nAre you sure? (y/n): dev\n",
        ),
        (
            "docker-machine rm -y dev; docker-machine ls -q; docker-machine rm -y dev",
            "About to remove dev\nWARNING: This action will \
            delete both local reference and remote instance.\nSuccessfully removed dev\nAbout to remove dev\nWARNING: This action \
            will delete both local reference and remote instance.\nError removing host \"dev\": Docker machine \"dev\" does not \
            exist. Use \"docker-machine ls\" to list machines. Use \"docker-machine create\" to add a new one.\n",
        ),
        (
            "docker-machine create -d none --url tcp://a:1 far >/dev/null; docker-machine url far; docker-machine create -d azure x | tail -1",
            "tcp://a:1\nError with pre-create check: \"the simulated network has no azure; there are the drivers virtualbox, generic and none\"\n",
        ),
    ] {
        assert_eq!(printed(&session, script), expected, "{script}");
    }
}

#[test]
fn what_is_done_with_machines_is_told_as_the_real_program_does() {
    let session = with_machine();
    let ready = "Waiting for SSH to be available...\nDetecting the provisioner...\n";
    let certified = "Copying certs to the local machine directory...\nCopying certs to the remote machine...\n\
        Setting Docker configuration on the remote daemon...\n";
    let booting = "(dev) Check network to re-create if needed...\n(dev) Waiting for an IP...\n";
    let missing = "Docker machine \"x\" does not exist. Use \"docker-machine ls\" to list machines. Use \"docker-machine \
        create\" to add a new one.\n";
    let removing = "About to remove x\nWARNING: This action will delete both local reference and remote instance.\n";
    let hint = "machines may have new IP addresses. You may need to re-run the `docker-machine env` command.\n";
    let swarm = "\"dev\" is not a swarm master. The --swarm flag is intended for use with swarm masters\n";
    for (script, expected) in [
        ("docker-machine start dev; echo $?", "Starting \"dev\"...\nMachine \"dev\" is already running.\n1\n".to_string()),
        ("docker-machine provision dev", format!("{ready}{certified}")),
        (
            "docker-machine regenerate-certs -f --client-certs dev",
            format!("Regenerating TLS certificates\nRegenerating local certificates\n{ready}{certified}"),
        ),
        (
            "echo | docker-machine regenerate-certs dev; echo $?; echo n | docker-machine regenerate-certs dev; echo $?",
            "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): unexpected newline\n1\n\
            Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): 0\n"
                .to_string(),
        ),
        (
            "docker-machine upgrade dev",
            format!(
                "{ready}Upgrading docker...\nStopping machine to do the upgrade...\nUpgrading machine \"dev\"...\n\
                Starting machine back up...\n{booting}Restarting docker...\n"
            ),
        ),
        ("docker-machine restart dev", format!("Restarting \"dev\"...\n{booting}{ready}Restarted {hint}")),
        ("docker-machine version dev; docker-machine version", "28.5.2\ndocker-machine version 0.16.2, build bd45ab13\n".into()),
        ("docker-machine config --swarm dev", format!("Error running connection boilerplate: {swarm}")),
        (
            "no_proxy=a docker-machine env --shell tcsh --no-proxy dev | tail -3",
            "setenv no_proxy \"a,192.168.99.100\";\n: Run this command to configure your shell: \n\
            : eval `docker-machine env --shell tcsh --no-proxy dev`\n"
                .into(),
        ),
        (
            "docker-machine rm -f x; echo $?",
            format!("{removing}Error removing host \"x\": {missing}Can't remove \"x\"\n0\n"),
        ),
        ("docker-machine inspect -f '{{.x' dev", "template parsing error: template: :1: unclosed action\n".into()),
        (
            "docker-machine inspect -f '{{prettyjson .HostOptions.EngineOptions}}' dev | head -2",
            "{\n    \"ArbitraryFlags\": [],\n".into(),
        ),
        ("docker-machine ls -x | head -1; docker-machine ls -x >/dev/null; echo $?", "flag provided but not defined: -x\nIncorrect Usage.\nflag provided but not defined: -x\n0\n".into()),
        (
            "docker-machine help x; docker-machine create -d x y",
            "docker-machine: 'x' is not a docker-machine command. See 'docker-machine --help'.\nDriver \"x\" not found. Do you \
            have the plugin binary \"docker-machine-driver-x\" accessible in your PATH?\n"
                .into(),
        ),
        (
            "for n in 10 2; do docker-machine create -d none --engine-label n=$n --url tcp://192.168.99.100:2376 n$n >/dev/null; done
            docker-machine ls --format '{{.Name}} {{.State}} {{.DockerVersion}}' --filter name=^n; docker-machine stop n2; echo $?",
            "n2 Running v28.5.2\nn10 Running v28.5.2\nStopping \"n2\"...\nhosts without a driver cannot be stopped\n1\n".into(),
        ),
        (
            "docker-machine ls -q --filter name=v$ --filter name=0 --filter state=running; docker-machine ls -q --filter label=n=2",
            "dev\nn10\nn2\n".into(),
        ),
        (
            "mkdir ~/.docker/machine/machines/x; docker-machine ls --format '{{.Name}} {{.DriverName}} {{.Error}}' --filter name=x",
            "x not found open /root/.docker/machine/machines/x/config.json: no such file or directory\n".into(),
        ),
    ] {
        assert_eq!(printed(&session, script), expected, "{script}");
    }
}

#[test]
fn files_are_copied_between_hosts() {
    let session = with_machine();
    let script = "mkdir -p site/sub; echo one > site/a; echo two > site/sub/b; cd site
        docker-machine scp a dev:; docker-machine scp -r . dev:/srv/site; docker-machine ssh dev 'cat a /srv/site/sub/b'
        docker-machine ssh dev 'echo back > /tmp/c'; docker-machine scp dev:/tmp/c .; cat c
        docker-machine scp ../site dev:; docker-machine scp nope dev:; docker-machine scp a >/dev/null
        docker-machine scp -d a dev:; docker-machine scp x:a .; docker-machine mount dev:/srv";
    let expected = "one\ntwo\nback\nscp: /root/site/../site: not a regular file\nexit status 1\nscp: /root/site/nope: No such file or \
        directory\nexit status 1\nImproper number of arguments\n\
        You must have a copy of the rsync binary locally to use the --delta option\n\
        Error loading host: Error loading host: Docker machine \"x\" does not exist. Use \"docker-machine ls\" to list \
        machines. Use \"docker-machine create\" to add a new one.\n\
        You must have a copy of the sshfs binary locally to use the mount feature\n";
    assert_eq!(printed(&session, script), expected);
    // What a container of the other host binds is there, not here.
    let text =
        printed(&session, &format!("{AT_DEV}docker run --rm -v /srv/site:/s busybox cat /s/a 2>/dev/null; ls /srv"));
    assert_eq!(text, "one\n");
}

#[test]
fn a_machine_reaches_others_and_itself() {
    let session = with_machine();
    printed(
        &session,
        "docker-machine create two; docker -H ssh://root@192.168.99.101 run -d --name web busybox sleep 99",
    );
    let ask = |from: &str, host: &str| {
        printed(&session, &format!("docker-machine ssh {from} docker -H ssh://{host} ps --format {{{{.Names}}}}"))
    };
    assert_eq!(ask("dev", "192.168.99.101"), "web\n");
    assert_eq!(ask("two", "10.0.2.15"), "web\n");
    assert_eq!(ask("two", "localhost"), "web\n");
    assert_eq!(ask("two", "192.168.99.100"), "");
}

#[test]
fn what_a_machine_starts_again() {
    let session = with_machine();
    let run = "for p in no always unless-stopped; do docker run -d --name $p --restart $p busybox sleep 9999; done; docker stop always";
    printed(&session, &format!("{AT_DEV}{run}"));
    printed(&session, "docker-machine restart dev");
    let text = printed(&session, &format!("{AT_DEV}docker ps --format '{{{{.Names}}}}' | sort"));
    assert_eq!(text, "always\nunless-stopped\n");
}

#[test]
fn contexts_lead_to_other_hosts() {
    let session = with_machine();
    let keys = "D=$HOME/.docker/machine/machines/dev; \
        docker context create dev --docker host=tcp://192.168.99.100:2376,ca=$D/ca.pem,cert=$D/cert.pem,key=$D/key.pem 2>/dev/null";
    for (script, expected) in [
        (keys, "dev\n"),
        ("docker context create by-ssh --docker host=ssh://root@192.168.99.100 2>/dev/null", "by-ssh\n"),
        ("docker -c dev run -d --name there busybox sleep 999 2>/dev/null | wc -c", "65\n"),
        (
            "docker -c by-ssh ps --format '{{.Names}}'; DOCKER_CONTEXT=by-ssh docker ps --format '{{.Names}}'; docker ps -q",
            "there\nthere\n",
        ),
        (
            "docker context use dev 2>&1; docker ps --format '{{.Names}}'; docker info --format '{{.Name}} {{.ClientInfo.Context}}'",
            "dev\nCurrent context is now \"dev\"\nthere\ndev dev\n",
        ),
        (
            "docker -H unix:///var/run/docker.sock ps -q; DOCKER_HOST=unix:///var/run/docker.sock docker context show",
            "default\n",
        ),
        (
            "docker context ls",
            "NAME      DESCRIPTION                               DOCKER ENDPOINT               ERROR\n\
            by-ssh                                              ssh://root@192.168.99.100     \n\
            default   Current DOCKER_HOST based configuration   unix:///var/run/docker.sock   \n\
            dev *                                               tcp://192.168.99.100:2376     \n",
        ),
        (
            "docker context inspect --format '{{json .TLSMaterial}}' dev",
            "{\"docker\":[\"ca.pem\",\"cert.pem\",\"key.pem\"]}\n",
        ),
        (
            "docker context export dev - | docker context import again - 2>/dev/null; docker -c again ps --format '{{.Names}}'",
            "again\nthere\n",
        ),
        (
            "docker context update again --description copy 2>/dev/null; docker context inspect -f '{{.Metadata.Description}}' again",
            "again\ncopy\n",
        ),
        ("docker context rm dev; echo $?", "context \"dev\" is in use, set -f flag to force remove\n1\n"),
        (
            "docker context rm -f dev; docker context show; docker context rm by-ssh again nope",
            "dev\ndefault\nby-ssh\nagain\ncontext \"nope\" does not exist\n",
        ),
        (
            "ls ~/.docker/contexts/meta ~/.docker/contexts/tls | grep -v :; cat ~/.docker/config.json",
            "\n{\n\t\"auths\": {}\n}",
        ),
    ] {
        assert_eq!(printed(&session, script), expected, "{script}");
    }
}

#[test]
fn engines_that_can_not_be_reached() {
    let session = with_machine();
    let ssh = |user: &str, host: &str, why: &str| {
        format!(
            "error during connect: Get \"http://docker.example.com/v1.51/containers/json\": command [ssh -o \
             ConnectTimeout=30 -T -l {user} -- {host} docker system dial-stdio] has exited with exit status 255, make sure \
             the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr={why}\n\n"
        )
    };
    let url = "http://nowhere:2375/v1.51/containers/json";
    for (command, expected) in [
        ("docker -H tcp://nowhere:2375 ps", format!("error during connect: Get {url:?}: dial tcp: lookup nowhere on 10.0.2.3:53: no such host\n")),
        ("docker -H tcp://127.0.0.1:1 ps", "Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?\n".into()),
        ("docker -H tcp://192.168.99.9 ps", "error during connect: Get \"http://192.168.99.9:2375/v1.51/containers/json\": dial tcp \
            192.168.99.9:2375: connect: no route to host\n".into()),
        ("docker -H unix:///x ps", "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n".into()),
        ("docker -H tcp://192.168.99.100:2376 ps", "Error response from daemon: Client sent an HTTP request to an HTTPS server.\n".into()),
        ("docker -H tcp://192.168.99.100:2376 --tlsverify ps", "Failed to initialize: unable to resolve docker endpoint: open \
            /root/.docker/ca.pem: no such file or directory\n".into()),
        ("docker -H ssh://bob@192.168.99.100 ps", ssh("bob", "192.168.99.100", "bob@192.168.99.100: Permission denied (publickey).")),
        ("docker -H ssh://me@nowhere ps", ssh("me", "nowhere", "ssh: Could not resolve hostname nowhere: Name or service not known")),
        ("docker -H ssh://me:pw@a ps", "Failed to initialize: ssh host connection is not valid: invalid SSH URL: plain-text password is not supported\n".into()),
        ("docker -H foo://x ps", "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: foo://x\n".into()),
        ("docker -c nope ps", "Failed to initialize: unable to resolve docker endpoint: context \"nope\": context not found: open \
            /root/.docker/contexts/meta/ca3704aa0b06f5954c79ee837faa152d84d6b2d42838f0637a15eda8337dbdce/meta.json: no such file or directory\n".into()),
        ("docker -c a -H b ps", "conflicting options: cannot specify both --host and --context\n".into()),
    ] {
        let text = printed(&session, &format!("{command}; echo $?"));
        assert_eq!(text, format!("{expected}1\n"), "{command}");
    }
    let text = printed(
        &session,
        "cp -r ~/.docker/machine/machines/dev /tmp/dev; echo x > /tmp/dev/ca.pem; export DOCKER_TLS_VERIFY=1
        DOCKER_CERT_PATH=/tmp/dev docker -H tcp://192.168.99.100 ps",
    );
    assert!(
        text.ends_with("tls: failed to verify certificate: x509: certificate signed by unknown authority\n"),
        "{text}"
    );
    // The engine's port is that of a process, which can end.
    let text = printed(
        &session,
        &format!("{AT_DEV}docker-machine ssh dev pkill dockerd\ndocker ps; docker version | tail -1"),
    );
    assert!(text.starts_with("Cannot connect to the Docker daemon at tcp://192.168.99.100:2376."), "{text}");
    assert!(text.contains("Context:           default\n"), "{text}");
}

#[test]
fn the_stage_is_that_of_the_host_that_was_asked_and_looking_back_goes_across() {
    let session = session();
    printed(&session, "docker run --name here busybox true; docker-machine create dev");
    let names = |session: &Session| {
        let stage = session.stage();
        let containers: Vec<String> = stage.containers.iter().map(|c| c.name.clone()).collect();
        (stage.host.clone(), containers)
    };
    assert_eq!(names(&session), ("cutaway".into(), vec!["here".into()]));
    let before = session.step_count();
    printed(&session, &format!("{AT_DEV}docker run --name there busybox true"));
    assert_eq!(names(&session), ("dev".into(), vec!["there".into()]));
    let steps = session.steps(0);
    assert!(steps[..before].iter().all(|m| m.stage.host == "cutaway") && before < steps.len());
    assert!(steps[before..].iter().all(|m| m.stage.host == "dev"));
    assert_eq!(steps[before - 1].stage.containers[0].name, "here");
    printed(&session, "docker ps");
    assert_eq!(names(&session).0, "cutaway");
    printed(&session, "docker-machine ssh dev docker ps");
    assert_eq!(names(&session).0, "dev");
    printed(&session, "docker-machine rm -y dev");
    assert_eq!(names(&session), ("cutaway".into(), vec!["here".into()]));
}

#[test]
fn a_session_with_machines_lived_again_is_the_same() {
    let session = Session::new(Config { seed: 3, ..Config::default() });
    let drive = |session: &Session| while session.run(100_000) == Activity::Busy {};
    session.input(b"docker-machine create dev\n");
    session.run(500);
    session.tick(std::time::Duration::from_secs(5));
    drive(&session);
    session.input(b"eval $(docker-machine env dev); docker run -d --name web -p 80:80 nginx\n");
    drive(&session);
    session.tick(std::time::Duration::from_secs(2));
    drive(&session);
    session.input(b"docker-machine ssh dev\n");
    drive(&session);
    session.tick(std::time::Duration::from_secs(1));
    drive(&session);
    session.input(b"hostname > /root/name; exit\n");
    drive(&session);
    printed(&session, "docker-machine create other; docker-machine ssh dev cat name; docker-machine rm -f other");
    let log = session.log();
    let again = Session::replay(&log);
    assert_eq!(again.digest(), session.digest());
    assert_eq!(again.step_count(), session.step_count());
    assert!(session.steps(0).iter().any(|m| m.stage.host == "dev"));
    let part = Session::replay(&log.prefix(2));
    assert!(part.step_count() < session.step_count());
}
