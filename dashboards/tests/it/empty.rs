//! Nothing has arrived yet: every question has an answer, with every filter, on both databases.

use serde_json::json;

use super::support::both;

const FILTERS: &str = "model=a&model!=b&provider=&service!=&user=u&user!=v&session=&prompt!=p&tag.a%22b=c&tag.$x!=\
     &path=00112233445566778899aabbccddeeff&path!=ff112233445566778899aabbccddeeff&tool=t&tool=&status=error\
     &counted=true&counted!=false&flag=clamped&flag=&flag!=estimated&unpriced=no_rate&unpriced=&unpriced!=overflow";

const DIMENSIONS: [&str; 13] = [
    "model",
    "provider",
    "service",
    "environment",
    "feature",
    "agent",
    "operation",
    "tool",
    "path",
    "user",
    "session",
    "prompt",
    "tag.a",
];

#[tokio::test]
async fn every_question_has_an_answer() {
    for api in both().await {
        for filters in [
            "",
            FILTERS,
            "status=ok",
            "from=0&to=99999999999",
            "tool!=&tool!=x&status!=ok&counted=false",
        ] {
            let summary = api.get(&format!("/summary?{filters}")).await;
            assert_eq!(summary["cost_usd"], "0");
            assert_eq!(summary["coverage"], json!({"calls": null, "tokens": null}));
            let calls = api.get(&format!("/calls?{filters}")).await;
            assert_eq!(calls, json!({"calls": [], "next": null}));
            for by in DIMENSIONS {
                let breakdown = api.get(&format!("/breakdown?by={by}&{filters}")).await;
                assert_eq!(
                    (&breakdown["rows"], &breakdown["rest"]),
                    (&json!([]), &json!(null))
                );
                let series = api.get(&format!("/timeseries?by={by}&{filters}")).await;
                assert_eq!(series["series"], json!([]));
                let values = api.get(&format!("/values?key={by}&q=a&{filters}")).await;
                assert_eq!(values, json!({"key": by, "values": [], "more": false}));
            }
            let series = api.get(&format!("/timeseries?{filters}")).await;
            assert_eq!(series["series"].as_array().map(Vec::len), Some(1));
        }
        let health = api.get("/health").await;
        assert_eq!(
            (&health["status"], &health["data"]["first"]),
            (&json!("ok"), &json!(null))
        );
    }
}
