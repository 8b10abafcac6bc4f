//! Tables that work and tables that do not.

use costflame_profile::Signal;

use super::*;

fn tables(text: &str) -> Vec<ForwardTable> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        forward: Vec<ForwardTable>,
    }
    toml::from_str::<File>(text).unwrap().forward
}

fn checked(text: &str, environment: &[(&str, &str)]) -> Result<Vec<Destination>, ConfigError> {
    let variable = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let project = |name: &str| (name == "search").then_some(7);
    destinations(tables(text), &variable, &project)
}

fn urls(destination: &Destination) -> [Option<String>; 3] {
    destination
        .urls
        .clone()
        .map(|url| url.map(|url| url.to_string()))
}

#[test]
fn a_name_and_an_endpoint_are_enough() {
    let text = "[[forward]]\nname = \"tempo\"\nendpoint = \"https://tempo:4318/\"";
    let [one] = &checked(text, &[]).unwrap()[..] else {
        panic!("one destination");
    };
    assert_eq!(
        urls(one),
        ["traces", "logs", "metrics"].map(|signal| Some(format!("https://tempo:4318/v1/{signal}")))
    );
    assert_eq!(one.protocol, Protocol::Http(Format::Protobuf));
    assert_eq!(
        (one.compression, one.timeout),
        (Compression::Gzip, Duration::from_secs(10))
    );
    assert_eq!((one.filter, one.enrich), (Filter::All, Enrich::Settled));
}

#[test]
fn signals_have_endpoints_of_their_own_or_are_left_out() {
    let text = "[[forward]]\nname = \"a\"\nprotocol = \"grpc\"\nendpoint = \"http://a:1\"\n\
                logs_endpoint = \"http://b:2\"\nsignals = [\"traces\", \"logs\"]";
    let one = &checked(text, &[]).unwrap()[0];
    let [traces, logs, metrics] = urls(one);
    assert_eq!(
        traces.unwrap(),
        "http://a:1/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    assert!(logs.unwrap().starts_with("http://b:2/opentelemetry"));
    assert_eq!(metrics, None);
    assert!(!one.takes(Signal::Metric));
}

#[test]
fn the_environment_makes_or_fills_the_first() {
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "backend:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb, x=y"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
    ];
    let alone = checked("", &environment).unwrap();
    assert_eq!(alone[0].name, "otlp");
    assert!(
        urls(&alone[0])[0]
            .as_ref()
            .unwrap()
            .starts_with("https://backend:4317/")
    );
    assert_eq!(alone[0].timeout, Duration::from_millis(2500));
    assert_eq!(alone[0].compression, Compression::None);
    assert_eq!(alone[0].headers[0].1, "a,b");

    let text = "[[forward]]\nname = \"first\"\nenrich = \"off\"\n\
                [[forward]]\nname = \"second\"\nendpoint = \"http://s\"";
    let two = checked(text, &environment).unwrap();
    assert_eq!(
        (two[0].enrich, two[0].protocol),
        (Enrich::Off, Protocol::Grpc)
    );
    assert_eq!(two[1].protocol, Protocol::Http(Format::Protobuf));
    assert_eq!(two[1].headers.len(), 0);

    // Keys of one backend are not sent to another.
    let own = "[[forward]]\nname = \"first\"\nendpoint = \"http://own\"";
    let own = checked(own, &environment).unwrap();
    assert_eq!(
        (own[0].headers.len(), own[0].timeout.as_millis()),
        (0, 2500)
    );
    assert_eq!(checked("", &[]).unwrap().len(), 0);
}

#[test]
fn mistakes_name_their_key_and_no_secret() {
    let base = "[[forward]]\nname = \"a\"\nendpoint = \"http://a\"\n";
    for (text, key) in [
        (
            "[[forward]]\nendpoint = \"http://a\"".to_owned(),
            "forward[0].name",
        ),
        ("[[forward]]\nname = \"a b\"".to_owned(), "forward[0].name"),
        (
            "[[forward]]\nname = \"a\"".to_owned(),
            "forward[0].endpoint",
        ),
        (
            "[[forward]]\nname = \"a\"\nendpoint = \"a:4318\"".to_owned(),
            "forward[0].endpoint",
        ),
        (
            "[[forward]]\nname = \"a\"\nendpoint = \"http://u:p@a\"".to_owned(),
            "forward[0].endpoint",
        ),
        (format!("{base}protocol = \"udp\""), "forward[0].protocol"),
        (
            format!("{base}compression = \"br\""),
            "forward[0].compression",
        ),
        (format!("{base}signals = [\"spans\"]"), "forward[0].signals"),
        (format!("{base}client_key = \"k\""), "forward[0].client_key"),
        (format!("{base}timeout = \"0s\""), "forward[0].timeout"),
        (
            format!("{base}max_in_flight = 0"),
            "forward[0].max_in_flight",
        ),
        (format!("{base}{base}"), "forward[1].name"),
        (
            format!("{base}headers = {{ k = \"secret\\n\" }}"),
            "forward[0].headers.k",
        ),
        (
            format!("{base}headers = {{ k = \"${{NONE}}\" }}"),
            "forward[0].headers.k",
        ),
    ] {
        let error = checked(&text, &[]).unwrap_err();
        assert_eq!(error.key, key, "{text}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn headers_come_from_the_environment_and_are_never_shown() {
    let text = "[[forward]]\nname = \"a\"\nendpoint = \"http://a\"\n\
                headers = { authorization = \"Bearer ${KEY}\" }";
    let one = &checked(text, &[("KEY", "hunter2")]).unwrap()[0];
    assert_eq!(one.headers[0].1, "Bearer hunter2");
    assert!(!format!("{one:?}").contains("hunter2"));
    let table = tables("[[forward]]\nheaders = { a = \"hunter2\" }");
    assert!(!format!("{table:?}").contains("hunter2"));
}

#[test]
fn own_listeners_are_found() {
    let at = |url: &str, listener: &str| {
        let text = format!("[[forward]]\nname = \"a\"\nendpoint = \"{url}\"");
        checked(&text, &[]).unwrap()[0].points_at(listener.parse().unwrap())
    };
    assert!(at("http://127.0.0.1:4318", "127.0.0.1:4318"));
    assert!(at("http://localhost:4318", "127.0.0.1:4318"));
    assert!(at("http://127.0.0.1:4318", "0.0.0.0:4318"));
    assert!(at("http://[::1]:4318", "[::1]:4318"));
    assert!(!at("http://localhost:4319", "127.0.0.1:4318"));
    assert!(!at("http://10.0.0.1:4318", "127.0.0.1:4318"));
    assert!(!at("http://backend:4318", "0.0.0.0:4318"));
}

#[test]
fn a_destination_may_be_of_some_projects() {
    let table =
        |more: &str| format!("[[forward]]\nname = \"a\"\nendpoint = \"http://a:1\"\n{more}");
    let all = checked(&table(""), &[]).unwrap();
    assert_eq!(all[0].projects, None);
    let some = checked(&table("projects = [\"search\"]"), &[]).unwrap();
    assert_eq!(some[0].projects, Some(vec![7]));
    for (more, why) in [
        ("projects = [\"serach\"]", "no project `serach`"),
        ("projects = []", "at least one"),
        (
            "projects = [\"search\"]\ncost_metrics = \"10s\"",
            "cost_metrics",
        ),
    ] {
        let error = checked(&table(more), &[]).unwrap_err();
        assert_eq!(error.key, "forward[0].projects");
        assert!(error.message.contains(why), "{error}");
    }

    let outgoing =
        crate::forward::Outgoing::new(&[std::sync::Arc::new(some[0].clone())], Duration::ZERO);
    assert!(outgoing.takes(7, Signal::Span) && !outgoing.takes(1, Signal::Span));
    assert!(
        outgoing
            .pack(1, Signal::Span, b"", 0, 0)
            .unwrap()
            .deliveries
            .is_empty()
    );
    assert_eq!(
        outgoing
            .pack(7, Signal::Span, b"", 0, 0)
            .unwrap()
            .deliveries
            .len(),
        1
    );
}
