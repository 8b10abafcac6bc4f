//! A database of either kind with the API on top of it.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use costflame_dashboards::{ApiState, Figures, router};
use costflame_store::{Options, Store, testing};
use serde_json::Value;
use tower::ServiceExt;

/// A database, the API over it, and the folder of its file.
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) router: Router,
    _folder: Option<tempfile::TempDir>,
}

/// An empty SQLite file and an empty Postgres database.
pub(crate) async fn both() -> [Api; 2] {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/c.db", folder.path().display());
    [
        Api::open(&url, Some(folder)).await,
        Api::open(&testing::postgres_database().await, None).await,
    ]
}

impl Api {
    pub(crate) async fn open(url: &str, folder: Option<tempfile::TempDir>) -> Self {
        let store = Store::connect(url, &Options::default()).await.unwrap();
        let router = router(ApiState::new(store.clone(), Arc::new(Figures::default)));
        Self {
            store,
            router,
            _folder: folder,
        }
    }

    /// Status and body of a GET below `/api/v1`.
    pub(crate) async fn ask(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(format!("/api/v1{path}"))
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&body);
        (
            status,
            json.unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&body))),
        )
    }

    /// The body of a file that must be there.
    pub(crate) async fn file(&self, path: &str) -> Vec<u8> {
        let request = Request::get(format!("/api/v1{path}"))
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let name = &response.headers()["content-disposition"];
        assert!(name.to_str().unwrap().starts_with("attachment; "), "{path}");
        to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .into()
    }

    /// The body of an answer that must be 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}
