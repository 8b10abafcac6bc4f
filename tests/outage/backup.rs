//! The database is copied while spans come.

use crate::{
    Scene,
    support::{costflame, output},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_under_load_is_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = |name: &str| format!("sqlite://{}/{name}.db", folder.path().display());
    let scene = Scene::start(folder.path(), &url("c"));
    let db = |arguments: &[&str]| {
        let (code, out, err) = output(costflame(folder.path()).arg("db").args(arguments));
        assert_eq!(code, Some(0), "{out}{err}");
        out
    };
    db(&["backup", "copy.db", "--database-url", &url("c")]);
    scene.assert_recovery().await;
    let verified = db(&["verify", "--database-url", &url("copy")]);
    assert!(verified.contains("no difference"), "{verified}");
}
