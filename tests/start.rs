//! Scenario: somebody starts the binary, rightly or wrongly.
//! Guarantee: it says where it listens and what to set, or one clear sentence, and exits with code 1.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use support::{Addresses, Server, costflame, output};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn serve_fails(folder: &std::path::Path, args: &[&str]) -> String {
    let (code, out, err) = output(costflame(folder).args(args));
    assert_eq!(code, Some(1), "stdout: {out}\nstderr: {err}");
    err
}

const FREE: [&str; 6] = [
    "--otlp-grpc-addr",
    "127.0.0.1:0",
    "--otlp-http-addr",
    "127.0.0.1:0",
    "--http-addr",
    "127.0.0.1:0",
];

#[test]
fn prints_addresses_database_and_what_to_set() {
    let folder = folder();
    let server = Server::start(folder.path(), "sqlite://c.db");
    for expected in [&server.grpc, &server.http, &server.api, "sqlite://c.db"] {
        assert!(
            server.banner.contains(expected),
            "{expected} is missing in\n{}",
            server.banner
        );
    }
    assert!(
        server
            .banner
            .contains(&format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", server.http))
    );
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn more_connections_are_open_than_the_shell_allows_files() {
    let folder = folder();
    let mut command = Command::new("sh");
    let few = "ulimit -S -n 64 && exec \"$0\" \"$@\"";
    command
        .args(["-c", few, env!("CARGO_BIN_EXE_costflame")])
        .current_dir(folder.path());
    let at = Addresses::free();
    let server = Server::start_as(command, folder.path(), "sqlite://c.db", &at, &[]);
    let mut open: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(&at.api).expect("a connection"))
        .collect();
    for stream in &mut open {
        write!(stream, "GET /readyz HTTP/1.1\r\nhost: {}\r\n\r\n", at.api).expect("sent");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200");
    }
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn serve_is_the_default_command_and_port_zero_picks_one() {
    let folder = folder();
    let mut command = costflame(folder.path());
    let mut child = command
        .args(FREE)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    let ready = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("OTLP/HTTP")));
    let line = ready.expect("a line with the address").expect("UTF-8");
    assert!(
        line.contains("127.0.0.1:") && !line.contains("127.0.0.1:0"),
        "{line}"
    );
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn the_file_is_below_the_environment_and_the_environment_below_the_flags() {
    let folder = folder();
    std::fs::write(
        folder.path().join("costflame.toml"),
        "database_url = \"sqlite://file.db\"\nlog = \"warn\"\n",
    )
    .expect("writable");
    let start = |set: Option<&str>, flags: &[&str]| {
        let mut command = costflame(folder.path());
        command
            .args(FREE)
            .args(flags)
            .stdout(std::process::Stdio::piped());
        if let Some(url) = set {
            command.env("COSTFLAME_DATABASE_URL", url);
        }
        let mut child = command.spawn().expect("starts");
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("sqlite://")));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        line.expect("names the database").expect("UTF-8")
    };
    assert!(start(None, &[]).contains("sqlite://file.db"));
    assert!(start(Some("sqlite://env.db"), &[]).contains("sqlite://env.db"));
    assert!(
        start(
            Some("sqlite://env.db"),
            &["--database-url", "sqlite://flag.db"]
        )
        .contains("sqlite://flag.db")
    );
}

#[test]
fn unknown_keys_and_bad_values_are_named() {
    let folder = folder();
    let err = serve_fails(folder.path(), &["serve", "--settle-after", "soon"]);
    assert!(
        err.contains("--settle-after") && err.contains("500ms"),
        "{err}"
    );
    let err = serve_fails(folder.path(), &["serve", "--no-such-flag"]);
    assert!(err.contains("--no-such-flag"), "{err}");
    let (code, _, err) = output(costflame(folder.path()).env("COSTFLAME_DATABASE", "x"));
    assert_eq!(code, Some(1));
    assert!(err.contains("COSTFLAME_DATABASE"), "{err}");
    std::fs::write(
        folder.path().join("costflame.toml"),
        "databse_url = \"sqlite://x.db\"\n",
    )
    .expect("writable");
    let err = serve_fails(folder.path(), &[]);
    assert!(
        err.contains("databse_url") && err.contains("database_url"),
        "{err}"
    );
    std::fs::write(
        folder.path().join("costflame.toml"),
        "settle_max = \"later\"\n",
    )
    .expect("writable");
    let err = serve_fails(folder.path(), &[]);
    assert!(err.contains("settle-max"), "{err}");
    let err = serve_fails(folder.path(), &["--config", "missing.toml"]);
    assert!(err.contains("missing.toml"), "{err}");
}

#[test]
fn a_port_in_use_is_one_sentence() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let mut args = FREE.to_vec();
    args[3] = &address;
    let err = serve_fails(folder.path(), &args);
    assert!(
        err.contains(&address) && err.contains("otlp_http_addr"),
        "{err}"
    );
    assert_eq!(err.trim().lines().count(), 1, "{err}");
}

#[test]
fn an_address_that_others_reach_is_refused_unless_something_in_front_guards_it() {
    let folder = folder();
    for flag in ["--otlp-grpc-addr", "--otlp-http-addr", "--http-addr"] {
        let mut args = FREE.to_vec();
        let place = args.iter().position(|word| *word == flag).expect("listed");
        args[place + 1] = "0.0.0.0:0";
        let err = serve_fails(folder.path(), &args);
        let key = flag.trim_start_matches('-').replace('-', "_");
        assert!(err.contains(&key) && err.contains("behind_proxy"), "{err}");
        assert_eq!(err.trim().lines().count(), 1, "{err}");
    }
    let mut args = FREE.to_vec();
    args[1] = "0.0.0.0:0";
    // Let through, it fails at the next mistake.
    args.extend(["--behind-proxy", "--max-spans-per-request", "0"]);
    let err = serve_fails(folder.path(), &args);
    assert!(err.contains("max_spans_per_request"), "{err}");
}

#[test]
fn a_provider_needs_what_belongs_to_it_and_its_secret_is_not_shown() {
    let folder = folder();
    let with = |more: &[&str]| {
        let err = serve_fails(folder.path(), &[&FREE[..], more].concat());
        assert!(!err.contains("top secret"), "{err}");
        err
    };
    let file = folder.path().join("costflame.toml");
    std::fs::write(&file, "oidc_client_secret = \"top secret\"\n").expect("writable");
    let all = [
        "--auth-required",
        "--public-url=https://c.example",
        "--oidc-client-id=c",
        "--oidc-roles=ops=admin",
        "--oidc-issuer=https://id.example",
    ];
    for (place, missing) in [
        "auth_required",
        "public_url",
        "oidc_client_id",
        "oidc_roles",
        "oidc_issuer",
    ]
    .into_iter()
    .enumerate()
    {
        let mut args = all.to_vec();
        args.remove(place);
        let err = with(&args);
        assert!(err.contains(&format!("needs {missing}")), "{err}");
    }
    for (mistake, named) in [
        ("--oidc-issuer=http://id.example", "expected https://"),
        ("--oidc-roles=ops=root", "`root` is no role"),
        ("--oidc-client-secret-file=nowhere", "which one"),
    ] {
        let key = mistake.split_once('=').map_or(mistake, |(key, _)| key);
        let mut args = all.to_vec();
        args.retain(|arg| !arg.starts_with(key));
        args.push(mistake);
        assert!(with(&args).contains(named), "{mistake}");
    }
    let (code, out, err) = output(costflame(folder.path()).args(["serve", "--help"]));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("--oidc-client-secret") && !out.contains("top secret"));
}

#[test]
fn with_tls_and_keys_others_may_reach_it() {
    let folder = folder();
    let with = |place: usize, more: &[&str]| {
        let mut args = FREE.to_vec();
        args[place] = "0.0.0.0:0";
        args.extend(more);
        let err = serve_fails(folder.path(), &args);
        assert_eq!(err.trim().lines().count(), 1, "{err}");
        err
    };
    let (otlp, api) = (3, 5);
    let tls = ["--tls-certificate", "c.pem", "--tls-key", "k.pem"];
    let err = with(api, &tls);
    assert!(
        err.contains("http_addr") && err.contains("auth_required"),
        "{err}"
    );
    let ca = [&tls[..], &["--tls-client-ca", "ca.pem"]].concat();
    assert!(
        with(api, &ca).contains("auth_required"),
        "it asks senders alone"
    );
    let err = with(otlp, &["--auth-required"]);
    assert!(err.contains("tls_certificate"), "{err}");
    // Let through, it fails at the files that are not there.
    for (place, more) in [(api, [&tls[..], &["--auth-required"]].concat()), (otlp, ca)] {
        let err = with(place, &more);
        assert!(err.contains("c.pem") && err.contains("tls_"), "{err}");
    }
    for (half, missing) in [
        (&tls[..2], "tls_key"),
        (&tls[2..], "tls_certificate"),
        (&["--tls-client-ca", "ca.pem"], "tls_certificate"),
    ] {
        assert!(with(otlp, half).contains(missing), "{half:?}");
    }
    std::fs::write(folder.path().join("c.pem"), "no certificate").expect("writable");
    std::fs::write(folder.path().join("k.pem"), "no key").expect("writable");
    let args = [&FREE[..], &tls].concat();
    let err = serve_fails(folder.path(), &args);
    assert!(err.contains("c.pem: it holds no certificate"), "{err}");
}

#[test]
fn an_unreachable_database_is_one_sentence() {
    let folder = folder();
    let Addresses { grpc: closed, .. } = Addresses::free();
    let url = format!("postgres://someone:secret@{closed}/none");
    let mut args = FREE.to_vec();
    args.extend(["--database-url", &url]);
    let err = serve_fails(folder.path(), &args);
    assert!(err.contains("postgres") && !err.contains("secret"), "{err}");
    assert_eq!(err.trim().lines().count(), 1, "{err}");
}

#[test]
fn a_folder_that_cannot_be_written_is_one_sentence() {
    let folder = folder();
    let mut args = FREE.to_vec();
    // A path below a file can be created by nobody, not even by root.
    std::fs::write(folder.path().join("file"), "").expect("writable");
    args.extend(["--database-url", "sqlite://file/c.db"]);
    let err = serve_fails(folder.path(), &args);
    assert!(err.contains("file/c.db"), "{err}");
    assert_eq!(err.trim().lines().count(), 1, "{err}");
}

#[test]
fn another_database_scheme_is_refused_without_showing_its_password() {
    let folder = folder();
    let mut args = FREE.to_vec();
    args.extend(["--database-url", "mysql://someone:secret@host/db"]);
    let err = serve_fails(folder.path(), &args);
    assert!(
        err.contains("database_url") && !err.contains("secret"),
        "{err}"
    );
}

#[test]
fn help_documents_every_setting() {
    let folder = folder();
    let (code, out, _) = output(costflame(folder.path()).args(["serve", "--help"]));
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(out);
}

#[test]
fn distributing_over_citus_is_shown_first_and_needs_citus() {
    let folder = folder();
    let distribute = |flags: &[&str]| {
        let mut command = costflame(folder.path());
        output(command.args(["db", "distribute"]).args(flags))
    };
    let (code, out, err) = distribute(&["--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    insta::assert_snapshot!(out, @"
    SELECT create_distributed_table('landing', 'lane', colocate_with => 'none', shard_count => 64);
    SELECT create_distributed_table('dirty', 'lane', colocate_with => 'landing');
    SELECT create_distributed_table('calls', 'lane', colocate_with => 'landing');
    SELECT create_distributed_table('traces', 'lane', colocate_with => 'landing');
    SELECT create_distributed_table('sampled_calls', 'lane', colocate_with => 'landing');
    SELECT create_distributed_table('claims', 'identity_lane', colocate_with => 'landing');
    SELECT create_reference_table('paths');
    SELECT create_reference_table('series');
    SELECT create_reference_table('used_classes');
    SELECT create_reference_table('catalogs');
    SELECT create_reference_table('lanes');
    SELECT create_reference_table('meta');
    ");
    let (code, _, err) = distribute(&["--database-url", "sqlite://c.db"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("SQLite is one file"), "{err}");
}

fn of_repository(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words that begin with a prefix, of letters, digits and underscores.
fn words<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c))
        .filter(|word| word.starts_with(prefix) && word.len() > prefix.len())
        .collect()
}

#[test]
fn what_the_files_for_deployment_name_exists() {
    let folder = folder();
    let (_, help, _) = output(costflame(folder.path()).args(["serve", "--help"]));
    let kubernetes = of_repository("docs/deploy/kubernetes.yaml");
    for text in [
        &kubernetes,
        &of_repository("Containerfile"),
        &of_repository("docs/operate.md"),
    ] {
        for variable in words(text, "COSTFLAME_") {
            assert!(help.contains(variable), "{variable}");
        }
    }
    // The configuration is right but for files that are not here.
    let (_, block) = kubernetes
        .split_once("costflame.toml: |\n")
        .expect("a file");
    let (block, _) = block.split_once("\n---").expect("its end");
    let lines = block
        .lines()
        .map(|line| line.strip_prefix("    ").expect("indented"));
    let toml: Vec<_> = lines.collect();
    std::fs::write(folder.path().join("k.toml"), toml.join("\n")).expect("writable");
    let err = serve_fails(folder.path(), &["serve", "--config", "k.toml"]);
    assert!(err.contains("/tls/tls.crt"), "{err}");
    assert!(
        toml.iter()
            .any(|line| line.contains("auth_required = true"))
    );

    // A destination that is not there, and is given up soon, so that every counter has a line.
    let forward = "[[forward]]\nname = \"a\"\nendpoint = \"http://127.0.0.1:1\"\nmax_age = \"1s\"\nenrich = \"off\"\n";
    std::fs::write(folder.path().join("costflame.toml"), forward).expect("writable");
    let server = Server::start(folder.path(), "sqlite://c.db");
    let span = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
        "spanId":"b7ad6b7169203331","name":"a","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
    for (body, status) in [(span, "200"), ("{", "400")] {
        let length = body.len();
        let head = format!("content-type: application/json\r\ncontent-length: {length}");
        let answer = exchange(
            &server.http,
            &format!("POST /v1/traces HTTP/1.1\r\n{head}"),
            body,
        );
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let alerts = of_repository("docs/deploy/alerts.yaml");
    support::wait_until("everything that alerts watch is there", || {
        let metrics = exchange(&server.api, "GET /metrics HTTP/1.1", "");
        let is_missing = |name: &&str| !metrics.lines().any(|line| line.starts_with(name));
        let missing: Vec<_> = words(&alerts, "costflame_")
            .into_iter()
            .filter(is_missing)
            .collect();
        // Nothing has been priced here.
        (missing
            .iter()
            .all(|name| *name == "costflame_cost_usd_total"))
        .then_some(())
    });
}

/// The whole answer to a request.
fn exchange(base: &str, head: &str, body: &str) -> String {
    use std::io::{Read as _, Write as _};
    let address = base.strip_prefix("http://").expect("without TLS");
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    answer
}
