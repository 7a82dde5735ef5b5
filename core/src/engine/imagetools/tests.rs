//! Images looked at and put together in a registry of the simulated machine.

use crate::engine::manifest::tests::filled;

#[test]
fn images_are_put_together_and_looked_at() {
    let script = "I='docker buildx imagetools'; $I create -t $L localhost:5000/t/a:amd64 localhost:5000/t/b:arm64 2>&1 | ids\n\
        $I inspect $L | ids | cat -A; $I inspect --format '{{json .Manifest}}' $L | ids | head -8\n\
        $I inspect --format '{{range .Manifest.Manifests}}{{.Platform.OS}} {{.Platform.Architecture}};{{end}}' $L; echo\n\
        $I inspect --format '{{(index .Image \"linux/arm64\").Architecture}} {{.Name}}' $L; echo\n\
        $I inspect --format '{{.Image.OS}} {{len .Image.RootFS.DiffIDs}} {{.Manifest.Size}}' localhost:5000/t/a:arm64; echo\n\
        $I inspect --raw $L | head -3; docker pull -q $L\n\
        $I create --dry-run --prefer-index=false localhost:5000/t/a:arm64 | head -2 | ids\n\
        $I create --dry-run --platform linux/arm64 $L | grep arch; $I create --append --dry-run -t $L localhost:5000/t/b:arm64 | grep -c arch";
    let seen = filled(script);
    let (made, rest) = seen.split_once("{\n").unwrap();
    let (list, rest) = rest.split_once("linux amd64;").unwrap();
    let part = "@sha256:ID$\n  MediaType: application/vnd.docker.distribution.manifest.v2+json$\n  Platform:  linux";
    assert_eq!(
        made,
        format!(
            "#1 [internal] pushing localhost:5000/t/a:both\n\
             #1 0.000 copying sha256:ID from localhost:5000/t/a:amd64 to localhost:5000/t/a:both\n\
             #1 0.000 copying sha256:ID from localhost:5000/t/b:arm64 to localhost:5000/t/a:both\n\
             #1 0.000 pushing sha256:ID to localhost:5000/t/a:both\n#1 DONE 0.0s\n\
             Name:      localhost:5000/t/a:both$\n\
             MediaType: application/vnd.docker.distribution.manifest.list.v2+json$\nDigest:    sha256:ID$\n\
             \x20          $\nManifests: $\n  Name:      localhost:5000/t/a:both{part}/amd64$\n\
             \x20            $\n  Name:      localhost:5000/t/a:both{part}/arm64$\n"
        )
    );
    assert_eq!(
        list,
        "  \"schemaVersion\": 2,\n  \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\",\n  \
         \"digest\": \"sha256:ID\",\n  \"size\": N,\n  \"manifests\": [\n    {\n      \
         \"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",\n"
    );
    assert_eq!(
        rest,
        "linux arm64;\narm64 localhost:5000/t/a:both\nlinux 1 523\n{\n  \"schemaVersion\": 2,\n  \
         \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\",\nlocalhost:5000/t/a:both\n\
         {\n   \"schemaVersion\": 2,\n        \"architecture\": \"arm64\",\n2\n"
    );
}

#[test]
fn an_image_is_copied_to_another_registry() {
    let script = "docker run -d -p 5001:5000 registry:2 > /dev/null 2>&1; sleep 1; I='docker buildx imagetools'\n\
        $I create --progress none --annotation index:a=b -t localhost:5001/x/y:1 -t localhost:5001/x/z busybox localhost:5000/t/a:arm64\n\
        $I inspect --raw localhost:5001/x/y:1 | grep -A3 annot; docker rmi -f localhost:5000/t/a:arm64 localhost:5000/t/b:arm64 > /dev/null\n\
        docker run --rm localhost:5001/x/z echo copied 2> /dev/null; docker pull -q --platform linux/arm64 localhost:5001/x/y:1";
    assert_eq!(filled(script), "  \"annotations\": {\n    \"a\": \"b\"\n  }\n}\ncopied\nlocalhost:5001/x/y:1\n");
}

#[test]
fn what_is_refused() {
    let script = "I='docker buildx imagetools'; $I create; $I create a; $I create --dry-run sha256:12; $I create -t A b; $I create --dry-run A\n\
        $I create --dry-run sha256:$(printf %064d 0); $I create --dry-run -t a b sha256:$(printf %064d 0); $I create --builder x --dry-run a\n\
        $I inspect --raw --format x a; $I inspect nosuch; $I inspect localhost:5000/no/such; $I inspect localhost:7/x; $I inspect X\n\
        $I create --dry-run --annotation a=b $L; $I create --dry-run --annotation a busybox; $I create --dry-run --annotation a=b busybox\n\
        $I create --dry-run --platform linux/s390x localhost:5000/t/a:arm64 localhost:5000/t/a:amd64; $I create --dry-run --platform x/y/z/a busybox\n\
        $I create --progress no -t $L localhost:5000/t/a:arm64; $I create -f nosuch --dry-run; $I inspect --format '{{.X}}' busybox; echo $?";
    let source = |text: &str, why: &str| {
        format!("failed to parse source {text:?}, valid sources are digests, references and descriptors: {why}")
    };
    let upper = |name: &str| format!("invalid reference format: repository name (library/{name}) must be lowercase");
    let told = [
        "no sources specified".into(),
        "can't push with no tags specified, please set --tag or --dry-run".into(),
        source("sha256:12", "invalid checksum digest length"),
        upper("A"),
        source("A", &upper("A")),
        "no repositories specified, please set a reference in tag or source".into(),
        format!("multiple repositories specified, cannot infer repository for \"sha256:{}\"", "0".repeat(64)),
        "no builder \"x\" found".into(),
        "format and raw cannot be used together".into(),
        "pull access denied, repository does not exist or may require authorization: server message: \
         insufficient_scope: authorization failed"
            .into(),
        "localhost:5000/no/such:latest: not found".into(),
        "failed to do request: Head \"http://localhost:7/v2/x/manifests/latest\": dial tcp 127.0.0.1:7: connect: \
         connection refused"
            .into(),
        upper("X"),
        "localhost:5000/t/a:both: not found".into(),
        "failed to parse annotations: invalid annotation \"a\", expected key=value".into(),
        "\"\" annotations are not supported yet".into(),
        "none of the manifests match the provided platforms".into(),
        "invalid platform \"x/y/z/a\": \"x/y/z/a\": cannot parse platform specifier: invalid argument".into(),
        "invalid progress mode no".into(),
        "open nosuch: no such file or directory".into(),
        "template: :1:2: executing \"\" at <.X>: can't evaluate field X in type imagetools.tplInput".into(),
    ];
    let told: String = told.iter().map(|line: &String| format!("ERROR: {line}\n")).collect();
    assert_eq!(filled(script), told + "1\n");
}
