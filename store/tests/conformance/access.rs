//! Projects and keys.

use costflame_store::{ApiKey, DEFAULT_PROJECT, KeyScope, OutboxRow, PROJECT_TABLES};

use crate::support::{
    Database, NOW_US, call, count, everything, plain, settle, tables_of_projects,
};

crate::on_both!(
    projects_have_names_of_their_own,
    keys_end_once,
    a_deleted_project_leaves_nothing_and_the_others_everything,
);

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

async fn a_deleted_project_leaves_nothing_and_the_others_everything(db: Database) {
    let search = db.store.create_project("search", 5).await.unwrap();
    let search = search.expect("the name was free").id;
    let key = ApiKey {
        id: "a".to_owned(),
        project: search,
        scope: KeyScope::Ingest,
        hash: [7; 32],
        label: String::new(),
        created_us: 5,
        used_us: None,
        revoked_us: None,
    };
    db.store.put_key(&key).await.unwrap();
    let data = |project| {
        let mut rows = vec![plain(1, 1, 0), call(1, 2, 1, 10), call(2, 1, 0, 20)];
        rows[1].span.attribution = everything();
        rows.iter_mut().for_each(|row| row.project = project);
        let request = OutboxRow {
            project,
            received_us: 1,
            signal: 0,
            codec: 0,
            items: 3,
            raw_bytes: 1,
            body: vec![1],
            deliveries: vec![("a".into(), 0), ("b".into(), 0)],
        };
        (rows, [request])
    };
    let (rows, requests) = data(DEFAULT_PROJECT);
    db.store.commit(&rows, &requests).await.unwrap();
    settle(&db.store).await;
    while db.store.fold(100).await.unwrap() > 0 {}
    let of = |project: i32| {
        let url = db.url.clone();
        async move {
            let mut rows = Vec::new();
            for table in tables_of_projects(&url).await {
                let sql = format!("SELECT count(*) FROM {table} WHERE project_id = {project}");
                let rows_there = count(&url, &sql).await;
                rows.extend((rows_there > 0).then_some((table, rows_there)));
            }
            rows
        }
    };
    let (kept, dump) = (of(DEFAULT_PROJECT).await, db.dump().await);

    let (rows, requests) = data(search);
    db.store.commit(&rows, &requests).await.unwrap();
    settle(&db.store).await;
    // Some of it is folded, some not, and some has not settled.
    db.store.fold(2).await.unwrap();
    db.store.commit(&rows[..1], &[]).await.unwrap();
    assert!(of(search).await.len() > 12, "{:?}", of(search).await);

    assert_eq!(db.store.revoke_keys_of(search, 9).await.unwrap(), 1);
    assert!(db.store.delete_project(search, NOW_US).await.unwrap() > 0);
    assert_eq!(of(search).await, []);
    let tables = tables_of_projects(&db.url).await;
    let is_new = |table: &&String| !PROJECT_TABLES.contains(&table.as_str());
    assert_eq!(
        tables.iter().find(is_new),
        None,
        "it is to be deleted from, too"
    );
    assert_eq!(db.store.delete_project(search, NOW_US).await.unwrap(), 0);
    assert_eq!(db.store.projects().await.unwrap().len(), 1);
    assert!(db.store.api_keys().await.unwrap().is_empty());
    let noted =
        "SELECT count(*) FROM deletions WHERE why = 'project' AND calls = 2 AND forwarded = 2";
    assert_eq!(count(&db.url, noted).await, 1);

    while db.store.fold(100).await.unwrap() > 0 {}
    assert_eq!((of(DEFAULT_PROJECT).await, db.dump().await), (kept, dump));
    assert_eq!(count(&db.url, "SELECT count(*) FROM outbox").await, 1);
    assert!(db.store.delete_project(DEFAULT_PROJECT, 1).await.is_err());
}
