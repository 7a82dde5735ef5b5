//! Image commands from beginning to end, on the simulated machine.

use crate::sim::session::{Config, Session};

/// What a script of the simulated host prints, both streams together.
fn shell(script: &str) -> String {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    session.script(&format!("{{ {script}\n}} 2>&1"), |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn names_come_and_go() {
    let script = "docker pull -q busybox\n\
        docker tag busybox team/app:1; docker tag busybox team/app\n\
        docker images --format '{{.Repository}}:{{.Tag}}'\n\
        docker rmi team/app:1 team/app; docker rmi team/app:1\n\
        docker create --name user busybox true > /dev/null; docker rmi busybox 2>&1 | sed -E 's/[0-9a-f]{12}/ID/g'\n\
        docker rm user > /dev/null; docker rmi busybox | sed -E 's/[0-9a-f]{64}/ID/'; docker images -aq | wc -l";
    assert_eq!(
        shell(script),
        "docker.io/library/busybox:latest\nbusybox:latest\nteam/app:1\nteam/app:latest\n\
         Untagged: team/app:1\nUntagged: team/app:latest\nError response from daemon: No such image: team/app:1\n\
         Error response from daemon: conflict: unable to remove repository reference \"busybox\" (must force) - container ID is using its referenced image ID\n\
         Untagged: busybox:latest\nUntagged: busybox@sha256:ID\nDeleted: sha256:ID\nDeleted: sha256:ID\n0\n"
    );
}

#[test]
fn an_image_removed_by_force_still_serves_its_container() {
    let script = "docker pull -q busybox > /dev/null; docker create --name user busybox echo alive > /dev/null\n\
        docker rmi -f busybox > /dev/null; docker images -q | wc -l; docker start -a user; docker rm user";
    assert_eq!(shell(script), "0\nalive\nuser\n");
}

#[test]
fn saved_and_loaded() {
    let script = "docker pull -q busybox > /dev/null; docker tag busybox a/b:1\n\
        printf 'FROM busybox\\nRUN echo 1 > /one\\n' | docker build -q -t two - > /dev/null\n\
        docker save -o all.tar a/b:1 two; docker save two > again.tar; docker save two | cmp - again.tar && echo same\n\
        docker rmi -f a/b:1 two busybox > /dev/null; docker load -i all.tar; docker run --rm two cat /one\n\
        docker history --format '{{.CreatedBy}}' two | head -1; tar tf all.tar | grep -v blobs\n\
        echo new > bad.tar; docker load -i bad.tar; docker load < /dev/null; docker load -i nosuch; docker save nosuch -o x.tar";
    assert_eq!(
        shell(script),
        "same\nLoaded image: a/b:1\nLoaded image: two:latest\n1\nRUN /bin/sh -c echo 1 > /one # buildkit\n\
         index.json\nmanifest.json\noci-layout\nrepositories\n\
         unexpected EOF\ninvalid archive: does not contain a manifest.json\nopen nosuch: no such file or directory\nError response from daemon: No such image: nosuch\n"
    );
}

#[test]
fn as_a_tree() {
    let script = "docker pull -q busybox > /dev/null; docker tag busybox a/longer/name:1\n\
        docker images --tree | sed -E '1,4d; s/[0-9a-f]{12}/ID/'; docker images --tree -q; docker images --tree --digests";
    assert_eq!(
        shell(script),
        "a/longer/name:1\nbusybox:latest    ID         127B             0B        \n\
         --quiet is not yet supported with --tree\n--show-digest is not yet supported with --tree\n"
    );
}

#[test]
fn pushed_for_one_platform() {
    let script = "docker pull -q busybox > /dev/null; docker push --platform foo busybox\n\
        docker push -q --platform linux/arm64 busybox | head -2; docker push -q --platform linux/arm64 busybox 2>&1 | tail -1";
    assert_eq!(
        shell(script),
        "Invalid platform foo\"foo\": unknown operating system or architecture: invalid argument\n\
         Error response from daemon: image with reference docker.io/library/busybox:latest was found but its platform \
         (linux/amd64) does not match the specified platform (linux/arm64)\n\n \
         Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.\n\
         Error response from daemon: image with reference docker.io/library/busybox:latest was found but its platform \
         (linux/amd64) does not match the specified platform (linux/arm64)\n"
    );
}

#[test]
fn to_a_registry_and_back() {
    let script = "docker run -d -p 5000:5000 --name registry registry:2 > /dev/null 2>&1; sleep 1; docker pull -q busybox > /dev/null\n\
        docker tag busybox localhost:5000/t/a:1; docker push localhost:5000/t/a:1 | sed -E 's/[0-9a-f]{64}/ID/; s/^[0-9a-f]{12}/ID/; s/size: .*/size: N/'\n\
        docker push -q localhost:5000/t/a:1; docker rmi -f localhost:5000/t/a:1 busybox > /dev/null\n\
        docker run --rm localhost:5000/t/a:1 echo pulled 2> /dev/null; docker pull -q -a localhost:5000/t/a\n\
        docker pull localhost:5000/t/a:2; docker push localhost:5000/x/y";
    assert_eq!(
        shell(script),
        "The push refers to repository [localhost:5000/t/a]\nID: Preparing\nID: Pushed\n1: digest: sha256:ID size: N\n\
         localhost:5000/t/a:1\npulled\nlocalhost:5000/t/a\n\
         Error response from daemon: manifest for localhost:5000/t/a:2 not found: manifest unknown: manifest unknown\n\
         Using default tag: latest\nThe push refers to repository [localhost:5000/x/y]\n\
         An image does not exist locally with the tag: localhost:5000/x/y\n"
    );
}

#[test]
fn committed_and_imported() {
    let script = "docker run --name wk busybox sh -c 'echo n > /n; rm /etc/group' 2> /dev/null\n\
        docker commit -m by-hand -a me -c 'CMD [\"cat\",\"/n\"]' wk snap:1 | cut -c1-7; docker run --rm snap:1\n\
        docker image inspect -f '{{.Comment}} {{.Author}} {{len .RootFS.Layers}}' snap:1\n\
        docker export wk | docker import -c 'CMD cat /n' -m text - flat | cut -c1-7; docker run --rm flat\n\
        docker history --format '{{.Comment}}' flat; docker commit -c 'RUN x' wk; docker commit nosuch";
    assert_eq!(
        shell(script),
        "sha256:\nn\nby-hand me 2\nsha256:\nn\ntext\nError response from daemon: run is not a valid change command\n\
         Error response from daemon: No such container: nosuch\n"
    );
}

#[test]
fn logging_in_without_a_terminal() {
    let script = "docker login; echo $?; docker login -u a -p b --password-stdin; docker login --password-stdin\n\
        docker login -u '' r; docker login -u a -p '' r; echo pw | docker login -u a --password-stdin\n\
        docker run -d -p 5000:5000 registry:2 > /dev/null 2>&1\n\
        echo pw | docker login -u alice --password-stdin localhost:5000; cat .docker/config.json; echo\n\
        docker login localhost:5000; docker logout localhost:5000; cat .docker/config.json";
    let warning = "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n";
    assert_eq!(
        shell(script).replace(warning, ""),
        "Error: Cannot perform an interactive login from a non TTY device\n1\n\
         conflicting options: cannot specify both --password and --password-stdin\n\
         the --password-stdin option requires --username to be set\nusername is empty\npassword is empty\n\
         Error response from daemon: Get \"https://registry-1.docker.io/v2/\": unauthorized: incorrect username or \
         password\n\n\
         WARNING! Your credentials are stored unencrypted in '/root/.docker/config.json'.\n\
         Configure a credential helper to remove this warning. See\n\
         https://docs.docker.com/go/credential-store/\n\nLogin Succeeded\n\
         {\n\t\"auths\": {\n\t\t\"localhost:5000\": {\n\t\t\t\"auth\": \"YWxpY2U6cHc=\"\n\t\t}\n\t}\n}\n\
         Authenticating with existing credentials... [Username: alice]\n\n \
         Info -> To login with a different account, run 'docker logout' followed by 'docker login'\n\n\n\
         Login Succeeded\nRemoving login credentials for localhost:5000\n{\n\t\"auths\": {}\n}"
    );
}

#[test]
fn logging_in_at_a_terminal() {
    let session = Session::new(Config::default());
    session.script("docker run -d -p 5000:5000 registry:2 2> /dev/null", |_| {});
    let answer = |keys: &str| {
        session.take_output();
        session.input(keys.as_bytes());
        session.tick(std::time::Duration::from_secs(2));
        while session.run(100_000) == crate::sim::session::Activity::Busy {}
        String::from_utf8_lossy(&session.take_output()).into_owned()
    };
    assert!(answer("docker login localhost:5000\n").ends_with("Username: "));
    assert!(answer("alice\n").ends_with("Password: "));
    // A key too many is taken back, and nothing of it is seen.
    let after = answer("secretx\x7f\r");
    assert!(after.contains("Login Succeeded") && !after.contains("secret"), "{after:?}");
    assert!(answer("cat .docker/config.json\n").contains("YWxpY2U6c2VjcmV0"));
    assert!(answer("docker login -u bob localhost:5000\n").ends_with("Password: "));
    assert!(answer("\n").contains("Error: Password Required"));
}

#[test]
fn platforms_of_images() {
    let script = "docker pull -q busybox; docker pull --platform linux/arm64 busybox | tail -2\n\
        docker pull --platform a/b/c/d busybox; docker history --platform foo busybox\n\
        docker run --rm --platform linux/arm64 --pull never busybox true; echo $?\n\
        docker run --rm --platform foo busybox true 2>&1 | head -1; docker run --rm --platform linux/amd64 busybox echo ran";
    let other = "image with reference busybox was found but its platform (linux/amd64) does not match the specified \
                 platform (linux/arm64)";
    assert_eq!(
        shell(script),
        format!(
            "docker.io/library/busybox:latest\nWARNING: {}\ndocker.io/library/busybox:latest\nUsing default tag: latest\n\
             Error response from daemon: \"a/b/c/d\": cannot parse platform specifier: invalid argument\n\
             invalid platform: \"foo\": unknown operating system or architecture: invalid argument\n\
             docker: Error response from daemon: {other}\n\nRun 'docker run --help' for more information\n125\n\
             docker: error parsing specified platform: \"foo\": unknown operating system or architecture: invalid argument\n\
             ran\n",
            other.replace("busybox", "busybox:latest")
        )
    );
}

#[test]
fn filters_that_are_refused() {
    let script = "docker search alpine --filter stars=x; docker search alpine --filter is-official=x\n\
        docker search alpine --filter x=y; docker images --filter x=y; docker images --filter dangling=x\n\
        docker search alpine --filter stars=100 --filter is-official=true --format '{{.Name}}'\n\
        docker ps --filter exited=x; docker ps --filter publish=80-x; docker ps --filter is-task=x\n\
        docker network ls --filter type=x; docker create --name kept busybox 2> /dev/null | wc -l\n\
        docker system prune -f --filter x=y; docker container prune -f --filter x=y; docker ps -aq | wc -l\n\
        docker inspect -f '{{index .NetworkSettings.Ports \"80/tcp\" 0}}' kept 2>&1";
    assert_eq!(
        shell(script),
        "Error response from daemon: invalid filter 'stars=x': strconv.Atoi: parsing \"x\": invalid syntax\n\
         Error response from daemon: invalid filter 'is-official=[x]'\nError response from daemon: invalid filter 'x'\n\
         Error response from daemon: invalid filter 'x'\nError response from daemon: invalid filter 'dangling=[x]'\nalpine\n\
         Error response from daemon: invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax\n\
         Error response from daemon: error while looking up for publish 80-x: strconv.ParseUint: parsing \"x\": invalid \
         syntax\nError response from daemon: invalid filter 'is-task=[x]'\n\
         Error response from daemon: invalid filter: 'type'='x'\n1\nError response from daemon: invalid filter 'x'\n\
         Error response from daemon: invalid filter 'x'\n1\n\ntemplate parsing error: template: :1:2: executing \"\" at \
         <index .NetworkSettings.Ports \"80/tcp\" 0>: error calling index: index of untyped nil\n"
    );
}

#[test]
fn links_on_the_default_bridge() {
    let script = "docker run -d --name db -h dbhost busybox sleep 1000 2> /dev/null | wc -l\n\
        docker run --rm --link db:database busybox sh -c 'grep database /etc/hosts; ping -c 1 database | head -1'\n\
        docker run --rm --link nosuch busybox true 2>&1 | head -1\n\
        docker create --name web --link db:database busybox true | wc -l; docker stop -t 0 db; docker start web\n\
        docker rm --link web/nosuch; docker rm --link web; docker rm --link /web/database; docker start web; docker rm -f web";
    assert_eq!(
        shell(script),
        "1\n172.17.0.2\tdatabase dbhost db\nPING database (172.17.0.2): 56 data bytes\n\
         docker: Error response from daemon: could not get container for nosuch: No such container: nosuch\n\
         1\ndb\nError response from daemon: Cannot link to a non running container: /db AS /web/database\n\
         Error: failed to start containers: web\nError response from daemon: No such container: web/nosuch\n\
         Error response from daemon: Conflict, cannot remove the default link name of the container\nweb/database\nweb\nweb\n"
    );
}

#[test]
fn the_configuration_can_be_elsewhere() {
    let script = "docker run -d -p 5000:5000 registry:2 > /dev/null 2>&1; S=localhost:5000\n\
        echo pw | docker --config /tmp/c login -u bob --password-stdin $S 2>&1 | grep -v ^$ | head -1; ls .docker\n\
        DOCKER_CONFIG=/tmp/c docker login $S 2> /dev/null | head -1; docker logout docker.io; docker --config /tmp/c logout https://$S/v2/\n\
        cat /tmp/c/config.json; echo; mkdir h; echo '{\"credsStore\":\"x\",\"credHelpers\":{\"other:1\":\"\"}}' > h/config.json\n\
        echo pw | docker --config h login -u bob --password-stdin $S; echo $?; docker --config h logout $S; docker --config h pull -q busybox";
    assert_eq!(
        shell(script),
        "WARNING! Your credentials are stored unencrypted in '/tmp/c/config.json'.\n\
         ls: .docker: No such file or directory\nAuthenticating with existing credentials... [Username: bob]\n\
         Removing login credentials for docker.io\nRemoving login credentials for localhost:5000\n{\n\t\"auths\": {}\n}\n\
         Error saving credentials: error storing credentials - err: exec: \"docker-credential-x\": executable file not \
         found in $PATH, out: ``\n1\nRemoving login credentials for localhost:5000\ndocker.io/library/busybox:latest\n"
    );
}

#[test]
fn a_platform_is_asked_for() {
    let script = "tar cf f.tar /dev/null 2> /dev/null; docker import --platform linux/arm64 f.tar arm > /dev/null\n\
        docker run -d -p 5000:5000 registry:2 > /dev/null 2>&1; sleep 1; docker tag arm localhost:5000/arm; docker push -q localhost:5000/arm\n\
        docker rmi arm localhost:5000/arm > /dev/null; docker pull localhost:5000/arm | tail -2; docker pull -q --platform linux/arm64 localhost:5000/arm\n\
        docker pull --platform linux/amd64 localhost:5000/arm | tail -2; DOCKER_DEFAULT_PLATFORM=linux/s390x docker pull busybox | tail -2";
    let other = |name: &str, own: &str, asked: &str| {
        format!(
            "WARNING: image with reference {name} was found but its platform ({own}) does not match the specified platform ({asked})\n"
        )
    };
    let arm = "localhost:5000/arm:latest\n";
    assert_eq!(
        shell(script),
        format!(
            "{arm}Status: Downloaded newer image for {arm}{arm}{arm}{}{arm}{}docker.io/library/busybox:latest\n",
            other("localhost:5000/arm:latest", "linux/arm64", "linux/amd64"),
            other("busybox:latest", "linux/amd64", "linux/s390x")
        )
    );
}

#[test]
fn what_is_refused_and_what_is_warned_of() {
    let script = "docker pull -q busybox > /dev/null; docker tag busybox sha256:abc; docker pull scratch | tail -1; docker pull -q scratch\n\
        docker images --format '{{.Containers}} {{.SharedSize}}'; docker save -o / busybox; docker save -o /dev/null busybox\n\
        docker image prune -f --filter until=x; docker inspect -s -f '{{.Os}}' busybox; tar cf f.tar /etc/hostname 2> /dev/null\n\
        docker import nosuch Foo; docker import f.tar im > /dev/null; docker history --format '{{.Comment}}' im\n\
        docker import f.tar foo@sha256:$(printf %064d 0); docker import --platform linux/arm64 f.tar arm > /dev/null; docker create arm x | wc -l\n\
        docker create --platform linux/arm64 arm x | wc -l; docker search --format '{{.IsOfficial}}{{.IsAutomated}}' redis\n\
        docker search --format json redis | grep -o 'Is[^,]*'; docker export -o /tmp $(docker ps -aq | head -1)";
    assert_eq!(
        shell(script),
        "Error response from daemon: refusing to create an ambiguous tag using digest algorithm as name\n\
         Error response from daemon: 'scratch' is a reserved name\nUsing default tag: latest\n\
         Error response from daemon: 'scratch' is a reserved name\nN/A N/A\n\
         failed to save image: cannot write to a directory\nfailed to save image: cannot write to a character device file\n\
         Error response from daemon: failed to parse value as time or duration: \"x\"\n\
         WARNING: --size ignored for image\nlinux\nopen nosuch: no such file or directory\nImported from -\nError response from daemon: cannot import digest reference\n\
         WARNING: The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64/v3) and no \
         specific platform was requested\n1\n1\n[OK]\nIsAutomated\":\"false\"\nIsOfficial\":\"true\"\n\
         failed to export container: cannot write to a directory\n"
    );
}
