//! npm's `oidc-provider`, a certified one, as `tests/openid/provider.js` runs it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A running provider. Dropping it ends it.
pub(crate) struct Provider {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// As it names itself.
    pub(crate) issuer: String,
}

impl Provider {
    /// Starts one that names itself `host`, for the costflame at an address.
    pub(crate) fn start(host: &str, costflame: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openid");
        assert!(
            folder.join("node_modules").exists(),
            "npm ci in tests/openid, which cargo xtask test does"
        );
        let redirect = format!("{costflame}/api/v1/login/openid/callback");
        let mut child = Command::new("node")
            .args(["provider.js", host, &redirect])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let issuer = line(&mut stdout);
        assert!(issuer.starts_with("http://"), "it did not start: {issuer}");
        Self {
            child,
            stdin,
            stdout,
            issuer,
        }
    }

    /// `later`: codes and everything else that it gave away are an hour older. `rotate`: it has other keys.
    pub(crate) fn tell(&mut self, what: &str) {
        let stdin = self.stdin.as_mut().expect("open");
        writeln!(stdin, "{what}").expect("it listens");
        assert_eq!(line(&mut self.stdout), "done");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Already gone, or going.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    line.trim().to_owned()
}
