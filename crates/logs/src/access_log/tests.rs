use super::*;

const TEXT: &str = r#"[2026-03-01T10:00:00.123Z] "GET /items?user=ann HTTP/1.1" 503 URX,UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - "delayed_connect_error:_Connection_refused" 1 121 44 7 "10.0.0.9" "curl/8" "2f470f65-5006-4e24-b307-07e379e33f89" "items.shop:8080" "10.1.0.4:9999" outbound|8080|v1|items.shop.svc.cluster.local 10.1.0.5:41000 10.2.0.7:8080 10.1.0.5:53048 - items-route"#;

#[test]
fn text_of_today_is_read_in_all_fields() {
    let line = AccessLogLine::parse(TEXT).unwrap();
    let expected = AccessLogLine {
        start_time: Some("2026-03-01T10:00:00.123Z".into()),
        method: Some("GET".into()),
        path: Some("/items?…".into()),
        protocol: Some("HTTP/1.1".into()),
        response_code: 503,
        response_flags: vec!["URX".into(), "UF".into()],
        response_code_details: Some(
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
                .into(),
        ),
        connection_termination_details: None,
        upstream_transport_failure_reason: Some("delayed_connect_error:_Connection_refused".into()),
        bytes_received: 1,
        bytes_sent: 121,
        duration_ms: Some(44),
        upstream_service_time_ms: Some(7),
        x_forwarded_for: Some("10.0.0.9".into()),
        user_agent: Some("curl/8".into()),
        request_id: Some("2f470f65-5006-4e24-b307-07e379e33f89".into()),
        authority: Some("items.shop:8080".into()),
        upstream_host: Some("10.1.0.4:9999".into()),
        upstream_cluster: Some(UpstreamCluster {
            name: "outbound|8080|v1|items.shop.svc.cluster.local".into(),
            side: Some(Side::Outbound),
            port: Some(8080),
            subset: Some("v1".into()),
            host: Some("items.shop.svc.cluster.local".into()),
        }),
        upstream_local_address: Some("10.1.0.5:41000".into()),
        downstream_local_address: Some("10.2.0.7:8080".into()),
        downstream_remote_address: Some("10.1.0.5:53048".into()),
        requested_server_name: None,
        route_name: Some("items-route".into()),
        grpc_status: None,
    };
    assert_eq!(line, expected);
}

#[test]
fn text_before_1_9_has_fewer_fields() {
    let mixer = r#"[2019-03-01T10:00:00.123Z] "GET /a HTTP/2" 404 NR "-" "-" 0 0 5 - "-" "curl/7" "id-1" "a.example.com" "-" - - 10.2.0.7:80 10.1.0.5:53048 - -"#;
    let line = AccessLogLine::parse(mixer).unwrap();
    assert_eq!((line.response_code, line.response_code_details.as_deref()), (404, None));
    assert_eq!((line.request_id.as_deref(), line.authority.as_deref()), (Some("id-1"), Some("a.example.com")));
    let without_route = r#"[2019-03-01T10:00:00.123Z] "GET /a HTTP/2" 200 - "-" 0 9 5 4 "-" "curl/7" "id-1" "a:80" "10.1.0.4:80" outbound|80||a.b.svc.cluster.local - 10.2.0.7:80 10.1.0.5:53048 -"#;
    let line = AccessLogLine::parse(without_route).unwrap();
    assert_eq!((line.bytes_sent, line.upstream_service_time_ms, line.route_name), (9, Some(4), None));
    assert_eq!(line.upstream_host.as_deref(), Some("10.1.0.4:80"));
    let details_only = r#"[2020-03-01T10:00:00.123Z] "GET /a HTTP/2" 200 - via_upstream "-" 0 9 5 4 "-" "c" "i" "a" "10.1.0.4:80" outbound|80||a - 10.2.0.7:80 10.1.0.5:53048 - default"#;
    assert_eq!(AccessLogLine::parse(details_only).unwrap().response_code_details.as_deref(), Some("via_upstream"));
}

#[test]
fn connection_without_request_is_read() {
    let tcp = r#"[2026-03-01T10:00:00.123Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.1.0.3:9090 10.1.0.6:43732 - -"#;
    let line = AccessLogLine::parse(tcp).unwrap();
    assert_eq!((line.method.clone(), line.path.clone(), line.response_code), (None, None, 0));
    assert_eq!((line.side(), line.destination()), (Side::Inbound, Some("10.1.0.3:9090")));
}

#[test]
fn client_cannot_shift_fields_with_quotes() {
    let quoted = TEXT.replace("curl/8", r#"odd" "agent" 200 "x"#).replace("/items?user=ann", r#"/a" b"#);
    let line = AccessLogLine::parse(&quoted).unwrap();
    assert_eq!((line.response_code, line.path.as_deref()), (503, Some(r#"/a" b"#)));
    assert_eq!(line.user_agent.as_deref(), Some(r#"odd" "agent" 200 "x"#));
    assert_eq!(line.authority.as_deref(), Some("items.shop:8080"));
}

#[test]
fn termination_details_may_have_spaces() {
    let line = TEXT.replace("} - \"", "} transport socket timeout was reached \"");
    let line = AccessLogLine::parse(&line).unwrap();
    assert_eq!(line.connection_termination_details.as_deref(), Some("transport socket timeout was reached"));
}

#[test]
fn json_is_read_and_null_is_absent() {
    let json = r#"{"authority":"cache:6379","bytes_received":0,"bytes_sent":19,"connection_termination_details":null,"downstream_local_address":"10.2.0.1:6379","downstream_remote_address":"10.1.0.9:46094","duration":6,"method":"GET","path":"/get?k=secret","protocol":"HTTP/1.1","request_id":"r-1","requested_server_name":null,"response_code":503,"response_code_details":"no_healthy_upstream","response_flags":"UH","route_name":"default","start_time":"2026-03-01T10:00:00.1Z","upstream_cluster":"outbound|6379||cache.a.svc.cluster.local","upstream_host":null,"upstream_local_address":null,"upstream_service_time":"6","upstream_transport_failure_reason":null,"user_agent":"x","x_forwarded_for":null,"grpc_status":"14"}"#;
    let line = AccessLogLine::parse(json).unwrap();
    assert_eq!((line.response_code, line.response_flags.as_slice()), (503, ["UH".to_owned()].as_slice()));
    assert_eq!((line.path.as_deref(), line.upstream_service_time_ms), (Some("/get?…"), Some(6)));
    assert_eq!((line.upstream_host, line.grpc_status.as_deref()), (None, Some("14")));
}

#[test]
fn other_lines_and_hostile_ones_are_no_access_lines() {
    let deep = format!("{{\"response_flags\":{}", "[".repeat(5000));
    let long = format!("[x] \"{}", "\" 1 ".repeat(2000));
    let huge = format!("{TEXT}{}", "x".repeat(MAX_LINE));
    for line in [
        "",
        "[",
        "{",
        "{}",
        "[]",
        "[a] \"",
        "[a] \"b\" 200",
        "[2026-03-01 10:00:00.000][12][warning][config] [a.cc:3] x",
        r#"{"level":"info","msg":"x"}"#,
        r#"{"response_flags":1}"#,
        &deep,
        &long,
        &huge,
        &TEXT[..200],
        "2026\tinfo\tx",
    ] {
        assert_eq!(AccessLogLine::parse(line), None, "{}", &line[..line.len().min(80)]);
    }
    let odd = r#"{"response_flags":[1],"response_code":{"a":1},"path":null,"duration":-1}"#;
    assert_eq!(AccessLogLine::parse(odd), Some(AccessLogLine::default()));
}

#[test]
fn special_clusters_have_a_side() {
    assert_eq!(UpstreamCluster::parse("BlackHoleCluster").side, Some(Side::Outbound));
    assert_eq!(UpstreamCluster::parse("InboundPassthroughCluster").side, Some(Side::Inbound));
    assert_eq!(UpstreamCluster::parse("inbound|8080||").port, Some(8080));
    assert_eq!(UpstreamCluster::parse("xds-grpc").side, None);
    assert_eq!(UpstreamCluster::parse("outbound|80||a.b;").host.as_deref(), Some("a.b"));
}
