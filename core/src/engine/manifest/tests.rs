//! Lists of manifests against a registry on the simulated machine.

use crate::sim::session::{Config, Session};

/// What a script of the simulated host prints, both streams together.
fn shell(script: &str) -> String {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    session.script(&format!("{{ {script}\n}} 2>&1"), |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

/// A registry with one image for two platforms, in two repositories.
const FILLED: &str = "docker run -d -p 5000:5000 registry:2 > /dev/null 2>&1; sleep 1\n\
    for a in amd64 arm64; do echo $a > f; tar cf f.tar f; docker import --platform linux/$a f.tar localhost:5000/t/a:$a \
    > /dev/null; docker push -q localhost:5000/t/a:$a; done > /dev/null\n\
    docker tag localhost:5000/t/a:arm64 localhost:5000/t/b:arm64; docker push -q localhost:5000/t/b:arm64 > /dev/null\n\
    L=localhost:5000/t/a:both; ids() { sed -E 's/[0-9a-f]{64}/ID/g; s/\"size\": [0-9]+/\"size\": N/'; }\n";

/// What a script prints on a machine with that registry.
pub fn filled(script: &str) -> String {
    shell(&format!("{FILLED}{script}"))
}

#[test]
fn a_list_is_made_annotated_and_pushed() {
    let script = "docker manifest create --insecure $L localhost:5000/t/a:amd64 localhost:5000/t/b:arm64\n\
        docker manifest annotate --variant v8 --os-features x,y $L localhost:5000/t/b:arm64\n\
        ls .docker/manifests .docker/manifests/*; docker manifest inspect $L | ids; docker manifest push -p $L | ids\n\
        ls .docker/manifests; docker manifest inspect --insecure $L | grep -c digest\n\
        docker rmi -f $(docker images -q localhost:5000/t/a) > /dev/null\n\
        docker pull -q --platform linux/arm64 $L; docker image inspect -f '{{.Architecture}}' $L\n\
        docker pull -q $L; docker image inspect -f '{{.Architecture}}' $L; docker pull --platform linux/s390x $L";
    let seen = filled(script);
    let (made, rest) = seen.split_once("{\n").unwrap();
    let (list, pushed) = rest.rsplit_once("]\n}\n").unwrap();
    assert_eq!(
        made,
        "Created manifest list localhost:5000/t/a:both\n.docker/manifests:\nlocalhost-5000_t_a-both\n\n\
         .docker/manifests/localhost-5000_t_a-both:\nlocalhost-5000_t_a-amd64\nlocalhost-5000_t_b-arm64\n"
    );
    let part = "\"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\", \"size\": N, \"digest\": \"sha256:ID\", \
        \"platform\": { \"architecture\": ";
    assert_eq!(
        list.split_whitespace().collect::<Vec<_>>().join(" "),
        format!(
            "\"schemaVersion\": 2, \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\", \
             \"manifests\": [ {{ {part}\"amd64\", \"os\": \"linux\" }} }}, {{ {part}\"arm64\", \"os\": \"linux\", \
             \"os.features\": [ \"x\", \"y\" ], \"variant\": \"v8\" }} }}"
        )
    );
    assert_eq!(
        pushed,
        "Pushed ref localhost:5000/t/a@sha256:ID with digest: sha256:ID\nsha256:ID\n2\n\
         localhost:5000/t/a:both\narm64\nlocalhost:5000/t/a:both\namd64\nboth: Pulling from t/a\n\
         no matching manifest for linux/s390x in the manifest list entries\n"
    );
}

#[test]
fn lists_are_refused_in_dockers_words() {
    let script = "docker manifest create $L localhost:5000/t/a:amd64; docker manifest create --insecure $L nosuch; \
        docker manifest create X y; docker manifest create $L Y; docker manifest inspect no/such\n\
        docker manifest create --insecure $L localhost:5000/t/a:amd64; docker manifest create $L localhost:5000/t/a:amd64\n\
        docker manifest annotate $L nosuch --os linux; docker manifest annotate $L localhost:5000/t/a:amd64 --arch z80\n\
        docker manifest push nosuch; docker manifest rm a B c; docker manifest rm $L; docker manifest rm $L\n\
        docker manifest inspect $L; docker manifest inspect $L localhost:5000/t/a:amd64\n\
        docker manifest create --insecure busy localhost:5000/t/a:amd64; docker manifest push busy\n\
        docker manifest inspect localhost:7/x; docker manifest create a | tail -1; echo $?";
    let denied =
        "errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required\n\n";
    assert_eq!(
        filled(script),
        format!(
            "no such manifest: localhost:5000/t/a:amd64\n{denied}\
             error parsing name for manifest list X: invalid reference format: repository name (library/X) must be lowercase\n\
             invalid reference format: repository name (library/Y) must be lowercase\n{denied}\
             Created manifest list localhost:5000/t/a:both\n\
             refusing to amend an existing manifest list with no --amend flag\n\
             manifest for image nosuch does not exist in localhost:5000/t/a:both\n\
             manifest entry for image has unsupported os/arch combination: /z80\n\
             No such manifest: docker.io/library/nosuch:latest\nNo such manifest: docker.io/library/a:latest\n\
             invalid reference format: repository name (library/B) must be lowercase\n\
             No such manifest: docker.io/library/c:latest\nNo such manifest: localhost:5000/t/a:both\n\
             no such manifest: localhost:5000/t/a:both\nNo such manifest: localhost:5000/t/a:amd64\n\
             Created manifest list docker.io/library/busy:latest\n\
             cannot use source images from a different registry than the target image: localhost:5000 != docker.io\n\
             failed to configure transport: error pinging v2 registry: Get \"https://localhost:7/v2/\": \
             dial tcp 127.0.0.1:7: connect: connection refused\n\
             docker: 'docker manifest create' requires at least 2 arguments\n\n\
             Usage:  docker manifest create MANIFEST_LIST MANIFEST [MANIFEST...]\n\n\
             See 'docker manifest create --help' for more information\n0\n"
        )
    );
}

#[test]
fn a_manifest_is_shown_as_it_is_and_with_what_is_known() {
    let script = "docker manifest inspect --insecure localhost:5000/t/a:amd64 | ids | head -4 | cat -A\n\
        docker manifest inspect -v --insecure localhost:5000/t/a:arm64 | ids | grep -v Raw";
    let (plain, verbose) = filled(script).split_once("{\n").map(|(a, b)| (a.to_string(), b.to_string())).unwrap();
    assert_eq!(
        plain,
        "{$\n^I\"schemaVersion\": 2,$\n^I\"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",$\n\
         ^I\"config\": {$\n"
    );
    assert!(
        verbose.starts_with(
            "\t\"Ref\": \"localhost:5000/t/a:arm64\",\n\t\"Descriptor\": {\n\t\t\"mediaType\": \
         \"application/vnd.docker.distribution.manifest.v2+json\",\n\t\t\"digest\": \"sha256:ID\",\n\t\t\"size\": N,\n\
         \t\t\"platform\": {\n\t\t\t\"architecture\": \"arm64\",\n\t\t\t\"os\": \"linux\"\n\t\t}\n\t},\n\
         \t\"SchemaV2Manifest\": {\n\t\t\"schemaVersion\": 2,\n"
        ),
        "{verbose}"
    );
}
