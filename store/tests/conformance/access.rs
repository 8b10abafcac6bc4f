//! Projects and keys.

use costflame_store::{ApiKey, DEFAULT_PROJECT, KeyScope};

use crate::support::Database;

crate::on_both!(projects_have_names_of_their_own, keys_end_once);

async fn projects_have_names_of_their_own(db: Database) {
    let first = db.store.projects().await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].id, &*first[0].name), (DEFAULT_PROJECT, "default"));

    let search = db.store.create_project("search", 5).await.unwrap();
    let search = search.expect("the name was free");
    assert_eq!((&*search.name, search.created_us), ("search", 5));
    assert_ne!(search.id, DEFAULT_PROJECT);
    assert_eq!(db.store.create_project("search", 6).await.unwrap(), None);
    let hostile = "'); DROP TABLE projects; --";
    assert!(db.store.create_project(hostile, 7).await.unwrap().is_some());

    let names: Vec<_> = db.store.projects().await.unwrap();
    let names: Vec<_> = names.iter().map(|project| &*project.name).collect();
    assert_eq!(names, ["default", "search", hostile]);
}

async fn keys_end_once(db: Database) {
    let key = |id: &str, scope| ApiKey {
        id: id.to_owned(),
        project: 2,
        scope,
        hash: [7; 32],
        label: "of the crawler".to_owned(),
        created_us: 5,
        used_us: None,
        revoked_us: None,
    };
    let (a, b) = (key("a", KeyScope::Ingest), key("b", KeyScope::Metrics));
    db.store.put_key(&a).await.unwrap();
    db.store.put_key(&b).await.unwrap();
    assert!(db.store.put_key(&a).await.is_err(), "an id is used once");
    assert_eq!(db.store.api_keys().await.unwrap(), [a.clone(), b.clone()]);

    assert!(db.store.revoke_key("a", 9).await.unwrap());
    assert!(!db.store.revoke_key("a", 10).await.unwrap());
    assert!(!db.store.revoke_key("c", 10).await.unwrap());
    let used = [("b".to_owned(), 20), ("a".to_owned(), 30)];
    db.store.note_key_use(&used).await.unwrap();
    // Another server may be late with an earlier use.
    db.store
        .note_key_use(&[("b".to_owned(), 10)])
        .await
        .unwrap();
    let a = ApiKey {
        revoked_us: Some(9),
        used_us: Some(30),
        ..a
    };
    let b = ApiKey {
        used_us: Some(20),
        ..b
    };
    assert_eq!(db.store.api_keys().await.unwrap(), [a, b]);
}
